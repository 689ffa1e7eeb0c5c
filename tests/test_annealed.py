"""Annealed importance sampling against the likelihood of a linear-Gaussian decoder, which is known (SciPy, float64)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen import annealed, losses

RNG = np.random.default_rng(7)
LATENT, DIM, STD = 3, 5, 0.5
WEIGHT, SHIFT = RNG.normal(size=(DIM, LATENT)), RNG.normal(size=DIM)
X = RNG.multivariate_normal(SHIFT, WEIGHT @ WEIGHT.T + STD**2 * np.eye(DIM))
TRUTH = stats.multivariate_normal.logpdf(X, SHIFT, WEIGHT @ WEIGHT.T + STD**2 * np.eye(DIM))
# p(z | x), by the usual formulas of linear regression.
COVARIANCE = np.linalg.inv(np.eye(LATENT) + WEIGHT.T @ WEIGHT / STD**2)
MEAN = COVARIANCE @ WEIGHT.T @ (X - SHIFT) / STD**2
NUM = 2000


def log_likelihood(z: jax.Array) -> jax.Array:
    mean = z @ jnp.float32(WEIGHT.T) + jnp.float32(SHIFT)[None]
    x = jnp.broadcast_to(jnp.float32(X), mean.shape)
    return -losses.gaussian_nll(mean, jnp.full_like(mean, 2 * np.log(STD)), x)


@functools.cache
def run_both(num_steps: int, step_size: float | None = None) -> tuple[annealed.Chains, annealed.Chains]:
    """Forward and reverse chains; the latter from exact draws from the posterior."""
    betas = annealed.sigmoid_schedule(num_steps)
    key_pilot, key_forward, key_reverse = jax.random.split(jax.random.key(num_steps), 3)
    if step_size is not None:
        step_sizes = jnp.full((num_steps, NUM), step_size, jnp.float32)
    else:
        tune = functools.partial(annealed.tune_step_sizes, log_likelihood=log_likelihood, shape=(NUM, LATENT))
        step_sizes = jax.jit(tune)(key_pilot, betas=betas)
    there = functools.partial(annealed.forward, log_likelihood=log_likelihood, latent_dim=LATENT)
    back = functools.partial(annealed.reverse, log_likelihood=log_likelihood)
    z = jnp.float32(RNG.multivariate_normal(MEAN, COVARIANCE, NUM))
    return (
        jax.jit(there)(key_forward, betas=betas, step_sizes=step_sizes),
        jax.jit(back)(key_reverse, betas=betas, step_sizes=step_sizes, z=z),
    )


# Tuned step sizes; small ones, which accept and hardly move; ones that often reject: an estimate that is
# unbiased must not depend on how well the chains mix.
@pytest.mark.parametrize("step_size", [None, 0.1, 0.6])
def test_weights_are_unbiased_in_both_directions(step_size):
    there, back = run_both(40, step_size)
    for ratios in (np.exp(np.float64(there.log_weights) - TRUTH), np.exp(np.float64(back.log_weights) + TRUTH)):
        # 5 standard errors of the mean; chains that often reject have the largest weights.
        margin = 5 * ratios.std() / np.sqrt(NUM)
        assert margin < 0.5
        np.testing.assert_allclose(ratios.mean(), 1, rtol=0, atol=margin)
    if step_size == 0.6:
        assert there.acceptance[-1] < 0.8


def test_the_bounds_enclose_the_likelihood_and_close_with_more_steps():
    gaps = []
    for num_steps in (10, 60):
        there, back = run_both(num_steps)
        lower, upper = np.float64(there.log_weights), -np.float64(back.log_weights)
        for bound, sign in ((lower, 1), (upper, -1)):  # of a single chain in expectation, by 5 standard errors
            assert sign * (TRUTH - bound.mean()) > 5 * bound.std() / np.sqrt(NUM)
        gaps.append(upper.mean() - lower.mean())
    assert gaps[1] < 0.3 * gaps[0]  # Neal 2001: the variance of a log-weight falls as 1 / steps
    # Over all chains, log-mean-exp of weights: 5 standard errors of its logarithm, by the delta method.
    ratios = np.exp(lower - TRUTH)
    np.testing.assert_allclose(
        special.logsumexp(lower) - np.log(NUM), TRUTH, rtol=0, atol=5 * ratios.std() / np.sqrt(NUM)
    )


def test_forward_chains_end_as_draws_from_the_posterior():
    there, _ = run_both(60)
    # 6 standard errors of a mean of independent chains, and as much again for annealing that ends after 100 steps.
    margin = 12 * np.sqrt(np.diag(COVARIANCE) / NUM)
    np.testing.assert_array_less(np.abs(np.mean(there.z, axis=0) - MEAN), margin)
    np.testing.assert_allclose(np.cov(np.asarray(there.z).T), COVARIANCE, rtol=0, atol=0.15 * COVARIANCE.max())


def test_tuning_reaches_its_acceptance():
    there, _ = run_both(60)
    assert 0.55 < np.mean(there.acceptance[50:]) < 0.75


def test_betas_rise_from_0_to_1():
    betas = np.asarray(annealed.sigmoid_schedule(10))
    assert betas.shape == (11,)
    assert (betas[0], betas[-1]) == (0, 1)
    assert (np.diff(betas) > 0).all()
    np.testing.assert_allclose(betas + betas[::-1], 1, rtol=0, atol=1e-6)
    expected = special.expit(-4 + 0.8 * np.arange(11))
    np.testing.assert_allclose(betas, (expected - expected[0]) / (expected[-1] - expected[0]), rtol=0, atol=1e-6)
    with pytest.raises(ValueError, match="num_steps must be positive, got 0"):
        annealed.sigmoid_schedule(0)


def test_a_trajectory_that_diverges_is_rejected():
    betas = annealed.sigmoid_schedule(5)
    there = annealed.forward(
        jax.random.key(0), lambda z: -jnp.sum(z**8, axis=1), betas, jnp.full((5, 4), 50.0, jnp.float32), 2
    )
    assert np.isfinite(there.log_weights).all()
    np.testing.assert_array_equal(there.acceptance, np.zeros(5))
