"""The bounds on log p(x): by hand, against SciPy in float64, and by Jensen's inequality."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxgen import losses

RNG = np.random.default_rng(2)


def test_reparameterize():
    # mean + std noise with std 2, 1/2 and 1; d/dmean = 1, d/dlog_var = std noise / 2, d/dnoise = std.
    mean, log_var = jnp.array([[1.0, 0.0, -1.0]]), jnp.array([[2 * np.log(2), -2 * np.log(2), 0.0]])
    noise = jnp.array([[1.0, -4.0, 0.5]])
    np.testing.assert_allclose(losses.reparameterize(mean, log_var, noise), [[3.0, -2.0, -0.5]], rtol=1e-6)
    found = jax.grad(lambda arrays: losses.reparameterize(*arrays).sum())((mean, log_var, noise))
    np.testing.assert_allclose(found, [[[1, 1, 1]], [[1, -1, 0.25]], [[2, 0.5, 1]]], rtol=1e-6)


@pytest.mark.parametrize("position", range(3))
@pytest.mark.parametrize("wrong", [jnp.zeros((4, 1)), jnp.zeros((1, 3)), jnp.zeros(3), jnp.zeros((4, 3), jnp.int32)])
def test_reparameterize_refuses_a_wrong_argument_at_any_place(position, wrong):
    arguments = [jnp.zeros((4, 3))] * 3
    arguments[position] = wrong
    with pytest.raises(AssertionError):
        losses.reparameterize(*arguments)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 4.0])
def test_negative_elbo_names_its_parts(beta):
    reconstruction, kl = jnp.array([80.0, 100.0]), jnp.array([20.0, 8.0])
    for elbo in (
        losses.negative_elbo(reconstruction, kl, beta=beta),
        jax.jit(losses.negative_elbo)(reconstruction, kl, beta=jnp.float32(beta)),  # traced, as KL warm-up needs
    ):
        np.testing.assert_array_equal(elbo.reconstruction, [80, 100])
        np.testing.assert_array_equal(elbo.kl, [20, 8])
        np.testing.assert_array_equal(elbo.total, [80 + 20 * beta, 100 + 8 * beta])


def test_negative_elbo_gradient_weighs_the_kl():
    found = jax.grad(lambda parts: losses.negative_elbo(*parts, beta=4.0).total.sum())((jnp.ones(2), jnp.ones(2)))
    np.testing.assert_array_equal(found, [[1, 1], [4, 4]])


@pytest.mark.parametrize("shapes", [((4,), (4, 1)), ((4, 1), (4,)), ((4,), (1,)), ((4,), ()), ((4, 3), (4, 3))])
def test_negative_elbo_refuses_wrong_shapes(shapes):
    with pytest.raises(AssertionError):
        losses.negative_elbo(*(jnp.zeros(shape) for shape in shapes))


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1,)])
def test_beta_is_one_number(shape):
    with pytest.raises(AssertionError):
        losses.negative_elbo(jnp.ones(4), jnp.ones(4), beta=jnp.ones(shape))


def test_free_bits_values_and_gradient():
    kl_per_dim = jnp.array([[0.0, 0.25, 3.0], [1.0, 0.125, 0.375]])
    value, gradient = jax.value_and_grad(lambda kl: losses.free_bits(kl, minimum=0.25 + 2**-10).sum())(kl_per_dim)
    np.testing.assert_allclose(losses.free_bits(kl_per_dim, minimum=0.5), [0.5 + 0.5 + 3, 1 + 0.5 + 0.5], rtol=1e-7)
    np.testing.assert_allclose(value, 2 * (0.25 + 2**-10) + 3 + 1 + (0.25 + 2**-10) + 0.375, rtol=1e-7)
    np.testing.assert_array_equal(gradient, [[0, 0, 1], [1, 0, 1]])
    at_the_minimum = jax.grad(lambda kl: losses.free_bits(kl, minimum=0.25).sum())(kl_per_dim)
    np.testing.assert_array_equal(at_the_minimum, gradient)


def test_free_bits_of_nothing_is_the_kl():
    kl_per_dim = jnp.float32(RNG.gamma(0.5, size=(6, 4)))
    np.testing.assert_allclose(losses.free_bits(kl_per_dim, minimum=0.0), np.sum(kl_per_dim, axis=1), rtol=1e-6)


@pytest.mark.parametrize("minimum", [0.1, 0.5, 2.0])
def test_free_bits_is_at_least_the_clamp_of_the_batch_mean(minimum):
    # Kingma et al. 2016, eq. 15, one dimension a group.
    kl_per_dim = RNG.gamma(0.5, size=(50, 8))
    published = np.sum(np.maximum(np.mean(kl_per_dim, axis=0), minimum))
    assert np.mean(losses.free_bits(jnp.float32(kl_per_dim), minimum=minimum)) >= published * (1 - 1e-6)


def test_free_bits_refuses_what_it_cannot_read():
    with pytest.raises(ValueError, match="minimum must be at least 0 nats, got -0.1"):
        losses.free_bits(jnp.ones((2, 3)), minimum=-0.1)
    for shape in [(2,), ()]:
        with pytest.raises(AssertionError):
            losses.free_bits(jnp.ones(shape), minimum=0.1)


@pytest.mark.parametrize("num_samples", [1, 2, 5, 64])
@pytest.mark.parametrize("offset", [0.0, -1000.0, 1000.0])
def test_bound_is_a_log_mean_exp(num_samples, offset):
    # Weights of 784 pixels lie far from 1: exp of them is 0 or infinite even in float64.
    log_weights = np.float32(offset + 5 * RNG.normal(size=(num_samples, 6)))
    expected = special.logsumexp(log_weights.astype(np.float64), b=1 / num_samples, axis=0)
    np.testing.assert_allclose(
        losses.importance_weighted_bound(jnp.asarray(log_weights)), expected, rtol=1e-5, atol=1e-5
    )


def test_bound_of_one_sample_is_that_sample():
    log_weights = jnp.float32(RNG.normal(size=(1, 6)) * 100)
    np.testing.assert_array_equal(losses.importance_weighted_bound(log_weights), log_weights[0])


@pytest.mark.parametrize("num_samples", [2, 3, 10])
def test_bound_grows_with_the_samples(num_samples):
    # Burda et al. 2016, theorem 1, holds for every draw once averaged over the subsets that leave one sample out.
    log_weights = 3 * RNG.normal(size=(num_samples, 200))
    smaller = [
        losses.importance_weighted_bound(jnp.float32(np.delete(log_weights, left_out, axis=0)))
        for left_out in range(num_samples)
    ]
    larger = losses.importance_weighted_bound(jnp.float32(log_weights))
    assert np.all(np.mean(smaller, axis=0) <= larger + 1e-5)
    assert np.all(larger <= np.max(log_weights, axis=0) + 1e-5)


def test_bound_weighs_the_best_sample_most():
    gradient = jax.grad(lambda log_weights: losses.importance_weighted_bound(log_weights).sum())(
        jnp.log(jnp.array([[1.0], [2.0], [5.0]]))
    )
    np.testing.assert_allclose(gradient, [[1 / 8], [2 / 8], [5 / 8]], rtol=1e-6)


def test_bound_survives_a_sample_far_from_the_others():
    value, gradient = jax.value_and_grad(lambda log_weights: losses.importance_weighted_bound(log_weights).sum())(
        jnp.array([[200.0], [-200.0]])
    )
    np.testing.assert_allclose(value, 200 - np.log(2), rtol=1e-6)
    np.testing.assert_array_equal(gradient, [[1], [0]])


@pytest.mark.parametrize("wrong", [jnp.zeros(3), jnp.zeros((3, 2, 1)), jnp.zeros((3, 2), jnp.int32)])
def test_bound_refuses_wrong_arguments(wrong):
    with pytest.raises(AssertionError):
        losses.importance_weighted_bound(wrong)


def test_bfloat16_is_summed_in_float32():
    kl_per_dim = jnp.asarray(RNG.gamma(1.0, size=(3, 784)), jnp.bfloat16)
    expected = np.sum(np.maximum(np.asarray(kl_per_dim, np.float64), 0.1), axis=1)
    found = losses.free_bits(kl_per_dim, minimum=0.1)  # which is no number of bfloat16
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected, rtol=2e-6)

    log_weights = jnp.asarray(-100 + 3 * RNG.normal(size=(50, 4)), jnp.bfloat16)
    found = losses.importance_weighted_bound(log_weights)
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(
        found, special.logsumexp(np.asarray(log_weights, np.float64), b=1 / 50, axis=0), rtol=2e-6
    )
