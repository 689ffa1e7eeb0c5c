"""Linear algebra in a latent space: centroids, directions between classes, walks and interpolation.

Codes are [B, Z] (or [N, Z] of a data set). What is returned has the walk's axis first, so that a decoder under
`vmap`, or applied to the reshaped [A B, Z], makes all images in one call.
"""

import chex
import jax
import jax.numpy as jnp


def class_centroids(z: jax.Array, y: jax.Array, num_classes: int) -> jax.Array:
    """The mean code of each class: [N, Z], integers [N] in 0..K-1 -> [K, Z].

    A class without examples is a row of NaN, for the caller to refuse; a y outside the range counts nowhere. Raises
    AssertionError where ranks or lengths do not fit.
    """
    chex.assert_rank([z, y], [2, 1])
    chex.assert_equal_shape_prefix([z, y], 1)
    chex.assert_type([z, y], [float, int])

    totals = jax.ops.segment_sum(z.astype(jnp.float32), y, num_classes)
    counts = jax.ops.segment_sum(jnp.ones(len(y)), y, num_classes)
    return totals / counts[:, None]


def direction(centroids: jax.Array, source: int, target: int) -> jax.Array:
    """centroid[target] - centroid[source], which leads from one class to the other: [K, Z] -> [Z]."""
    chex.assert_rank(centroids, 2)

    return centroids[target] - centroids[source]


def pairwise_directions(centroids: jax.Array) -> jax.Array:
    """centroid[a] - centroid[b] for all pairs a < b, in the order (0, 1), (0, 2), ...: [K, Z] -> [K (K - 1) / 2, Z]."""
    chex.assert_rank(centroids, 2)

    first, second = jnp.triu_indices(len(centroids), k=1)
    return jax.vmap(jnp.subtract)(centroids[first], centroids[second])


def walk(z: jax.Array, direction: jax.Array, alphas: jax.Array) -> jax.Array:
    """Z + alpha direction for every alpha: [B, Z], [Z], [A] -> [A, B, Z]."""
    chex.assert_rank([z, direction, alphas], [2, 1, 1])
    chex.assert_equal(z.shape[1], len(direction))

    return jax.vmap(lambda alpha: z + alpha * direction[None])(alphas)


def interpolate(z_start: jax.Array, z_end: jax.Array, weights: jax.Array) -> jax.Array:
    """(1 - weight) z_start + weight z_end for every weight: [B, Z], [B, Z], [A] -> [A, B, Z]."""
    chex.assert_rank([z_start, z_end, weights], [2, 2, 1])
    chex.assert_equal_shape([z_start, z_end])

    return jax.vmap(lambda weight: (1 - weight) * z_start + weight * z_end)(weights)


def slerp(z_start: jax.Array, z_end: jax.Array, weights: jax.Array) -> jax.Array:
    """Interpolation along the great circle: [B, Z], [B, Z], [A] -> [A, B, Z].

    White 2016 ("Sampling generative networks"), section 3. Between codes of equal norm it keeps that norm, as the mass
    of a Gaussian prior does, where the straight line cuts through the empty middle. Parallel codes are interpolated
    linearly, as is a code of zeros; opposite ones have no one great circle, and the result is then not to be used.
    """
    chex.assert_rank([z_start, z_end, weights], [2, 2, 1])
    chex.assert_equal_shape([z_start, z_end])

    def between(start: jax.Array, end: jax.Array, weight: jax.Array) -> jax.Array:
        norm_start, norm_end = jnp.linalg.norm(start), jnp.linalg.norm(end)
        no_circle = (norm_start == 0) | (norm_end == 0)
        unit_start, unit_end = start / jnp.where(no_circle, 1, norm_start), end / jnp.where(no_circle, 1, norm_end)
        # The half-angle form keeps its digits for small angles, where arccos of the inner product loses half of them.
        angle = 2 * jnp.arctan2(jnp.linalg.norm(unit_end - unit_start), jnp.linalg.norm(unit_end + unit_start))
        straight = no_circle | (angle < 1e-4)
        sine = jnp.sin(jnp.where(straight, 1.0, angle))
        near = jnp.where(straight, 1 - weight, jnp.sin((1 - weight) * angle) / sine)
        far = jnp.where(straight, weight, jnp.sin(weight * angle) / sine)
        return near * start + far * end

    over_examples = jax.vmap(between, in_axes=(0, 0, None))
    return jax.vmap(over_examples, in_axes=(None, None, 0))(z_start, z_end, weights)
