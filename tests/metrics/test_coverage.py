"""Modes covered: by hand, against loops in float64, and for perfect data within its sampling error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen import metrics

RNG = np.random.default_rng(10)
modes_covered = jax.jit(metrics.modes_covered)
ANGLES = 2 * np.pi * np.arange(8) / 8
RING = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
GRID = np.stack(np.meshgrid([-4, -2, 0, 2, 4], [-4, -2, 0, 2, 4]), axis=-1).reshape(25, 2).astype(float)


def by_loops(samples, centers, std):
    histogram = np.zeros(len(centers))
    for sample in samples:
        distances = [np.linalg.norm(sample - center) for center in centers]
        if min(distances) < 3 * std:
            histogram[np.argmin(distances)] += 1
    # SciPy normalises both.
    reverse_kl = stats.entropy(histogram, np.ones(len(centers)))
    return np.count_nonzero(histogram), histogram.sum() / len(samples), reverse_kl


@pytest.mark.parametrize(("centers", "std"), [(RING, 0.05), (GRID, 0.3)])
@pytest.mark.parametrize("spread", [0.5, 1.5, 4.0])
def test_values(centers, std, spread):
    mode = RNG.integers(0, len(centers) // 2, 320)  # a model that has lost half of the modes
    samples = centers[mode] + spread * std * RNG.normal(size=(320, 2))
    found = modes_covered(jnp.float32(samples), jnp.float32(centers), std)
    expected = by_loops(np.float64(np.float32(samples)), np.float64(np.float32(centers)), std)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_by_hand():
    # Four modes on a line. Of eight samples three are good, two at 0 and one at 10; the others, some of them nearest to
    # 10, 20 or 30, are more than 3 off.
    centers = jnp.array([[0.0], [10.0], [20.0], [30.0]])
    samples = jnp.array([[0.0], [2.9], [10.5], [13.1], [16.0], [23.5], [26.9], [90.0]])
    found = modes_covered(samples, centers, 1.0)
    assert found.modes == 2
    np.testing.assert_allclose(found.high_quality, 3 / 8)
    # Model (2/3, 1/3, 0, 0) over the good samples against 1/4 each.
    np.testing.assert_allclose(found.reverse_kl, 2 / 3 * np.log(8 / 3) + 1 / 3 * np.log(4 / 3), rtol=1e-6)


def test_one_mode_and_all_modes_are_the_ends_of_the_scale():
    collapsed = modes_covered(jnp.float32(np.tile(RING[3], (320, 1))), jnp.float32(RING), 0.05)
    np.testing.assert_allclose(collapsed, (1, 1, np.log(8)), rtol=1e-6)
    complete = modes_covered(jnp.float32(np.tile(RING, (40, 1))), jnp.float32(RING), 0.05)
    np.testing.assert_allclose(complete, (8, 1, 0), atol=1e-6)


def test_perfect_data():
    # Within 3 std in two dimensions: 1 - exp(-9/2). Five standard errors of the share; the reverse KL of n draws over M
    # modes is chi-squared of M - 1 degrees over 2 n.
    num = 20_480
    samples = RING[RNG.integers(0, 8, num)] + 0.01 * RNG.normal(size=(num, 2))
    found = modes_covered(jnp.float32(samples), jnp.float32(RING), 0.01)
    ideal = 1 - np.exp(-4.5)
    assert found.modes == 8
    assert abs(found.high_quality - ideal) < 5 * np.sqrt(ideal * (1 - ideal) / num)
    assert 0 <= found.reverse_kl < stats.chi2(7).isf(1e-6) / (2 * num * ideal)


def test_without_a_good_sample_there_is_no_distribution_over_modes():
    found = modes_covered(jnp.full((320, 2), 7.0), jnp.float32(RING), 0.05)
    assert found.modes == 0
    assert found.high_quality == 0
    assert np.isnan(found.reverse_kl)
