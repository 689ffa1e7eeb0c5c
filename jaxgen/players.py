"""A network in a game: its parameters and running statistics, while it plays and when it is looked at."""

from typing import NamedTuple

import jax
from flax import linen as nn

from jaxgen.recipe import PyTree


class Player(NamedTuple):
    """A network's parameters, and its running statistics by collection, {} where it has none."""

    params: PyTree
    statistics: PyTree


def player_of(variables: PyTree) -> Player:
    """What `network.init` gave."""
    statistics = dict(variables)
    return Player(statistics.pop("params"), statistics)


def play(network: nn.Module, player: Player, inputs: jax.Array, axis_name: str | None) -> tuple[jax.Array, PyTree]:
    """(output, statistics) in training, with batch norm over all devices."""
    variables = {"params": player.params, **player.statistics}
    return network.clone(axis_name=axis_name).apply(variables, inputs, train=True, mutable=list(player.statistics))


def look(network: nn.Module, player: Player, inputs: jax.Array) -> jax.Array:
    """The output after training, under running statistics."""
    return network.apply({"params": player.params, **player.statistics}, inputs, train=False)
