"""The prior of y: counts over devices, its logarithm, and draws as often as classes came."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import labels

COUNTS = jnp.array([30, 0, 10])


def test_devices_count_together():
    y = jnp.array([[0, 2], [2, 2], [0, 0], [1, 2]])
    counted = jax.vmap(lambda y: labels.count(COUNTS, y, "device"), axis_name="device")(y)
    np.testing.assert_array_equal(counted, np.tile([33, 1, 14], (4, 1)))
    np.testing.assert_array_equal(labels.count(COUNTS, y[0]), [31, 0, 11])


def test_a_label_without_a_class_counts_nowhere():
    for dtype in (jnp.int8, jnp.int32):
        found = jax.jit(labels.count)(COUNTS, jnp.array([-1, 0, 2, 3, -128], dtype))
        np.testing.assert_array_equal(found, [31, 0, 11])
        assert found.dtype == COUNTS.dtype


@pytest.mark.parametrize("y", [jnp.zeros(3), jnp.zeros((3, 1), jnp.int32)])
def test_labels_are_integers_in_a_row(y):
    with pytest.raises(AssertionError):
        labels.count(COUNTS, y)


def test_the_prior_is_the_share_of_each_class():
    np.testing.assert_allclose(np.exp(labels.log_prior(COUNTS)), [0.75, 0, 0.25], rtol=1e-6)
    np.testing.assert_allclose(np.exp(labels.log_prior(jnp.float32(COUNTS))), [0.75, 0, 0.25], rtol=1e-6)


def test_before_any_label_came_all_classes_are_as_likely():
    nothing = jnp.zeros(4, jnp.int32)
    np.testing.assert_allclose(labels.log_prior(nothing), np.log([0.25] * 4), rtol=1e-6)
    assert set(np.asarray(labels.draw(jax.random.key(0), nothing, 200))) == {0, 1, 2, 3}


def test_classes_are_drawn_as_often_as_they_came():
    drawn = np.asarray(labels.draw(jax.random.key(0), COUNTS, 4000))
    assert not np.any(drawn == 1)
    assert abs(np.mean(drawn == 0) - 0.75) < 4.5 * np.sqrt(0.75 * 0.25 / 4000)


OUTSIDE = [-1, 0, 2, 3, 100, -100]


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.int32])
def test_an_index_without_a_class_gives_nan_and_no_other_class(dtype):
    y, inside = jnp.array(OUTSIDE, dtype), np.isin(OUTSIDE, range(3))
    table = np.arange(6.0).reshape(3, 2)
    expected = np.where(inside[:, None], table[np.clip(OUTSIDE, 0, 2)], np.nan)
    np.testing.assert_array_equal(jax.jit(labels.rows)(jnp.asarray(table), y), expected)

    by_example = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    expected = np.where(inside, by_example[np.arange(6), np.clip(OUTSIDE, 0, 2)], np.nan)
    np.testing.assert_array_equal(jax.jit(labels.scores)(jnp.asarray(by_example), y), expected)


def test_small_integers_hold_no_class_beyond_them():
    wide = jnp.arange(512.0).reshape(2, 256)
    np.testing.assert_array_equal(labels.scores(wide, jnp.array([-1, 127], jnp.int8)), [np.nan, 383.0])


def test_scores_belong_to_examples():
    with pytest.raises(AssertionError):
        labels.scores(jnp.zeros((2, 3)), jnp.zeros(3, jnp.int32))
