"""Randomness that belongs to examples, and samplers that know a model only as a function."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def example_keys(key: jax.Array, num_local: int, axis_name: str | None = None) -> jax.Array:
    """One key for each example of the global batch, wherever it lives: -> [num_local] keys.

    Row j of the global batch has `fold_in(key, j)`, so that one device and N devices see the same noise. Under
    `axis_name` this device holds the rows from `axis_index * num_local` on.
    """
    first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * num_local
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, first + jnp.arange(num_local))


def standard_normal(
    key: jax.Array, num_local: int, shape: tuple[int, ...], *, axis_name: str | None = None
) -> jax.Array:
    """N(0, I) of `shape` for each example, drawn from its own key: -> `[num_local, *shape]`."""
    keys = example_keys(key, num_local, axis_name)
    return jax.vmap(lambda key: jax.random.normal(key, shape))(keys)


def from_prior(key: jax.Array, decode: Callable[[jax.Array], jax.Array], num: int, latent_dim: int) -> jax.Array:
    """decode(z) of z ~ N(0, I), `decode: [N, Z] -> [N, ...]`: -> x [N, ...].

    Ancestral sampling (Kingma & Welling 2014, section 2.1). The first n of N samples are the same for every N.
    """
    return decode(standard_normal(key, num, (latent_dim,)))
