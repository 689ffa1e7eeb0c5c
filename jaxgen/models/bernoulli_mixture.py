"""Mixtures of Bernoullis, one for all data or one a class, kept as the expected counts of their components."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class MixtureCounts(NamedTuple):
    """Expected counts of the K components of C mixtures."""

    #: Number of examples, [C, K].
    counts: jax.Array
    #: Number of examples in which each value is 1, [C, K, D].
    ones: jax.Array


def mixture_logits(model: MixtureCounts, smoothing: float) -> jax.Array:
    """Logits of the values of each component, with `smoothing` pseudo-counts of either value: -> [C, K, D]."""
    # Rounding may leave more ones than examples.
    zeros = jnp.maximum(model.counts[..., None] - model.ones, 0)
    return jnp.log(model.ones + smoothing) - jnp.log(zeros + smoothing)


def component_likelihood(logits: jax.Array, x: jax.Array, where: jax.Array | None = None) -> jax.Array:
    """log p(x | component) in nats, over the values where `where` [B, D] is true: [C, K, D], [B, D] -> [B, C, K]."""
    flat = logits.reshape(-1, logits.shape[-1])
    x = x if where is None else jnp.where(where, x, 0)
    there = jnp.ones_like(x[:1]) if where is None else where.astype(x.dtype)

    def product(rows: jax.Array, columns: jax.Array) -> jax.Array:
        return jnp.matmul(rows, columns.T, precision=jax.lax.Precision.HIGHEST)

    return (product(x, flat) - product(there, jax.nn.softplus(flat))).reshape(-1, *logits.shape[:2])


def mixture_counts(responsibilities: jax.Array, x: jax.Array, *, axis_name: str | None = None) -> MixtureCounts:
    """Expected counts of a batch over all devices of `axis_name`: [B, C, K], [B, D] -> MixtureCounts."""
    flat = responsibilities.reshape(x.shape[0], -1)
    ones = jnp.matmul(flat.T, x, precision=jax.lax.Precision.HIGHEST)
    found = MixtureCounts(jnp.sum(responsibilities, axis=0), ones.reshape(*responsibilities.shape[1:], -1))
    return found if axis_name is None else jax.lax.psum(found, axis_name)
