"""Streamed class counts and per-class moments of the features, the sufficient statistics of naive Bayes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class ClassMoments(NamedTuple):
    """Counts and moments of the classes."""

    #: Number of examples, [K].
    counts: jax.Array
    #: Means [K, D].
    mean: jax.Array
    #: Sums of squared deviations from the mean, [K, D].
    squares: jax.Array


def class_moments(x: jax.Array, y: jax.Array, num_classes: int, *, axis_name: str | None = None) -> ClassMoments:
    """Moments of a batch over all devices of `axis_name`: [B, D], integers [B] -> ClassMoments.

    Computed in two passes, to avoid the cancellation of E[x^2] - E[x]^2. Classes without examples have zeros.
    """
    x = x.astype(jnp.float32)

    def by_class(values: jax.Array) -> jax.Array:
        total = jax.ops.segment_sum(values, y, num_classes)
        return total if axis_name is None else jax.lax.psum(total, axis_name)

    counts = by_class(jnp.ones(len(x), jnp.float32))
    mean = by_class(x) / jnp.maximum(counts, 1)[:, None]
    return ClassMoments(counts, mean, by_class(jnp.square(x - mean[y])))


def merge(first: ClassMoments, second: ClassMoments) -> ClassMoments:
    """Moments of the union of two disjoint sets (Chan, Golub & LeVeque 1979, eq. 2.1)."""
    counts = first.counts + second.counts
    share = (second.counts / jnp.maximum(counts, 1))[:, None]
    difference = second.mean - first.mean
    squares = first.squares + second.squares + jnp.square(difference) * first.counts[:, None] * share
    return ClassMoments(counts, first.mean + difference * share, squares)


def total_variance(moments: ClassMoments) -> jax.Array:
    """Variance of each feature over all classes: ClassMoments -> [D]."""
    num = jnp.maximum(jnp.sum(moments.counts), 1)
    weights = moments.counts[:, None] / num
    mean = jnp.sum(weights * moments.mean, axis=0, keepdims=True)
    return jnp.sum(moments.squares / num + weights * jnp.square(moments.mean - mean), axis=0)
