"""Distances against SciPy in float64: near-duplicates, far from the origin, blocks of rows, ties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jaxgen.metrics._pairwise import over_rows

RNG = np.random.default_rng(9)


@jax.jit
def all_distances(x, references):
    return over_rows(lambda distances: distances, x, references)


@pytest.mark.parametrize(("num_rows", "num_references"), [(1, 1), (5, 3), (130, 200)])
def test_all_pairs(num_rows, num_references):
    x, references = np.float32(RNG.normal(size=(num_rows, 6))), np.float32(RNG.normal(size=(num_references, 6)))
    expected = cdist(np.float64(x), np.float64(references), "sqeuclidean")
    np.testing.assert_allclose(all_distances(x, references), expected, rtol=1e-6)


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_near_duplicates_keep_their_digits(offset):
    # |x|^2 + |y|^2 - 2 x.y of these is noise of about 1e-5, or 0.1 so far from the origin, and often negative.
    references = np.float32(offset + RNG.normal(size=(40, 50)))
    x = np.float32(references[:20] + 1e-4 * RNG.normal(size=(20, 50)))
    expected = cdist(np.float64(x), np.float64(references), "sqeuclidean")
    found = all_distances(x, references)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_equal_rows_are_at_no_distance():
    x = np.float32(30 + RNG.normal(size=(64, 784)))
    np.testing.assert_array_equal(np.diag(all_distances(x, x)), np.zeros(64))


def test_a_distance_depends_on_its_two_rows_alone():
    # Bit for bit, so that distances may be compared: in other sets, blocks and orders, and the other way round.
    x, references = np.float32(RNG.normal(size=(70, 37))), np.float32(5 + RNG.normal(size=(83, 37)))
    found = all_distances(x, references)
    np.testing.assert_array_equal(all_distances(references, x).T, found)
    np.testing.assert_array_equal(all_distances(x[:5], references), found[:5])
    np.testing.assert_array_equal(all_distances(x[3:4], references[::-1][:1]), found[3:4, -1:])


@pytest.mark.parametrize(("low", "high"), [(0, 2), (-300, 300)])
def test_distances_of_integers_are_exact(low, high):
    # At most 40 x 600^2 < 2^24.
    x, references = RNG.integers(low, high, (2, 70, 40))
    expected = cdist(x, references, "sqeuclidean")
    np.testing.assert_array_equal(all_distances(jnp.float32(x), jnp.float32(references)), expected)


def test_many_near_duplicates_are_told_apart():
    # Thirty references within 3e-3 of the row, in a cloud of size 1.
    row, direction = RNG.normal(size=(1, 30)), RNG.normal(size=(1, 30)) / np.sqrt(30)
    close = row + np.arange(1, 31)[:, None] * 1e-4 * direction
    references = np.float32(np.concatenate([close, RNG.normal(size=(60, 30))]))
    expected = np.sort(cdist(np.float64(np.float32(row)), np.float64(references), "sqeuclidean")[0])
    np.testing.assert_allclose(np.sort(all_distances(np.float32(row), references)[0]), expected, rtol=1e-5)
