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


def of_seed(seed: int | jax.Array) -> Keys:
    """The keys of one seed."""
    return Keys(*jax.random.split(jax.random.key(seed), len(Keys._fields)))


def of_seeds(seed: int, seeds: int) -> Keys:
    """The keys of seed, ..., seed + seeds - 1; without an axis where there is one seed."""
    return jax.vmap(of_seed)(jnp.arange(seed, seed + seeds)) if seeds > 1 else of_seed(seed)
