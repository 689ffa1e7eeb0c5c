"""A kernel of the squared distances between two sets of points."""

from collections.abc import Callable

import chex
import jax
import jax.numpy as jnp

Kernel = Callable[[jax.Array], jax.Array]

# Rounding can leave nothing or less between near-duplicates, where a kernel of the distance itself has an infinite
# slope: times the 0 of a clipped distance, or of a pair that is left out, it would be nan.
_LEAST = 1e-30


def kernel_matrix(a: jax.Array, b: jax.Array, kernel: Kernel) -> jax.Array:
    """k(|a_i - b_j|^2): [N, Z], [M, Z] -> [N, M].

    The points lie about the origin: far from it, squares less an inner product lose the digits of a distance.
    """
    # On accelerators the default precision of a product has too few digits for a difference of large terms.
    inner = jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)
    squares_a, squares_b = jnp.sum(jnp.square(a), axis=1), jnp.sum(jnp.square(b), axis=1)
    return kernel_of(jnp.maximum(squares_a[:, None] + squares_b[None, :] - 2 * inner, _LEAST), kernel)


def kernel_of(d2: jax.Array, kernel: Kernel) -> jax.Array:
    """k(d2): [...] -> [...]. Raises AssertionError unless the kernel keeps the shape and gives floats."""
    values = kernel(d2)
    chex.assert_shape(values, d2.shape)
    chex.assert_type(values, float)
    return values
