"""Samples from a run's model, and the reference features of real examples."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import preprocess
from jaxgen.recipe import PyTree
from train import runs
from train.data import spread
from train.engine.compile import prepare_examples
from train.evaluation.features import Features
from train.runs import Run

# Maximum size of each set: comparing all pairs takes time quadratic in it, and linear in the number of features.
MOST = 10_000
_MOST_OF_MANY_FEATURES = 2500
_MANY_FEATURES = 512
_PER_CALL = 500


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
