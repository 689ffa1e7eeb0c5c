"""Monotonic functions of one value, whose parameters a network predicts for each value.

A function takes parameters `[..., P]` and x [...] and returns z [...] and the logarithm of its slope [...].
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

Transform = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]

_LEAST = 1e-3  # smallest share of a bin, and smallest slope at a knot


class Elementwise(NamedTuple):
    """A monotonic function and its inverse, the identity at parameters of zero."""

    #: Number of parameters of a value, P.
    num_parameters: int
    #: (parameters, x) -> (z, log dz/dx).
    forward: Transform
    #: (parameters, z) -> (x, log dx/dz).
    inverse: Transform


def affine(max_log_scale: float = 5.0) -> Elementwise:
    """z = (x - shift) exp(-log_scale), with parameters (shift, log_scale) (Papamakarios et al. 2017, eq. 3 and 5).

    A tanh bounds the log-scale by `max_log_scale`, so that z stays finite far from the data; below a third of the bound
    it changes it by less than 4 %.
    """

    def split(parameters: jax.Array) -> tuple[jax.Array, jax.Array]:
        return parameters[..., 0], max_log_scale * jnp.tanh(parameters[..., 1] / max_log_scale)

    def forward(parameters: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        shift, log_scale = split(parameters)
        return (x - shift) * jnp.exp(-log_scale), -log_scale

    def inverse(parameters: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        shift, log_scale = split(parameters)
        return z * jnp.exp(log_scale) + shift, log_scale

    return Elementwise(2, forward, inverse)


def rational_quadratic(num_bins: int, bound: float) -> Elementwise:
    """Monotonic rational-quadratic spline on [-bound, bound], the identity outside (Durkan et al. 2019, section 3.1).

    The parameters are the widths and heights of K bins, and the slopes at the K - 1 inner knots.
    """

    def forward(parameters: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        inside = jnp.abs(x) < bound
        # Both branches of where are differentiated.
        x_inside = jnp.where(inside, x, 0)
        knots = _knots(parameters, num_bins, bound)
        left, width, bottom, height, slope, slope_right = _bin(*knots, x_inside, knots[0])
        z, log_slope = _evaluate((x_inside - left) / width, width, bottom, height, slope, slope_right)
        return jnp.where(inside, z, x), jnp.where(inside, log_slope, 0)

    def inverse(parameters: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        inside = jnp.abs(z) < bound
        z_inside = jnp.where(inside, z, 0)
        knots = _knots(parameters, num_bins, bound)
        left, width, bottom, height, slope, slope_right = _bin(*knots, z_inside, knots[1])
        # Eq. 6 to 8: the root of a quadratic, in the form without cancellation.
        rise, mean_slope = z_inside - bottom, height / width
        bend = slope_right + slope - 2 * mean_slope
        a, b, c = height * (mean_slope - slope) + rise * bend, height * slope - rise * bend, -mean_slope * rise
        discriminant = jnp.maximum(jnp.square(b) - 4 * a * c, jnp.finfo(z.dtype).tiny)
        share = 2 * c / (-b - jnp.sqrt(discriminant))
        log_slope = _evaluate(share, width, bottom, height, slope, slope_right)[1]
        return jnp.where(inside, left + share * width, z), jnp.where(inside, -log_slope, 0)

    return Elementwise(3 * num_bins - 1, forward, inverse)


def _knots(parameters: jax.Array, num_bins: int, bound: float) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The knots' x, z and slopes, [..., K + 1] each."""
    widths, heights, slopes = jnp.split(parameters, [num_bins, 2 * num_bins], axis=-1)

    def edges(logits: jax.Array) -> jax.Array:
        shares = _LEAST + (1 - num_bins * _LEAST) * jax.nn.softmax(logits)
        inner = jnp.cumsum(shares[..., :-1], axis=-1)
        ends = jnp.zeros_like(shares[..., :1])
        return bound * (2 * jnp.concatenate([ends, inner, ends + 1], axis=-1) - 1)

    at_zero = jnp.log(jnp.expm1(jnp.asarray(1 - _LEAST, slopes.dtype)))  # softplus of which is a slope of 1
    inner = _LEAST + jax.nn.softplus(slopes + at_zero)
    ones = jnp.ones_like(slopes[..., :1])
    return edges(widths), edges(heights), jnp.concatenate([ones, inner, ones], axis=-1)


def _bin(x: jax.Array, z: jax.Array, slopes: jax.Array, value: jax.Array, edges: jax.Array) -> tuple[jax.Array, ...]:
    """The bin of each value among the edges: its left, width, bottom, height, and slopes at both ends, [...] each."""
    index = jnp.sum(value[..., None] >= edges[..., 1:-1], axis=-1, keepdims=True, dtype=jnp.int32)

    def at(knots: jax.Array, offset: int = 0) -> jax.Array:
        return jnp.take_along_axis(knots, index + offset, axis=-1)[..., 0]

    return at(x), at(x, 1) - at(x), at(z), at(z, 1) - at(z), at(slopes), at(slopes, 1)


def _evaluate(
    share: jax.Array, width: jax.Array, bottom: jax.Array, height: jax.Array, slope: jax.Array, slope_right: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """The spline at a share of a bin's width, and the logarithm of its slope (eq. 4 and 5)."""
    mean_slope, between = height / width, share * (1 - share)
    denominator = mean_slope + (slope_right + slope - 2 * mean_slope) * between
    z = bottom + height * (mean_slope * jnp.square(share) + slope * between) / denominator
    numerator = slope_right * jnp.square(share) + 2 * mean_slope * between + slope * jnp.square(1 - share)
    return z, 2 * jnp.log(mean_slope) + jnp.log(numerator) - 2 * jnp.log(denominator)
