"""How the losses of this package take an event apart and sum over it."""

import jax
import jax.numpy as jnp


def flat(array: jax.Array) -> jax.Array:
    """The event axes as one, in float32: [B, ...] -> [B, D]. Compilers fuse this form without copying it about."""
    return array.reshape(len(array), -1).astype(jnp.float32)


def sum_event(values: jax.Array) -> jax.Array:
    """Sum over every axis but the first, in float32 whatever the input: [B, ...] -> [B]."""
    return jnp.sum(values, axis=tuple(range(1, values.ndim)), dtype=jnp.float32)
