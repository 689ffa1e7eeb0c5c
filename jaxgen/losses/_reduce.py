"""Reductions over event axes, and a square root that is differentiable at 0."""

import jax
import jax.numpy as jnp


def flat(array: jax.Array) -> jax.Array:
    """Flatten the event axes, in float32: [B, ...] -> [B, D]. XLA fuses this form without copies."""
    return array.reshape(array.shape[0], -1).astype(jnp.float32)


def sum_event(values: jax.Array, where: jax.Array | None = None) -> jax.Array:
    """Sum over every axis but the first, in float32 whatever the input: [B, ...] -> [B]. Only `where` it is true."""
    return jnp.sum(values, axis=tuple(range(1, values.ndim)), dtype=jnp.float32, where=where)


def keep(where: jax.Array | None, *arrays: jax.Array) -> tuple:
    """The flattened mask, and arrays [B, ...] with 0 where it is false; as they are for None, which masks nothing."""
    if where is None:
        return None, *arrays
    # Masking the sum alone would leave nan in the gradient: 0 times the slope at a nan.
    return where.reshape(where.shape[0], -1), *(jnp.where(where, array, 0) for array in arrays)


def root(squares: jax.Array) -> jax.Array:
    """Square root with derivative 0 at 0: [...] -> [...]."""
    # Both branches of where are differentiated; 0 times the infinite slope of the root at 0 would be nan.
    is_zero = squares == 0
    return jnp.where(is_zero, 0.0, jnp.sqrt(jnp.where(is_zero, 1.0, squares)))
