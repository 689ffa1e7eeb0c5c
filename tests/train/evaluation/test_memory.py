"""Memory that grows with the data: no set is held a second time, however it is read, prepared, drawn or looked at."""

import tracemalloc
from collections.abc import Callable
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import preprocess
from train.data import from_arrays, with_validation_rows
from train.engine.compile import prepare_examples
from train.evaluation import samples
from train.evaluation.evaluators.likelihood import to_discrete

NUM, SHAPE = 20_000, (28, 28, 1)
BYTES = NUM * 28 * 28  # of uint8


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (NUM, *SHAPE), np.uint8)


def peak(function: Callable[[], object]) -> int:
    """Bytes of NumPy's arrays that a call makes, where most are held at once, what it returns among them."""
    tracemalloc.start()
    try:
        kept = function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        del kept


def test_a_data_set_is_not_copied(x):
    dataset = from_arrays("x", {"x_train": x, "x_test": x[:100]})
    assert dataset.spec is dataset.spec  # which looks at all of the data
    assert peak(lambda: with_validation_rows(dataset, 500, 1500)) < 1.2 * BYTES
    floats = x.astype(np.float32) / 255
    assert peak(lambda: from_arrays("x", {"x_train": floats, "x_test": floats[:100]}).spec) < 0.5 * floats.nbytes


def test_rows_of_validation_are_those_between(x):
    few = x[:100, :2, :2]
    dataset = from_arrays("x", {"x_train": few, "x_test": few[:2]})
    for first, last in ((0, 10), (20, 30), (85, 95), (88, 92), (95, 100), (10, 95)):
        found = with_validation_rows(dataset, first, last)
        np.testing.assert_array_equal(found.valid["x"], few[first:last])
        np.testing.assert_array_equal(found.train["x"], np.concatenate([few[:first], few[last:]]))


def test_a_set_is_prepared_and_looked_at_in_chunks(x):
    def prepare() -> np.ndarray:
        return prepare_examples(preprocess.binarize, jax.random.key(0), {"x": x})["x"]

    prepared = prepare()
    assert peak(prepare) < 1.1 * prepared.nbytes
    binary = SimpleNamespace(levels=2)
    assert peak(lambda: to_discrete(binary, preprocess.binarize, prepared)) < 0.3 * prepared.nbytes
    np.testing.assert_array_equal(to_discrete(binary, preprocess.binarize, prepared), np.zeros(NUM))
    prepared[-1, 0] = 0.5
    assert to_discrete(binary, preprocess.binarize, prepared) is None


def test_samples_are_drawn_in_chunks():
    def sample(key: jax.Array, model: None, num: int, *, y: None = None) -> jax.Array:
        del model, y
        return jax.random.uniform(key, (num, *SHAPE))

    run = SimpleNamespace(recipe=SimpleNamespace(sample=sample), prepare=preprocess.scale_symmetric)
    drawn = samples.draw(run, None, jax.random.key(0), 2750)
    assert drawn.shape == (2750, *SHAPE)
    last = preprocess.scale_symmetric.to_unit(sample(jax.random.fold_in(jax.random.key(0), 5), None, 500))
    np.testing.assert_array_equal(drawn[2500:], np.asarray(last)[:250])
    assert peak(lambda: samples.draw(run, None, jax.random.key(0), 10_000)) < 1.2 * 10_000 * drawn[0].nbytes
    assert jnp.isfinite(drawn).all()
