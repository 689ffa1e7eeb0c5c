"""Squared Euclidean distances between two sets, in blocks of rows."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

ROWS = 64  # at a time: few enough that [ROWS, M] is small
_FEATURES = 16  # added in one pass over [ROWS, M], so that the sums stay in registers


def over_rows(reduce: Callable[[jax.Array], Any], x: jax.Array, references: jax.Array) -> Any:
    """Reduce the squared distances [M] of each row of x to all references: [N, F], [M, F] -> leaves [N, ...].

    Distances are float32 sums of squared differences, feature by feature. So a distance depends only on its two rows,
    bit for bit, and ties are exact: equal pairs have equal distances, and distances between integers are exact below
    2^24. Others have a relative error of about 1e-6. Memory holds 64 rows of distances; no [N, M, F] is formed.
    """
    x, columns = jnp.asarray(x, jnp.float32), jnp.asarray(references, jnp.float32).T

    # Differences are recomputed in the backward pass: saved, they would be [F, N, M].
    @jax.checkpoint
    def add(distances: jax.Array, feature: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        value, values = feature
        return distances + jnp.square(value - values), None

    def one(row: jax.Array) -> Any:
        nothing = jnp.zeros(columns.shape[1], jnp.float32)
        return reduce(jax.lax.scan(add, nothing, (row, columns), unroll=_FEATURES)[0])

    return jax.lax.map(one, x, batch_size=ROWS)
