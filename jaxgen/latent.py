"""Linear algebra in a latent space: centroids, directions between classes, walks and interpolation.

Codes are [B, Z] (or [N, Z] for a data set), a single code [1, Z]; all functions raise AssertionError for other ranks
and sizes. Walks have their steps as the first axis, so that a decoder under `vmap`,
or applied to the reshaped [A B, Z], decodes all of them in one call.
"""

import operator

import jax
import jax.numpy as jnp

from jaxgen._checks import check


def class_centroids(z: jax.Array, y: jax.Array, num_classes: int) -> jax.Array:
    """The mean code of each class: [N, Z], integers [N] in 0..K-1 -> [K, Z].

    A class without examples has a row of NaN; labels outside the range are ignored. Raises AssertionError where ranks
    or lengths do not match, ValueError unless `num_classes` is positive.
    """
    check("class_centroids", z=(z, "float [N, Z]"), y=(y, "int [N]"))
    if num_classes < 1:
        raise ValueError(f"num_classes must be positive, got {num_classes}")

    totals = jax.ops.segment_sum(z.astype(jnp.float32), y, num_classes)
    counts = jax.ops.segment_sum(jnp.ones(len(y), jnp.float32), y, num_classes)
    return totals / counts[:, None]


def direction(centroids: jax.Array, source: int | jax.Array, target: int | jax.Array) -> jax.Array:
    """centroid[target] - centroid[source], the direction from one class to another: [K, Z] -> [Z].

    Raises ValueError unless both are in 0..K-1. A traced index, which cannot be checked, gives NaN outside the range.
    """
    check("direction", centroids=(centroids, "number [K, Z]"))

    return _centroid("target", centroids, target) - _centroid("source", centroids, source)


def _centroid(name: str, centroids: jax.Array, index: int | jax.Array) -> jax.Array:
    # Indexing clamps by default: class 10 of 10 would silently be class 9.
    if not isinstance(index, jax.Array) and not 0 <= operator.index(index) < len(centroids):
        raise ValueError(f"{name} must be one of the {len(centroids)} classes 0..{len(centroids) - 1}, got {index}")
    return jnp.asarray(centroids).at[index].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)


def pairwise_directions(centroids: jax.Array) -> jax.Array:
    """centroid[a] - centroid[b] for all pairs a < b, in the order (0, 1), (0, 2), ...: [K, Z] -> [K (K - 1) / 2, Z]."""
    check("pairwise_directions", centroids=(centroids, "number [K, Z]"))

    first, second = jnp.triu_indices(len(centroids), k=1)
    return jax.vmap(jnp.subtract)(centroids[first], centroids[second])


def walk(z: jax.Array, direction: jax.Array, alphas: jax.Array) -> jax.Array:
    """z + alpha direction for each alpha: [B, Z], [Z], [A] -> [A, B, Z]."""
    check("walk", z=(z, "number [B, Z]"), direction=(direction, "number [Z]"), alphas=(alphas, "number [A]"))

    return jax.vmap(lambda alpha: z + alpha * direction[None])(alphas)


def interpolate(z_start: jax.Array, z_end: jax.Array, weights: jax.Array) -> jax.Array:
    """(1 - weight) z_start + weight z_end for each weight: [B, Z], [B, Z], [A] -> [A, B, Z]."""
    _check_ends("interpolate", z_start, z_end, weights)

    return jax.vmap(lambda weight: (1 - weight) * z_start + weight * z_end)(weights)


def _check_ends(function: str, z_start: jax.Array, z_end: jax.Array, weights: jax.Array) -> None:
    codes = {"z_start": (z_start, "number [B, Z]"), "z_end": (z_end, "number [B, Z]")}
    check(function, **codes, weights=(weights, "number [A]"))


def slerp(z_start: jax.Array, z_end: jax.Array, weights: jax.Array) -> jax.Array:
    """Spherical interpolation, along the great circle: [B, Z], [B, Z], [A] -> [A, B, Z].

    White 2016 ("Sampling generative networks"), section 3. Between codes of equal norm it keeps the norm, near which
    the mass of a Gaussian prior lies, while a straight line passes through the empty middle. Parallel codes are
    interpolated linearly, and so are a zero code and opposite codes, for which the great circle is undefined. The
    derivative with respect to a zero code or to opposite codes does not exist, and is 0.
    """
    _check_ends("slerp", z_start, z_end, weights)

    def between(start: jax.Array, end: jax.Array, weight: jax.Array) -> jax.Array:
        (unit_start, zero_start), (unit_end, zero_end) = _unit(start), _unit(end)
        # The half-angle form is accurate for small angles, where arccos of the inner product loses half of its digits.
        sine, cosine = (jnp.sum(jnp.square(unit_end + sign * unit_start)) / 4 for sign in (-1, 1))  # squared
        # Within 2e-6 of opposite codes the great circle is determined by rounding alone.
        opposite = cosine < 1e-12
        straight = zero_start | zero_end | opposite | (sine < 2.5e-9)  # an angle of 1e-4
        # Both branches of where are differentiated, and the root has an infinite slope at 0.
        sine, cosine = (jnp.sqrt(jnp.where(straight, 0.5, square)) for square in (sine, cosine))
        angle, sine = 2 * jnp.arctan2(sine, cosine), 2 * sine * cosine
        near = jnp.where(straight, 1 - weight, jnp.sin((1 - weight) * angle) / sine)
        far = jnp.where(straight, weight, jnp.sin(weight * angle) / sine)
        start = jnp.where(zero_start | opposite, jax.lax.stop_gradient(start), start)
        end = jnp.where(zero_end | opposite, jax.lax.stop_gradient(end), end)
        return near * start + far * end

    over_examples = jax.vmap(between, in_axes=(0, 0, None))
    return jax.vmap(over_examples, in_axes=(None, None, 0))(z_start, z_end, weights)


def _unit(code: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The normalised code, and whether the code is zero: [Z] -> [Z], []. Any unit vector for a zero code."""
    code = code.astype(jnp.promote_types(code.dtype, jnp.float32))
    largest = jax.lax.stop_gradient(jnp.max(jnp.abs(code)))
    is_zero = largest == 0
    # Scaled first: squares of large values overflow, squares of tiny ones underflow.
    scaled = jnp.where(is_zero, 1, code / jnp.where(is_zero, 1, largest))
    return scaled / jnp.sqrt(jnp.sum(jnp.square(scaled))), is_zero
