"""Sums of a kernel over the pairs of two sets, in blocks of rows, and the unbiased MMD^2 from them."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen._checks import check

#: (rows [A, Z], columns [M, Z]) -> the kernel of each pair [A, M]; the columns are a whole set.
Gram = Callable[[jax.Array, jax.Array], jax.Array]
#: A function of squared distances, [...] -> [...].
Kernel = Callable[[jax.Array], jax.Array]
#: A function of two points, [Z], [Z] -> [].
PairKernel = Callable[[jax.Array, jax.Array], jax.Array]

# Rounding can make the squared distance of near-duplicates 0 or negative. There a kernel of the distance itself has an
# infinite slope, and infinity times the zero gradient of a clipped or masked pair is nan.
_LEAST = 1e-30


class PairSums(NamedTuple):
    """Sums of a kernel over pairs of distinct points."""

    #: Over pairs within the first set, [].
    xx: jax.Array
    #: Over pairs within the second set, [].
    yy: jax.Array
    #: Over pairs between the sets, [].
    xy: jax.Array


def unbiased_mmd(sums: PairSums, n: int, m: int) -> jax.Array:
    """Unbiased MMD^2 of sets of n and m points (Gretton et al. 2012, eq. 3): sums of [] -> []."""
    # Two divisions, since n^2 may overflow int32.
    return sums.xx / n / (n - 1) + sums.yy / m / (m - 1) - 2 * (sums.xy / n / m)


def pair_sums(gram: Gram, x: jax.Array, y: jax.Array, block_size: int) -> PairSums:
    """The three sums, at most `block_size` rows of a Gram matrix at a time: [N, Z], [M, Z] -> PairSums of []."""
    return PairSums(
        xx=_sum_over_pairs(gram, x, jnp.arange(len(x)), x, block_size),
        yy=_sum_over_pairs(gram, y, jnp.arange(len(y)), y, block_size),
        xy=_sum_over_pairs(gram, x, jnp.full(len(x), -1), y, block_size),
    )


def squared_distances(a: jax.Array, b: jax.Array) -> jax.Array:
    """Squared distances ||a_i - b_j||^2 from inner products, made positive: [A, Z], [M, Z] -> [A, M]."""
    # The default precision of accelerators is too low for a difference of large terms.
    inner = jnp.matmul(a, b.T, precision=jax.lax.Precision.HIGHEST)
    squares_a, squares_b = jnp.sum(jnp.square(a), axis=1), jnp.sum(jnp.square(b), axis=1)
    return jnp.maximum(squares_a[:, None] + squares_b[None, :] - 2 * inner, _LEAST)


def evaluate_kernel(d2: jax.Array, kernel: Kernel) -> jax.Array:
    """k(d2): [...] -> [...]. Raises AssertionError unless the kernel returns floats of the same shape."""
    values = kernel(d2)
    check("kernel", d2=(d2, "float [...]"), **{"kernel(d2)": (values, "float [...]")})
    return values


def evaluate_pair_kernel(rows: jax.Array, columns: jax.Array, kernel: PairKernel) -> jax.Array:
    """k(row_i, column_j): [A, Z], [M, Z] -> [A, M]. Raises AssertionError unless k of two points is a float []."""

    def pair(row: jax.Array, column: jax.Array) -> jax.Array:
        value = kernel(row, column)
        check("pair_kernel", **{"pair_kernel(x, y)": (value, "float []")})
        return value

    return jax.vmap(jax.vmap(pair, in_axes=(None, 0)), in_axes=(0, None))(rows, columns)


def _sum_over_pairs(gram: Gram, a: jax.Array, twin: jax.Array, b: jax.Array, block_size: int) -> jax.Array:
    """Sum of k(a_i, b_j) over i and j != twin_i: [N, Z], [N], [M, Z] -> []."""

    def row_sums(rows: tuple[jax.Array, jax.Array]) -> jax.Array:
        # Masked, not subtracted afterwards: the rounded distance of a point to itself must not enter value or gradient.
        itself = rows[1][:, None] == jnp.arange(len(b))[None, :]
        return jnp.sum(jnp.where(itself, 0, gram(rows[0], b)), axis=1)

    num_blocks = math.ceil(len(a) / block_size)
    if num_blocks == 1:
        return jnp.sum(row_sums((a, twin)))

    # Blocks are recomputed in the backward pass: saving their derivatives would take the memory of the Gram matrix.
    filling = -len(a) % num_blocks
    rows = jnp.pad(a, ((0, filling), (0, 0))).reshape(num_blocks, -1, a.shape[1])
    sums = jax.lax.map(jax.checkpoint(row_sums), (rows, jnp.pad(twin, (0, filling)).reshape(num_blocks, -1)))
    return jnp.sum(sums.reshape(-1)[: len(a)])
