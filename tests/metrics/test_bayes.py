"""Bayes' rule against SciPy in float64; what it does with classes that cannot be, and with wrong shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen import metrics

B, K = 40, 5
RNG = np.random.default_rng(3)
LOG_LIKELIHOODS = np.float32(RNG.normal(scale=5, size=(B, K)))
LOG_PRIOR = np.float32(np.log(RNG.dirichlet(np.ones(K))))
bayes_posterior = jax.jit(metrics.bayes_posterior)


def by_scipy(log_likelihoods, log_prior):
    return special.log_softmax(np.float64(log_likelihoods) + np.float64(log_prior), axis=1)


def test_values():
    found = bayes_posterior(LOG_LIKELIHOODS, LOG_PRIOR)
    np.testing.assert_allclose(found, by_scipy(LOG_LIKELIHOODS, LOG_PRIOR), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.exp(np.float64(found)).sum(axis=1), 1, rtol=1e-5)


def test_it_is_the_rule_of_two_gaussians():
    # Densities and their product with the prior, without a logarithm.
    x = np.linspace(-3, 5, 50)
    densities = np.stack([stats.norm(0, 1).pdf(x), stats.norm(2, 0.7).pdf(x)], axis=1) * np.array([0.2, 0.8])
    logs = np.float32(np.stack([stats.norm(0, 1).logpdf(x), stats.norm(2, 0.7).logpdf(x)], axis=1))
    found = np.exp(bayes_posterior(logs, np.float32(np.log([0.2, 0.8]))))
    np.testing.assert_allclose(found, densities / densities.sum(axis=1, keepdims=True), rtol=2e-5)


@pytest.mark.parametrize("shift", [-5000.0, 5000.0])
def test_likelihoods_that_no_exponential_can_hold(shift):
    # exp of them is 0 or infinite in float64 too; the inputs are rounded to float32 before either sees them.
    log_likelihoods = np.float32(LOG_LIKELIHOODS + shift)
    found = bayes_posterior(log_likelihoods, LOG_PRIOR)
    # A sum of 5,000 and the prior is rounded to multiples of 2^-11, by half of one at most; the sum over classes has
    # that error again.
    np.testing.assert_allclose(found, by_scipy(log_likelihoods, LOG_PRIOR), rtol=1e-5, atol=2 * 2.0**-12 + 1e-5)


def test_classes_far_apart():
    log_likelihoods = np.float32([[0, -5000], [-5000, 0], [-10000, -5000]])
    found = bayes_posterior(log_likelihoods, np.float32(np.log([0.5, 0.5])))
    np.testing.assert_array_equal(found, [[0, -5000], [-5000, 0], [-5000, 0]])


def test_neither_argument_need_be_normalised():
    expected = bayes_posterior(LOG_LIKELIHOODS, LOG_PRIOR)
    counts = np.float32(LOG_PRIOR + np.log(1000))
    per_row = np.float32(LOG_LIKELIHOODS + RNG.normal(size=(B, 1)))
    np.testing.assert_allclose(bayes_posterior(per_row, counts), expected, rtol=1e-5, atol=1e-5)


def test_a_class_that_never_came_is_impossible():
    log_prior = np.float32(np.log([3, 1])).tolist()
    found = bayes_posterior(np.float32([[0, 100, 0]] * 4), np.float32([log_prior[0], -np.inf, log_prior[1]]))
    np.testing.assert_allclose(np.exp(found), [[0.75, 0, 0.25]] * 4, rtol=1e-6)
    gradient = jax.grad(lambda logits: bayes_posterior(logits, jnp.float32([0, -np.inf, 0]))[0, 0])(jnp.zeros((1, 3)))
    np.testing.assert_allclose(gradient, [[0.5, 0, -0.5]], rtol=1e-6)


def test_a_row_knows_nothing_of_the_others():
    order = RNG.permutation(B)
    expected = bayes_posterior(LOG_LIKELIHOODS, LOG_PRIOR)
    np.testing.assert_array_equal(bayes_posterior(LOG_LIKELIHOODS[order], LOG_PRIOR), expected[order])
    np.testing.assert_allclose(
        metrics.bayes_posterior(LOG_LIKELIHOODS[:1], LOG_PRIOR), expected[:1], rtol=1e-6, atol=1e-5
    )
    stacked = jax.vmap(metrics.bayes_posterior)(LOG_LIKELIHOODS.reshape(4, -1, K), jnp.stack([LOG_PRIOR] * 4))
    np.testing.assert_allclose(stacked.reshape(B, K), expected, rtol=1e-6, atol=1e-5)


def test_half_precision_is_computed_in_single():
    half = [jnp.asarray(array, jnp.bfloat16) for array in (LOG_LIKELIHOODS, LOG_PRIOR)]
    found = bayes_posterior(*half)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(
        found, by_scipy(*(np.asarray(array, np.float32) for array in half)), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("shape", "prior_shape"), [((B, K), (K - 1,)), ((B, K), (1,)), ((B, K), (1, K)), ((B, K), ()), ((K,), (K,))]
)
def test_wrong_shapes_raise(shape, prior_shape):
    with pytest.raises(AssertionError):
        metrics.bayes_posterior(jnp.zeros(shape), jnp.zeros(prior_shape))


@pytest.mark.parametrize("dtypes", [(jnp.int32, jnp.float32), (jnp.float32, jnp.int32), (jnp.bool_, jnp.float32)])
def test_wrong_dtypes_raise(dtypes):
    with pytest.raises(AssertionError):
        metrics.bayes_posterior(jnp.zeros((B, K), dtypes[0]), jnp.zeros(K, dtypes[1]))
