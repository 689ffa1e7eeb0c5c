"""What naive Bayes learns: how often each class came, and the moments of each feature within it, streamed."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class ClassMoments(NamedTuple):
    """Counts and moments of each class."""

    #: Examples of each class, [K].
    counts: jax.Array
    #: Means [K, D].
    mean: jax.Array
    #: Sums of squared deviations from the mean, [K, D].
    squares: jax.Array


def class_moments(x: jax.Array, y: jax.Array, num_classes: int, *, axis_name: str | None = None) -> ClassMoments:
    """The moments of a batch, of all devices under `axis_name`: [B, D], integers [B] -> ClassMoments.

    In two passes, so that nothing is lost to E[x^2] - E[x]^2. A class that did not come has zeros.
    """
    x = x.astype(jnp.float32)

    def by_class(values: jax.Array) -> jax.Array:
        total = jax.ops.segment_sum(values, y, num_classes)
        return total if axis_name is None else jax.lax.psum(total, axis_name)

    counts = by_class(jnp.ones(len(x), jnp.float32))
    mean = by_class(x) / jnp.maximum(counts, 1)[:, None]
    return ClassMoments(counts, mean, by_class(jnp.square(x - mean[y])))


def merge(first: ClassMoments, second: ClassMoments) -> ClassMoments:
    """The moments of two disjoint sets of examples together. Chan, Golub & LeVeque 1979, eq. 2.1."""
    counts = first.counts + second.counts
    share = (second.counts / jnp.maximum(counts, 1))[:, None]
    apart = second.mean - first.mean
    squares = first.squares + second.squares + jnp.square(apart) * first.counts[:, None] * share
    return ClassMoments(counts, first.mean + apart * share, squares)


def total_variance(moments: ClassMoments) -> jax.Array:
    """The variance of each feature over all classes: ClassMoments -> [D]."""
    num = jnp.maximum(jnp.sum(moments.counts), 1)
    weights = moments.counts[:, None] / num
    mean = jnp.sum(weights * moments.mean, axis=0, keepdims=True)
    return jnp.sum(moments.squares / num + weights * jnp.square(moments.mean - mean), axis=0)
