"""The discretized mixture of logistics, a likelihood of whole pixels (Salimans et al. 2017, PixelCNN++)."""

import math

import jax
import jax.numpy as jnp

from jaxgen._checks import check
from jaxgen.losses._reduce import sum_event

_LEAST_LOG_SCALE = -7.0
_NARROW = 1e-3  # width of a level in scales below which log(1 - exp(-width)) is a series
_EDGE = 0.999  # values beyond are those of the first and the last level


def discretized_logistic_mixture_nll(params: jax.Array, x: jax.Array, *, num_levels: int = 256) -> jax.Array:
    """-log p(x) under a mixture of discretized logistics for each pixel, in nats: -> [B].

    Salimans et al. 2017, section 2.1 and 2.2, with the constants of the authors' code. x in [-1, 1] has `num_levels`
    equally spaced values. For grey images, x [B, H, W, 1], params [B, H, W, 3 K] are the logits, means and log-scales
    of K components. For colour images, x [B, H, W, 3], params [B, H, W, 10 K] are K logits, then [3, 3 K] in row-major
    order: for each channel K means, K log-scales and K coefficients. Through tanh, the coefficients of red shift the
    mean of green by red, and those of green and blue shift the mean of blue by red and by green. Log-scales are at
    least -7. The mass of a level is exact however small, where the authors' code takes a density below 1e-5.

    Raises AssertionError where shapes do not match or a dtype is not floating, ValueError unless x has 1 or 3 channels,
    params fit them, and there are at least 2 levels.
    """
    check("discretized_logistic_mixture_nll", params=(params, "float [B, H, W, P]"), x=(x, "float [B, H, W, C]"))
    channels = x.shape[-1]
    per_component = {1: 3, 3: 10}.get(channels)
    if per_component is None:
        raise ValueError(f"x must have 1 or 3 channels, got shape {x.shape}")
    if params.shape[-1] % per_component:
        raise ValueError(f"params must have {per_component} K values a pixel, got {params.shape[-1]}")
    if num_levels < 2:
        raise ValueError(f"num_levels must be at least 2, got {num_levels}")

    logits, means, log_scales = _components(params.astype(jnp.float32), x.astype(jnp.float32))
    log_masses = _log_mass(x.astype(jnp.float32)[..., None] - means, log_scales, x[..., None], 1 / (num_levels - 1))
    log_pixel = jax.nn.logsumexp(jnp.sum(log_masses, axis=-2) + jax.nn.log_softmax(logits), axis=-1)
    return sum_event(-log_pixel.reshape(len(x), -1))


def _components(params: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Logits [B, H, W, K], means and log-scales [B, H, W, C, K], the means given the channels before."""
    if x.shape[-1] == 1:
        logits, means, log_scales = jnp.split(params[..., None, :], 3, axis=-1)
        return logits[..., 0, :], means, jnp.maximum(log_scales, _LEAST_LOG_SCALE)
    num = params.shape[-1] // 10
    logits, rest = params[..., :num], params[..., num:].reshape(*x.shape, 3 * num)
    means, log_scales, coefficients = jnp.split(rest, 3, axis=-1)
    red, green = x[..., 0, None], x[..., 1, None]
    of_green, of_blue_by_red, of_blue_by_green = jnp.moveaxis(jnp.tanh(coefficients), -2, 0)
    shifts = [jnp.zeros_like(of_green), of_green * red, of_blue_by_red * red + of_blue_by_green * green]
    return logits, means + jnp.stack(shifts, axis=-2), jnp.maximum(log_scales, _LEAST_LOG_SCALE)


def _log_mass(centered: jax.Array, log_scales: jax.Array, x: jax.Array, half_bin: float) -> jax.Array:
    """log of the mass of the level of x, whose distance from the mean is `centered`."""
    precision = jnp.exp(-log_scales)
    below = jax.nn.log_sigmoid(precision * (half_bin + centered))
    above = jax.nn.log_sigmoid(precision * (half_bin - centered))
    # sigmoid(u) - sigmoid(l) = sigmoid(u) sigmoid(-l) (1 - exp(l - u)): no difference of nearly equal numbers.
    width = 2 * half_bin * precision
    wide = jnp.log(-jnp.expm1(-jnp.maximum(width, _NARROW)))
    narrow = math.log(2 * half_bin) - log_scales - 0.5 * width  # the next term is width^2 / 24
    inner = below + above + jnp.where(width > _NARROW, wide, narrow)
    return jnp.where(x < -_EDGE, below, jnp.where(x > _EDGE, above, inner))
