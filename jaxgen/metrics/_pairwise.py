"""Squared Euclidean distances between two sets, some rows at a time."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp

ROWS = 64  # at a time: enough to fill a matrix product, and few enough that [ROWS, M] is small
SPARE = 7


def check_sets(x: jax.Array, y: jax.Array) -> None:
    """Raises AssertionError unless both are floating, [N, F] and [M, F]."""
    chex.assert_rank([x, y], 2)
    chex.assert_equal_shape_suffix([x, y], 1)
    chex.assert_type([x, y], float)


def over_rows(reduce: Callable[[jax.Array], Any], x: jax.Array, references: jax.Array, *, nearest: int = 1) -> Any:
    """`reduce` of the squared distances, [M], from each row of x to all references: [N, F], [M, F] -> leaves [N, ...].

    In float32. The `nearest` smallest of a row, and a few more, are sums of squared differences: never negative, right
    to about 1e-6 of themselves, 0 between equal rows. The others may be off by about 1e-6 (|x|^2 + |y|^2), the norms
    taken around the references' mean. Memory is that of 64 rows of distances; no [N, M, F] is formed.
    """
    x, references = jnp.asarray(x, jnp.float32), jnp.asarray(references, jnp.float32)
    center = jnp.mean(references, axis=0)
    centered = references - center[None]
    squared_norms = jnp.sum(jnp.square(centered), axis=1)
    num_exact = min(len(references), nearest + SPARE)

    def one(row: jax.Array) -> Any:
        # A matrix product is several times faster than differences, but keeps no digit of a near-duplicate's distance;
        # and by default accelerators round its factors to ten bits or fewer.
        products = jnp.matmul(centered, row - center, precision=jax.lax.Precision.HIGHEST)
        rough = jnp.maximum(jnp.sum(jnp.square(row - center)) + squared_norms - 2 * products, 0)
        _, closest = jax.lax.top_k(-rough, num_exact)
        exact = jnp.sum(jnp.square(row[None] - references[closest]), axis=1)
        return reduce(rough.at[closest].set(exact))

    return jax.lax.map(one, x, batch_size=ROWS)
