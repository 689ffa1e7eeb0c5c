"""Class labels as indices, and the prior of y: how often each class was counted in training."""

import jax
import jax.numpy as jnp

from jaxgen._checks import check


def rows(values: jax.Array, y: jax.Array) -> jax.Array:
    """values[y], the row of each example's class: [K, ...], integers [B] -> [B, ...].

    NaN for a y outside 0..K-1, where indexing would give another class: negative ones count from the end, and those
    past it are clamped. Raises AssertionError unless y is integers [B].
    """
    check("rows", values=(values, "number [K, ...]"), y=(y, "int [B]"))

    return values.at[y].get(mode="fill", fill_value=jnp.nan, wrap_negative_indices=False)


def scores(values: jax.Array, y: jax.Array) -> jax.Array:
    """The value of each example's class: [B, K], integers [B] -> [B].

    NaN for a y outside 0..K-1, as in `rows`. Raises AssertionError unless shapes match and y is integers.
    """
    check("scores", values=(values, "number [B, K]"), y=(y, "int [B]"))

    # An index past the end gives NaN; a negative one would count from the end.
    index = jnp.where(y < 0, values.shape[1], y.astype(jnp.int32))
    return jnp.take_along_axis(values, index[:, None], axis=1)[:, 0]


def count(counts: jax.Array, y: jax.Array, axis_name: str | None = None) -> jax.Array:
    """Counts [K], and with them the classes y [B] of all devices of `axis_name`: -> [K].

    A y outside 0..K-1 counts nowhere. Raises AssertionError unless y is integers [B].
    """
    check("count", counts=(counts, "number [K]"), y=(y, "int [B]"))

    counted = jnp.sum(y[:, None] == jnp.arange(len(counts))[None], axis=0, dtype=counts.dtype)
    return counts + (counted if axis_name is None else jax.lax.psum(counted, axis_name))


def log_prior(counts: jax.Array) -> jax.Array:
    """Log p(y), nats: counts [K] -> [K]; of a class that never came -inf, where none came at all uniform."""
    counts = jnp.where(jnp.sum(counts) > 0, counts, 1).astype(jnp.float32)
    return jnp.log(counts) - jnp.log(jnp.sum(counts))


def draw(key: jax.Array, counts: jax.Array, num: int) -> jax.Array:
    """Y ~ p(y): counts [K] -> integers [num]."""
    return jax.random.categorical(key, log_prior(counts), shape=(num,))
