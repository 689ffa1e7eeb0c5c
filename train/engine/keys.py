"""The random keys of a run: one per purpose, each a function of the seed alone."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Keys(NamedTuple):
    """Scalar keys of one seed, or [S] keys of several."""

    init: jax.Array
    steps: jax.Array  # step i uses fold_in(steps, i)
    evaluate: jax.Array  # on the test set
    sample: jax.Array
    validate: jax.Array
    compare: jax.Array  # samples that are held against data


def make_keys(seed: int | jax.Array) -> Keys:
    """The keys of one seed."""
    return Keys(*jax.random.split(jax.random.key(seed), len(Keys._fields)))


def make_seed_keys(seed: int, seeds: int) -> Keys:
    """The keys of seed, ..., seed + seeds - 1; without an axis where there is one seed."""
    return jax.vmap(make_keys)(jnp.arange(seed, seed + seeds)) if seeds > 1 else make_keys(seed)
