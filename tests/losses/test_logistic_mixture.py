"""The discretized mixture of logistics against float64 NumPy: values, gradients, mass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

from jaxgen import losses

RNG = np.random.default_rng(5)
K = 3


def log_mass(x, mean, log_scale, levels):
    """By the logistic's distribution function in float64."""
    half, scale = 1 / (levels - 1), np.exp(np.maximum(log_scale, -7))
    upper = np.where(x > 0.999, 1.0, special.expit((x - mean + half) / scale))
    lower = np.where(x < -0.999, 0.0, special.expit((x - mean - half) / scale))
    return np.log(upper - lower)


def oracle(params, x, levels=256):
    """A pixel and a channel at a time."""
    total = np.zeros(len(x))
    for b, h, w in np.ndindex(x.shape[:3]):
        pixel, row = x[b, h, w], params[b, h, w]
        joint = special.log_softmax(row[:K])
        rest = row[K:].reshape(len(pixel), -1)
        for channel in range(len(pixel)):
            mean = rest[channel, :K].copy()
            if channel == 1:
                mean += np.tanh(rest[0, 2 * K :]) * pixel[0]
            if channel == 2:
                mean += np.tanh(rest[1, 2 * K :]) * pixel[0] + np.tanh(rest[2, 2 * K :]) * pixel[1]
            joint = joint + log_mass(pixel[channel], mean, rest[channel, K : 2 * K], levels)
        total[b] -= special.logsumexp(joint)
    return total


def case(channels, levels=256):
    """Parameters whose levels have masses above the fallback's, and values that include both ends."""
    params = RNG.normal(size=(2, 2, 3, (3 if channels == 1 else 10) * K))
    params[..., K:] *= 0.5
    x = RNG.integers(0, levels, (2, 2, 3, channels)) * 2 / (levels - 1) - 1
    x[0, 0, 0], x[0, 0, 1] = -1, 1
    return params, x


@pytest.mark.parametrize(("channels", "levels"), [(1, 256), (1, 2), (3, 256), (3, 32)])
def test_values_are_those_of_float64(channels, levels):
    params, x = case(channels, levels)
    found = losses.discretized_logistic_mixture_nll(jnp.float32(params), jnp.float32(x), num_levels=levels)
    # Each of 6 pixels sums `channels` logs of size 10, rounded to 6e-8 of it.
    np.testing.assert_allclose(found, oracle(params, x, levels), atol=6 * channels * 1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_gradients_are_those_of_float64(channels):
    params, x = case(channels)
    x *= 0.99  # no kink at an end
    loss = lambda params: jnp.sum(losses.discretized_logistic_mixture_nll(params, jnp.float32(x)))  # noqa: E731
    found = jax.grad(loss)(jnp.float32(params))
    flat = optimize.approx_fprime(params.ravel(), lambda flat: oracle(flat.reshape(params.shape), x).sum(), 1e-6)
    np.testing.assert_allclose(found, flat.reshape(params.shape), atol=1e-3)


@pytest.mark.parametrize("log_scale", [-9.0, -5.0, -2.0, 1.0, 4.0])
def test_the_masses_of_all_levels_of_all_channels_sum_to_one(log_scale):
    params = RNG.normal(size=(3, 3 * K))
    params[:, 2 * K :] = log_scale
    levels = np.linspace(-1, 1, 256, dtype=np.float32).reshape(256, 1, 1, 1)
    for row in jnp.float32(params):
        nll = losses.discretized_logistic_mixture_nll(jnp.broadcast_to(row, (256, 1, 1, 3 * K)), levels)
        np.testing.assert_allclose(np.exp(-np.float64(nll)).sum(), 1, atol=1e-3)
    # Of colour: with 4 levels a channel, over all 64 colours.
    colour = jnp.float32(RNG.normal(size=10 * K)).at[K:].multiply(0.5)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 4)] * 3), axis=-1).reshape(64, 1, 1, 3)
    every = jnp.broadcast_to(colour, (64, 1, 1, 10 * K))
    nll = losses.discretized_logistic_mixture_nll(every, jnp.float32(grid), num_levels=4)
    np.testing.assert_allclose(np.exp(-np.float64(nll)).sum(), 1, atol=1e-3)


def test_an_unlikely_level_keeps_a_finite_value_and_gradient():
    params = jnp.zeros((1, 1, 1, 3)).at[..., 1].set(0.9).at[..., 2].set(-7.0)
    x = jnp.full((1, 1, 1, 1), -0.5)
    value, gradient = jax.value_and_grad(lambda params: losses.discretized_logistic_mixture_nll(params, x)[0])(params)
    # In the tail the distribution function is exp((x - mean) / scale).
    upper, width = (-1.4 + 1 / 255) * np.exp(7), 2 / 255 * np.exp(7)
    np.testing.assert_allclose(value, -upper - np.log(-np.expm1(-width)), rtol=1e-5)
    np.testing.assert_allclose(gradient[0, 0, 0, 1], np.exp(7), rtol=1e-4)


@pytest.mark.parametrize(
    ("params", "x", "levels", "says"),
    [((2, 4, 4, 9), (2, 4, 4, 2), 256, "1 or 3 channels"), ((2, 4, 4, 9), (2, 4, 4, 3), 256, "10 K values"),
     ((2, 4, 4, 9), (2, 4, 4, 1), 1, "at least 2")],
)  # fmt: skip
def test_shapes_that_do_not_fit(params, x, levels, says):
    with pytest.raises(ValueError, match=says):
        losses.discretized_logistic_mixture_nll(jnp.zeros(params), jnp.zeros(x), num_levels=levels)
