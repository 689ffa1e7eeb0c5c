"""What a representation is worth: simple classifiers of features or codes, where they are asked for.

Alain & Bengio 2017; Donahue et al. 2017, section 4.2.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.recipe import PyTree, Recipe
from train.engine.compile import over_examples
from train.engine.validation import BATCH_SIZE, Examples
from train.errors import InputError
from train.evaluation.estimates import UNITS, Measured
from train.evaluation.subject import Subject

FEW = (10, 100, 1000)  # labels
_DRAWS = 10  # of the examples whose labels are known
_STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # inverse weights of the L2 penalty

Array = np.ndarray


class Labelled(NamedTuple):
    """Codes and their classes."""

    z: Array  # [N, D]
    y: Array  # [N]


def applies(subject: Subject) -> bool:
    """True if it is asked for, the data has labels, and the model represents an example without its label."""
    asked = subject.options.extra.probes is not None and subject.run.dataset.spec.num_classes is not None
    return asked and representation(subject.run.recipe) is not None


def measure(subject: Subject) -> dict[str, Measured]:
    """1 for each test example that a linear probe, or a nearest neighbour, classifies correctly, else 0."""
    assert subject.options.extra.probes is not None
    parts = subject.train(subject.options.extra.probes), subject.valid, subject.test
    train, valid, test = (represent(subject, part) for part in parts)
    check_classes(train)
    return as_shares(probe(train, valid, test))


def check_classes(train: Labelled) -> None:
    """InputError unless the training examples are of at least two classes."""
    if len(np.unique(train.y)) < 2:
        raise InputError(f"{len(train.y)} training examples of probes are of one class; expected more of them")


def as_shares(right: dict[str, np.ndarray]) -> dict[str, Measured]:
    """Each test example's correctness, from 0 to 1, [N]."""
    return {name: Measured(values, UNITS["accuracy"], most=1) for name, values in right.items()}


def representation(recipe: Recipe) -> Callable[[PyTree, jax.Array], jax.Array] | None:
    """(model, x) -> features [B, F], or else codes [B, ...]; None where there are none or codes depend on y."""
    if recipe.features is not None:
        return recipe.features
    return None if recipe.conditional else recipe.encode


def represent(subject: Subject, part: Examples) -> Labelled:
    """The representation of each example as a vector, and its label."""
    represented = representation(subject.run.recipe)
    assert represented is not None

    def on_batch(key: jax.Array, model: PyTree, batch: dict) -> jax.Array:
        del key
        return jnp.reshape(represented(model, batch["x"]), (len(batch["x"]), -1))

    z = over_examples(on_batch, batch_size=BATCH_SIZE)(part.key, subject.model, part.prepared)
    return Labelled(z, part.prepared["y"])


def probe(train: Labelled, valid: Labelled, test: Labelled) -> dict[str, Array]:
    """Whether each test example is classified correctly, [N]; for few labels the mean over 10 draws of these.

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
    """1 where logistic regression with an L2 penalty of weight 1 / `strength` is correct, else 0, [N]."""
    from sklearn.linear_model import LogisticRegression

    regression = LogisticRegression(C=strength, max_iter=5000).fit(train.z, train.y)
    return (regression.predict(test.z) == test.y).astype(np.float64)


def nearest_neighbour(train: Labelled, test: Labelled) -> Array:
    """1 where the nearest training example has the class of the test example, else 0, [N]."""
    from sklearn.neighbors import KNeighborsClassifier

    neighbour = KNeighborsClassifier(1, algorithm="brute").fit(train.z, train.y)
    return (neighbour.predict(test.z) == test.y).astype(np.float64)
