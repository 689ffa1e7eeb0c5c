"""Samples from a run's model, the features of real examples, and samples given conditions beside plain baselines."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import preprocess
from jaxgen.recipe import PyTree
from train import runs
from train.data import spread
from train.engine.compile import over_examples, prepare_examples
from train.evaluation.features import Features
from train.runs import Run

# Maximum size of each set: comparing all pairs takes time quadratic in it, and linear in the number of features.
MOST = 10_000
_MOST_OF_MANY_FEATURES = 2500
_MANY_FEATURES = 512
_PER_CALL = 500
_GIVEN_PER_CALL = 100
_COMPARED_AT_ONCE = 100  # examples, each with all training examples


def conditions(run: Run, num: int) -> np.ndarray | None:
    """Conditions y [num, ...] for as many samples, made of test examples spread over the set and repeated if few.

    None where the experiment makes no y out of x: samples are then unconditional, or of classes of the training prior.
    """
    if run.prepare.condition is None:
        return None
    x = run.dataset.test["x"]
    rows = spread(len(x), num)[np.arange(num) % min(num, len(x))]
    return prepare_examples(run.prepare, run.keys[0].evaluate, {"x": x[rows]})["y"]


def draw(run: Run, model: PyTree, key: jax.Array, num: int) -> np.ndarray:
    """Draw samples [num, ...], images in [0, 1], in chunks so that any number fits in memory."""
    assert run.recipe.sample is not None
    sample = jax.jit(run.recipe.sample, static_argnums=2)
    size, samples, y = min(_PER_CALL, num), None, conditions(run, num)
    for call, first in enumerate(range(0, num, size)):
        given = None if y is None else y[np.arange(first, first + size) % num]
        drawn = runs.in_unit_interval(run, sample(jax.random.fold_in(key, call), model, size, y=given))
        if samples is None:
            samples = np.empty((num, *drawn.shape[1:]), drawn.dtype)
        samples[first : first + size] = drawn[: num - first]
    assert samples is not None
    return samples


def as_float(x: np.ndarray) -> np.ndarray:
    """Stored examples as float32, images in [0, 1]."""
    return np.asarray(preprocess.scale(jax.random.key(0), jnp.asarray(x)))


class References(NamedTuple):
    """Features of real examples, computed once for all seeds of a run."""

    features: Features
    real: np.ndarray  # features of test examples [N, F], all of them or spread over the set
    train: np.ndarray  # features of as many training examples


def references(run: Run, features: Features) -> References:
    """Features of test and training examples, as stored rather than binarized.

    At most 10,000 of each set, or 2,500 where there are more than 512 features.
    """
    test, train = run.dataset.test["x"], run.dataset.train["x"]
    num_features = features.embed(as_float(test[:1])).shape[1]
    num = min(len(test), MOST if num_features <= _MANY_FEATURES else _MOST_OF_MANY_FEATURES)
    return References(
        features,
        features.embed(as_float(test[spread(len(test), num)])),
        features.embed(as_float(train[spread(len(train), num)])),
    )


def draw_given(run: Run, key: jax.Array, examples: Mapping[str, np.ndarray], each: int) -> np.ndarray:
    """Samples given the condition of each prepared example, images in [0, 1]: [N, each, ...]."""
    sample = run.recipe.sample
    assert sample is not None

    def on_batch(key: jax.Array, model: PyTree, batch: dict) -> jax.Array:
        return sample(key, model, len(batch["x"]), y=batch["y"])

    repeated = {name: np.repeat(array, each, axis=0) for name, array in examples.items()}
    drawn = over_examples(on_batch, batch_size=_GIVEN_PER_CALL)(key, run.models[0], repeated)
    return runs.in_unit_interval(run, drawn).reshape(-1, each, *drawn.shape[1:])


def enlarge(y: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bicubic enlargement of images [N, h, w, c] to [N, H, W, C], with grey in every channel: Keys 1981, a = -1/2."""
    height, width, channels = shape
    enlarged = jax.image.resize(jnp.asarray(y), (len(y), height, width, y.shape[-1]), "cubic")
    return np.broadcast_to(np.clip(enlarged, 0, 1), (len(y), height, width, channels))


def nearest(given: np.ndarray, training: np.ndarray) -> np.ndarray:
    """The training vector nearest to each, the first if several: [N, D], [M, D] -> [N].

    Of binary vectors that is the one that differs in the fewest values.
    """
    squares = np.square(training).sum(axis=1)
    # |a - b|^2 = |a|^2 + |b|^2 - 2 a b, where |a|^2, of the given vector, does not change the order.
    blocks = (given[first : first + _COMPARED_AT_ONCE] for first in range(0, len(given), _COMPARED_AT_ONCE))
    return np.concatenate([(squares - 2 * block @ training.T).argmin(axis=1) for block in blocks])


def measure_given(run: Run, key: jax.Array, examples: Mapping[str, np.ndarray], each: int) -> dict[str, np.ndarray]:
    """Squared error per value of each prepared example, by whose guess it is, and -log p(x | y) in nats: [N] each.

    A sample is a random draw, and errs twice as much as the best guess, which is the mean of all of them.
    """
    x, y = runs.in_unit_interval(run, examples["x"]), examples["y"]
    training = prepare_examples(run.prepare, run.keys[0].compare, {"x": run.dataset.train["x"]})
    of_training = runs.in_unit_interval(run, training["x"])
    drawn = draw_given(run, key, examples, each)
    guesses = {
        f"mean_of_{each}_samples": drawn.mean(axis=1),
        "bicubic": enlarge(y, x.shape[1:]),
        "training_mean": of_training.mean(axis=0, keepdims=True),
        "nearest_training_image": of_training[nearest(_flat(y), _flat(training["y"]))],
    }
    condition = run.prepare.condition
    assert condition is not None
    again = prepare_examples(run.prepare, key, {"x": drawn[:, 0]})["y"]
    found = {"squared_error": _squared_error(drawn, x[:, None]).mean(axis=1)}
    found |= {f"squared_error_of_{name}": _squared_error(guess, x) for name, guess in guesses.items()}
    found["squared_error_of_condition"] = _squared_error(again, y)
    if run.recipe.log_prob_is == "exact":
        found["nll"] = over_examples(run.recipe.evaluate, batch_size=_GIVEN_PER_CALL)(key, run.models[0], examples)[
            "nll"
        ]
    return found


def _flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1)


def _squared_error(guess: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Mean over the values of an image."""
    return np.square(guess - x).mean(axis=(-3, -2, -1), dtype=np.float64)
