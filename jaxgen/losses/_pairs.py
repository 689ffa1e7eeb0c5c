"""What estimates of MMD^2 share: squared distances of pairs, and the unbiased estimate from sums over pairs."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class PairSums(NamedTuple):
    """A kernel summed over pairs of points, each point with itself left out."""

    #: Over pairs within the first set, [].
    xx: jax.Array
    #: Over pairs within the second set, [].
    yy: jax.Array
    #: Over pairs between the sets, [].
    xy: jax.Array


def unbiased(sums: PairSums, n: int, m: int) -> jax.Array:
    """MMD^2 of sets of n and m points, []: Gretton et al. 2012, eq. 3."""
    # One division after the other, as n^2 need not fit an int32.
    return sums.xx / n / (n - 1) + sums.yy / m / (m - 1) - 2 * (sums.xy / n / m)


def squared_distances(a: jax.Array, b: jax.Array) -> jax.Array:
    """||a_i - b_j||^2 from inner products: [A, Z], [M, Z] -> [A, M]."""
    # On accelerators the default precision of a product has too few digits for a difference of large terms.
    inner = jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)
    squares_a, squares_b = jnp.sum(jnp.square(a), axis=1), jnp.sum(jnp.square(b), axis=1)
    # Between near-duplicates rounding can leave less than nothing.
    return jnp.maximum(squares_a[:, None] + squares_b[None, :] - 2 * inner, 0)
