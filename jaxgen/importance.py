"""Importance sampling of log p(x), in memory that does not grow with the number of samples."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen import losses
from jaxgen.optimize import largest_divisor


def log_marginal(key: jax.Array, log_weights: Callable[[jax.Array, int], jax.Array], num_samples: int) -> jax.Array:
    """A lower bound on log p(x), in nats, from `log_weights(key, num)`, nats [num, B], of draws: -> [B].

    Burda et al. 2016, eq. 8. The samples come in equal chunks of at most 64, one chunk at a time. Raises ValueError
    unless `num_samples` is positive.
    """
    if num_samples < 1:
        raise ValueError(f"num_samples must be positive, got {num_samples}")
    # Equal chunks, so that the bound of the chunks' bounds is the bound of all samples.
    chunk = largest_divisor(num_samples, 64)

    def bound(index: jax.Array) -> jax.Array:
        return losses.importance_weighted_bound(log_weights(jax.random.fold_in(key, index), chunk))

    return losses.importance_weighted_bound(jax.lax.map(bound, jnp.arange(num_samples // chunk)))
