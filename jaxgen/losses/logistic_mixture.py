"""The discretized mixture of logistics, a likelihood of whole pixels (Salimans et al. 2017, PixelCNN++)."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen._checks import check
from jaxgen.losses._reduce import keep, sum_event

_LEAST_LOG_SCALE = -7.0
_NARROW = 1e-3  # width of a level in scales below which log(1 - exp(-width)) is a series
_EDGE = 0.999  # values beyond are those of the first and the last level


def discretized_logistic_mixture_nll(
    params: jax.Array, x: jax.Array, *, num_levels: int = 256, where: jax.Array | None = None
) -> jax.Array:
    """-log p(x) under a mixture of discretized logistics for each pixel, in nats: -> [B].

    Salimans et al. 2017, section 2.1 and 2.2, with the constants of the authors' code. x in [-1, 1] has `num_levels`
    equally spaced values. For grey images, x [B, H, W, 1], params [B, H, W, 3 K] are the logits, means and log-scales
    of K components. For colour images, x [B, H, W, 3], params [B, H, W, 10 K] are K logits, then [3, 3 K] in row-major
    order: for each channel K means, K log-scales and K coefficients. Through tanh, the coefficients of red shift the
    mean of green by red, and those of green and blue shift the mean of blue by red and by green. Log-scales are at
    least -7. The mass of a level is exact however small, where the authors' code takes a density below 1e-5.

    `where` has the shape of x; a pixel of which it is false in any channel adds nothing. Raises AssertionError where
    shapes do not match or a dtype is not as expected, ValueError unless x has 1 or 3 channels, params fit them, and
    there are at least 2 levels.
    """
    mask = {} if where is None else {"where": (where, "bool [B, H, W, C]")}
    arrays = {"params": (params, "float [B, H, W, P]"), "x": (x, "float [B, H, W, C]")}
    check("discretized_logistic_mixture_nll", **arrays, **mask)
    _check_sizes(params, x.shape[-1], num_levels)

    where, params, x = keep(None if where is None else where.all(axis=-1, keepdims=True), params, x)
    mixture, x = _split(params.astype(jnp.float32), x.shape[-1]), x.astype(jnp.float32)
    means = mixture.means + _shifts(mixture.coefficients, [x[..., channel, None] for channel in range(x.shape[-1])])
    log_masses = _log_mass(x[..., None] - means, mixture.log_scales, x[..., None], 1 / (num_levels - 1))
    log_pixel = jax.nn.logsumexp(jnp.sum(log_masses, axis=-2) + jax.nn.log_softmax(mixture.logits), axis=-1)
    return sum_event(-log_pixel.reshape(x.shape[0], -1), where)


def discretized_logistic_mixture_draw(
    params: jax.Array, gumbel: jax.Array, logistic: jax.Array, *, num_levels: int = 256
) -> jax.Array:
    """A draw from the mixture of `discretized_logistic_mixture_nll`: -> x in [-1, 1], [B, ..., C].

    Standard Gumbel noise [B, ..., K] chooses the component of a pixel with params [B, ..., P], standard logistic noise
    [B, ..., C] a value of each channel, given the channels before it. Values are rounded to the nearest of the
    `num_levels`, and so have exactly the masses of the likelihood; the authors' code shifts by values before they are
    rounded. Raises as `discretized_logistic_mixture_nll`.
    """
    check(
        "discretized_logistic_mixture_draw",
        params=(params, "float [B, ..., P]"),
        gumbel=(gumbel, "float [B, ..., K]"),
        logistic=(logistic, "float [B, ..., C]"),
    )
    channels = logistic.shape[-1]
    num_components = _check_sizes(params, channels, num_levels)
    if gumbel.shape[-1] != num_components:
        raise ValueError(f"gumbel must be [B, ..., {num_components}], got shape {gumbel.shape}")

    mixture = _split(params.astype(jnp.float32), channels)
    chosen = jax.nn.one_hot(jnp.argmax(mixture.logits + gumbel, axis=-1), num_components)[..., None, :]
    means, log_scales, coefficients = (jnp.sum(chosen * part, axis=-1, keepdims=True) for part in mixture[1:])
    noise = jnp.exp(log_scales[..., 0]) * logistic.astype(jnp.float32)
    drawn: list[jax.Array] = []
    for channel in range(channels):
        shift = _shifts(coefficients, [*drawn, *[jnp.zeros_like(noise[..., :1])] * (channels - channel)])
        value = (means + shift)[..., channel, :] + noise[..., channel, None]
        level = jnp.round((jnp.clip(value, -1, 1) + 1) * (num_levels - 1) / 2)
        drawn.append(level * 2 / (num_levels - 1) - 1)
    return jnp.concatenate(drawn, axis=-1)


def logistic_mixture_mean(params: jax.Array, *, channels: int) -> jax.Array:
    """The mean of the mixture before its values are discretized: [B, ..., P] -> [B, ..., channels].

    Raises as `discretized_logistic_mixture_nll`.
    """
    check("logistic_mixture_mean", params=(params, "float [B, ..., P]"))
    _check_sizes(params, channels, 2)

    mixture = _split(params.astype(jnp.float32), channels)
    means: list[jax.Array] = []  # of each component
    for channel in range(channels):
        zeros = [jnp.zeros_like(mixture.logits)] * (channels - channel)
        means.append((mixture.means + _shifts(mixture.coefficients, [*means, *zeros]))[..., channel, :])
    return jnp.sum(jax.nn.softmax(mixture.logits)[..., None, :] * jnp.stack(means, axis=-2), axis=-1)


class _Mixture(NamedTuple):
    logits: jax.Array  # [..., K]
    means: jax.Array  # [..., C, K], before they are shifted
    log_scales: jax.Array  # [..., C, K]
    coefficients: jax.Array  # [..., C, K], in (-1, 1); of grey none is used


def _check_sizes(params: jax.Array, channels: int, num_levels: int) -> int:
    """The number of components; ValueError where sizes do not fit."""
    per_component = {1: 3, 3: 10}.get(channels)
    if per_component is None:
        raise ValueError(f"x must have 1 or 3 channels, got {channels}")
    if params.shape[-1] % per_component:
        raise ValueError(f"params must have {per_component} K values a pixel, got {params.shape[-1]}")
    if num_levels < 2:
        raise ValueError(f"num_levels must be at least 2, got {num_levels}")
    return params.shape[-1] // per_component


def _split(params: jax.Array, channels: int) -> _Mixture:
    if channels == 1:
        logits, means, log_scales = jnp.split(params[..., None, :], 3, axis=-1)
        return _Mixture(logits[..., 0, :], means, jnp.maximum(log_scales, _LEAST_LOG_SCALE), jnp.zeros_like(means))
    num = params.shape[-1] // 10
    logits, rest = params[..., :num], params[..., num:].reshape(*params.shape[:-1], channels, 3 * num)
    means, log_scales, coefficients = jnp.split(rest, 3, axis=-1)
    return _Mixture(logits, means, jnp.maximum(log_scales, _LEAST_LOG_SCALE), jnp.tanh(coefficients))


def _shifts(coefficients: jax.Array, x: Sequence[jax.Array]) -> jax.Array:
    """How far the values of the channels before it, [..., 1 or K] each, shift the means of each: -> [..., C, K]."""
    if len(x) == 1:
        return jnp.zeros_like(coefficients)
    of_green, of_blue_by_red, of_blue_by_green = jnp.moveaxis(coefficients, -2, 0)
    red, green, _ = x
    shifts = jnp.zeros_like(of_green), of_green * red, of_blue_by_red * red + of_blue_by_green * green
    return jnp.stack(shifts, axis=-2)


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
