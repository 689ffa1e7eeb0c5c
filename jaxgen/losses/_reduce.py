"""How an event is taken apart and summed over, and a root of a sum that may be 0."""

import jax
import jax.numpy as jnp


def flat(array: jax.Array) -> jax.Array:
    """The event axes as one, in float32: [B, ...] -> [B, D]. Compilers fuse this form without copying it about."""
    return array.reshape(len(array), -1).astype(jnp.float32)


def sum_event(values: jax.Array) -> jax.Array:
    """Sum over every axis but the first, in float32 whatever the input: [B, ...] -> [B]."""
    return jnp.sum(values, axis=tuple(range(1, values.ndim)), dtype=jnp.float32)


def root(squares: jax.Array) -> jax.Array:
    """The square root, whose slope at 0 is taken as 0: [...] -> [...]."""
    # Both branches of where are differentiated, and the root's slope at 0 is infinite: 0 times it is nan.
    is_zero = squares == 0
    return jnp.where(is_zero, 0.0, jnp.sqrt(jnp.where(is_zero, 1.0, squares)))
