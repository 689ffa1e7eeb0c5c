"""The Parzen window against SciPy's densities in float64; that it is a density."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen import metrics

RNG = np.random.default_rng(13)
log_likelihood = jax.jit(metrics.parzen_log_likelihood)


def by_densities(x, samples, std):
    # Row by row: the mean of N(x; sample, std^2 I) over the samples.
    kernel = stats.multivariate_normal(np.zeros(x.shape[1]), std**2 * np.eye(x.shape[1]))
    return [special.logsumexp(kernel.logpdf(samples - row)) - np.log(len(samples)) for row in x]


@pytest.mark.parametrize("std", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("num_dims", [3, 64])
def test_values(num_dims, std):
    x, samples = np.float32(RNG.uniform(size=(20, num_dims))), np.float32(RNG.uniform(size=(90, num_dims)))
    expected = by_densities(np.float64(x), np.float64(samples), std)
    np.testing.assert_allclose(log_likelihood(x, samples, std=std), expected, rtol=1e-5, atol=1e-4)


def test_it_is_a_density():
    grid, samples = np.linspace(-8, 8, 400), RNG.normal(size=90)
    density = np.exp(log_likelihood(jnp.float32(grid)[:, None], jnp.float32(samples)[:, None], std=0.5))
    np.testing.assert_allclose(np.trapezoid(density, grid), 1, rtol=1e-5)


def test_far_from_all_samples_it_is_finite():
    # exp of it is 0 in float32 from -104 on.
    x, samples = jnp.full((20, 3), 30.0), jnp.zeros((90, 3))
    expected = -(30**2) * 3 / (2 * 0.1**2) - 3 * np.log(0.1 * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(log_likelihood(x, samples, std=0.1), np.full(20, expected), rtol=1e-6)


def test_candidates_for_the_width_in_one_call():
    # As the protocol chooses it, on validation data.
    x, samples, candidates = *np.float32(RNG.uniform(size=(2, 90, 3))), jnp.logspace(-1, 0, 5)
    over_candidates = jax.vmap(lambda std: metrics.parzen_log_likelihood(x, samples, std=std))
    found = jax.jit(over_candidates)(candidates)
    expected = [by_densities(np.float64(x), np.float64(samples), std) for std in np.float64(candidates)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_the_width_is_named():
    with pytest.raises(TypeError):
        functools.partial(metrics.parzen_log_likelihood, jnp.ones((2, 3)), jnp.ones((4, 3)))()
    with pytest.raises(TypeError):
        metrics.parzen_log_likelihood(jnp.ones((2, 3)), jnp.ones((4, 3)), 0.5)
