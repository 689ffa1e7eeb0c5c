"""What a representation is worth: simple classifiers of codes (Alain & Bengio 2017; Donahue et al. 2017, sec. 4.2)."""

from typing import NamedTuple

import numpy as np

FEW = (10, 100, 1000)  # labels
_DRAWS = 10  # of the examples whose labels are known
_STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # inverse weights of the L2 penalty

Array = np.ndarray


class Labelled(NamedTuple):
    """Codes and their classes."""

    z: Array  # [N, D]
    y: Array  # [N]


def probe(train: Labelled, valid: Labelled, test: Labelled) -> dict[str, Array]:
    """Whether each test example is classified rightly, [N]; for few labels the mean over 10 draws of these.

    The linear probe is logistic regression on standardized codes, whose L2 penalty is the best of four on validation
    examples, and 1 where labels are few. Neighbours are those in Euclidean distance of the codes as they are.
    """
    shift, scale = train.z.mean(axis=0), train.z.std(axis=0)
    scale = np.where(scale > 0, scale, 1)
    train, valid, test = (part._replace(z=np.asarray(part.z, np.float64)) for part in (train, valid, test))
    found = {"nearest_neighbour_accuracy": nearest_neighbour(train, test)}
    train, valid, test = (part._replace(z=(part.z - shift) / scale) for part in (train, valid, test))
    strength = max(_STRENGTHS, key=lambda strength: linear(train, valid, strength).mean())
    found["linear_probe_accuracy"] = linear(train, test, strength)
    for num in FEW:
        if num < len(train.y):
            draws = [choose(train.y, num, np.random.default_rng(draw)) for draw in range(_DRAWS)]
            right = [linear(Labelled(train.z[rows], train.y[rows]), test, strength=1.0) for rows in draws]
            found[f"probe_accuracy_{num}"] = np.mean(right, axis=0)
    return found


def choose(y: Array, num: int, random: np.random.Generator) -> Array:
    """Rows of `num` examples, of which the classes [N] have equal shares as far as they can."""
    shuffled = random.permutation(len(y))
    of_class = np.zeros(len(y), int)  # how many of its class come before
    for label in np.unique(y):
        mine = y[shuffled] == label
        of_class[mine] = np.arange(mine.sum())
    return shuffled[np.argsort(of_class, kind="stable")[:num]]


def linear(train: Labelled, test: Labelled, strength: float) -> Array:
    """1 where logistic regression with an L2 penalty of weight 1 / `strength` is right, else 0, [N]."""
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(C=strength, max_iter=5000).fit(train.z, train.y)
    return (regression.predict(test.z) == test.y).astype(np.float64)


def nearest_neighbour(train: Labelled, test: Labelled) -> Array:
    """1 where the nearest training example has the class of the test example, else 0, [N]."""
    from sklearn.neighbors import KNeighborsClassifier

    neighbour = KNeighborsClassifier(1, algorithm="brute").fit(train.z, train.y)
    return (neighbour.predict(test.z) == test.y).astype(np.float64)
