"""The one reduction that every loss of this package ends with."""

import jax
import jax.numpy as jnp


def sum_event(values: jax.Array) -> jax.Array:
    """Sum over every axis but the first, in float32 whatever the input: [B, ...] -> [B]."""
    return jnp.sum(values, axis=tuple(range(1, values.ndim)), dtype=jnp.float32)
