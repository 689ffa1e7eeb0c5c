"""The random keys of a run: one per purpose, each a function of the seed alone."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Keys(NamedTuple):
    """Scalar keys of one seed, or [S] keys of several."""

    init: jax.Array
    steps: jax.Array  # step i uses fold_in(steps, i)
    evaluate: jax.Array
    sample: jax.Array


def of_seeds(seed: int, seeds: int) -> Keys:
    """The keys of seed, ..., seed + seeds - 1; without an axis where there is one seed."""
    split = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed), 4))(jnp.arange(seed, seed + seeds))
    return Keys(*(split[:, purpose] if seeds > 1 else split[0, purpose] for purpose in range(4)))
