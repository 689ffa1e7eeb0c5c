"""The discretized mixture of logistics against float64 NumPy: values, gradients, mass."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special

from jaxgen import likelihood, losses

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


def test_missing_pixels_add_nothing_to_value_or_gradient():
    params, x = (jnp.float32(array) for array in case(3))
    where = np.ones(x.shape, bool)
    where[0, 1, 2, 1] = where[1, 0] = False  # one channel of a pixel, and a row
    loss = lambda params, x, where: losses.discretized_logistic_mixture_nll(params, x, where=where)  # noqa: E731
    seen = jnp.where(where, x, jnp.nan)
    value, gradient = jax.jit(jax.value_and_grad(lambda params: loss(params, seen, where).sum()))(params)
    pixels = where.all(axis=-1)
    alone = jax.jit(lambda params, x: loss(params, x, None))(params[pixels][:, None, None], x[pixels][:, None, None])
    np.testing.assert_allclose(value, alone.sum(), rtol=1e-5)
    np.testing.assert_array_equal(np.abs(gradient).sum(axis=-1) > 0, pixels)


@pytest.mark.parametrize(("channels", "levels"), [(1, 8), (3, 3)])
def test_draws_have_the_masses_of_the_likelihood(channels, levels):
    family = likelihood.logistic_mixture(channels, K, levels)
    num, params = 40_000, jnp.float32(RNG.normal(size=family.parameters)).at[:K].multiply(0.5)
    grid = np.stack(np.meshgrid(*[np.arange(levels)] * channels, indexing="ij"), axis=-1).reshape(-1, 1, 1, channels)
    each = jnp.broadcast_to(params, (len(grid), 1, 1, *params.shape))
    masses = np.exp(-np.float64(jax.jit(family.nll)(each, jnp.float32(grid / (levels - 1)))))
    np.testing.assert_allclose(masses.sum(), 1, rtol=1e-5)
    draws = np.asarray(jax.jit(family.draw)(jax.random.key(0), jnp.broadcast_to(params, (num, *params.shape))))
    index = np.round(draws * (levels - 1)).astype(int)
    np.testing.assert_allclose(draws, index / (levels - 1), atol=2e-7)
    found = np.bincount(index @ levels ** np.arange(channels)[::-1], minlength=len(grid)) / num
    # 5 standard deviations of each of at most 27 counts, and the half a draw by which a count is a whole number.
    assert (np.abs(found - masses) < 5 * np.sqrt(masses * (1 - masses) / num) + 0.5 / num).all()
    assert (masses > 0.01).sum() > 5


@pytest.mark.parametrize("channels", [1, 3])
def test_the_mean_is_that_of_fine_levels(channels):
    family = likelihood.logistic_mixture(channels, K, 1024)
    params = jnp.float32(0.3 * RNG.normal(size=family.parameters))
    scales = params[K:].reshape(channels, -1)[:, K : 2 * K]
    narrow = params[K:].reshape(channels, -1).at[:, K : 2 * K].set(scales - 3.5)  # few draws beyond an end
    params = jnp.concatenate([params[:K], narrow.reshape(-1)])
    num = 40_000
    draws = np.float64(jax.jit(family.draw)(jax.random.key(1), jnp.broadcast_to(params, (num, *params.shape))))
    margin = 5 * draws.std(axis=0) / np.sqrt(num) + 1e-4
    np.testing.assert_array_less(np.abs(draws.mean(axis=0) - family.mean(params[None])[0]), margin)


def test_a_likelihood_of_pixels_has_bounds():
    for channels, levels in ((2, 256), (3, 1)):
        with pytest.raises(ValueError, match="channels must be 1 or 3 and levels at least 2"):
            likelihood.logistic_mixture(channels, levels=levels)
    with pytest.raises(ValueError, match="gumbel must be"):
        losses.discretized_logistic_mixture_draw(jnp.zeros((2, 9)), jnp.zeros((2, 2)), jnp.zeros((2, 1)))
