"""Frechet and kernel distances: SciPy's matrix root and double loops in float64, closed forms, expectations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import linalg

from jaxgen import metrics

RNG = np.random.default_rng(11)
frechet_distance, kernel_distance = jax.jit(metrics.frechet_distance), jax.jit(metrics.kernel_distance)


def in_float32(*arrays):
    """Both the rounded arrays and what they are in float64, so that rounding of the input is not counted."""
    rounded = [jnp.float32(array) for array in arrays]
    return rounded, [np.float64(array) for array in rounded]


def covariance(x):
    return np.cov(x, rowvar=False)


def by_matrix_root(real, fake):
    root = linalg.sqrtm(covariance(real) @ covariance(fake))
    difference = np.mean(real, axis=0) - np.mean(fake, axis=0)
    return difference @ difference + np.trace(covariance(real) + covariance(fake) - 2 * np.real(root))


def by_eigenvalues(real, fake):
    """Where SciPy's root of a singular matrix fails: the trace of the root alone."""
    eigenvalues = np.linalg.eigvals(covariance(real) @ covariance(fake)).real
    difference = np.mean(real, axis=0) - np.mean(fake, axis=0)
    traces = np.trace(covariance(real) + covariance(fake))
    return difference @ difference + traces - 2 * np.sum(np.sqrt(np.maximum(eigenvalues, 0)))


@pytest.mark.parametrize("offset", [0.0, 3e4])
def test_frechet_values(offset):
    mixing = RNG.normal(size=(2, 12, 12))
    real, fake = RNG.normal(size=(90, 12)) @ mixing[0] + offset, 0.5 + RNG.normal(size=(70, 12)) @ mixing[1] + offset
    rounded, exact = in_float32(real, fake)
    np.testing.assert_allclose(frechet_distance(*rounded), by_matrix_root(*exact), rtol=1e-5)


@pytest.mark.parametrize(("num_real", "num_fake"), [(200, 150), (30, 40)])
def test_frechet_of_ill_conditioned_covariances(num_real, num_fake):
    # Variances fall by 1e8, and 30 rows of 64 features have a singular covariance. Through the eigenvalues of the
    # float32 covariances the value is off by 1 % of the trace here.
    scale = np.arange(1, 65) ** -2.0
    mixing = linalg.qr(RNG.normal(size=(64, 64)))[0]
    real = (RNG.normal(size=(num_real, 64)) * scale) @ mixing
    fake = (1.1 * RNG.normal(size=(num_fake, 64)) * scale) @ mixing
    rounded, exact = in_float32(real, fake)
    traces = np.trace(covariance(real) + covariance(fake))
    np.testing.assert_allclose(frechet_distance(*rounded), by_eigenvalues(*exact), atol=2e-6 * traces)


def test_frechet_closed_forms():
    x = RNG.normal(size=(100, 5))
    traces = 2 * np.trace(covariance(x))
    rounded = jnp.float32(x)
    assert 0 <= frechet_distance(rounded, rounded) < 1e-6 * traces
    # A shift moves the mean alone, a factor a gives tr S (a - 1)^2.
    shift = np.array([3.0, 0, 0, -4.0, 0])
    np.testing.assert_allclose(frechet_distance(rounded, rounded + jnp.float32(shift)[None]), 25, rtol=1e-5)
    centered = x - x.mean(axis=0)
    expected = 4 * np.trace(covariance(x))
    np.testing.assert_allclose(frechet_distance(jnp.float32(centered), jnp.float32(3 * centered)), expected, rtol=1e-5)


def test_frechet_is_symmetric():
    real, fake = jnp.float32(RNG.normal(size=(100, 5))), jnp.float32(2 * RNG.normal(size=(100, 5)))
    np.testing.assert_allclose(frechet_distance(real, fake), frechet_distance(fake, real), rtol=1e-5)


def by_loops(real, fake):
    """Binkowski et al. 2018: the kernel on every pair but those of a row with itself."""

    def mean(x, y):
        pairs = [(i, j) for i in range(len(x)) for j in range(len(y)) if not (x is y and i == j)]
        return np.mean([(x[i] @ y[j] / x.shape[1] + 1) ** 3 for i, j in pairs])

    return mean(real, real) + mean(fake, fake) - 2 * mean(real, fake)


@pytest.mark.parametrize(("num_real", "num_fake"), [(2, 2), (70, 45)])
def test_kernel_values(num_real, num_fake):
    rounded, exact = in_float32(RNG.normal(size=(num_real, 7)), 1 + RNG.normal(size=(num_fake, 7)))
    np.testing.assert_allclose(kernel_distance(*rounded), by_loops(*exact), rtol=1e-5, atol=1e-5)


def test_kernel_distance_of_like_sets_keeps_its_digits():
    # Features as a rectifier leaves them: the three means of the kernel are 1e4 times their combination.
    rounded, (real, fake) = in_float32(*np.abs(RNG.normal(size=(2, 640, 128))) + np.array([0.5, 0.51])[:, None, None])

    def kernel(x, y):
        return (x @ y.T / 128 + 1) ** 3

    within = [(kernel(x, x).sum() - np.trace(kernel(x, x))) / (640 * 639) for x in (real, fake)]
    across = kernel(real, fake).mean()
    np.testing.assert_allclose(kernel_distance(*rounded), sum(within) - 2 * across, atol=3e-8 * across)


@pytest.mark.parametrize(("mean", "expected"), [(0, 0), (1, 3 * 1 + 3 * 1 + 16)])
def test_kernel_distance_is_unbiased(mean, expected):
    # (x y + 1)^3 compares the moments: sum_j binom(3, j) (E x^j - E y^j)^2, of N(0, 1) 0, 1, 0, of N(1, 1) 1, 2, 4.
    draws = RNG.normal(size=(2, 2000, 6, 1))
    found = jax.jit(jax.vmap(metrics.kernel_distance))(jnp.float32(draws[0]), jnp.float32(draws[1] + mean))
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / np.sqrt(len(found))
    assert np.min(found) < 0


@pytest.mark.parametrize("metric", [metrics.frechet_distance, metrics.kernel_distance])
def test_one_row_has_no_spread(metric):
    for sets in [(jnp.ones((1, 3)), jnp.ones((4, 3))), (jnp.ones((4, 3)), jnp.ones((1, 3)))]:
        with pytest.raises(ValueError, match="both sets need at least 2 rows"):
            metric(*sets)
