"""What the two players of an adversarial game minimise, by the game's name."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax

from jaxgen import losses


class Game(NamedTuple):
    """What either player minimises, [B] of logits or scores [B]."""

    discriminator_loss: Callable[[jax.Array, jax.Array], jax.Array]  # (real, fake)
    generator_loss: Callable[[jax.Array], jax.Array]  # (fake)
    threshold: float | None = 0.0  # above it a discriminator takes x for real; None: a critic's scores have no origin


#: By name: what each player minimises.
GAMES = {
    "minimax": Game(losses.minimax_discriminator_loss, losses.minimax_generator_loss),
    "non-saturating": Game(losses.minimax_discriminator_loss, losses.non_saturating_generator_loss),
    "least-squares": Game(losses.least_squares_discriminator_loss, losses.least_squares_generator_loss, threshold=0.5),
    "hinge": Game(losses.hinge_discriminator_loss, losses.hinge_generator_loss),
    "wasserstein": Game(losses.wasserstein_critic_loss, losses.wasserstein_generator_loss, threshold=None),
}


def game_of(name: str, label_smoothing: float = 0.0) -> Game:
    """The game, with the labels of real examples smoothed; ValueError for a name or a smoothing that it cannot have."""
    if name not in GAMES:
        raise ValueError(f"game must be one of {', '.join(GAMES)}, got {name!r}")
    game = GAMES[name]
    if not label_smoothing:
        return game
    if game.discriminator_loss is not losses.minimax_discriminator_loss:
        raise ValueError(f"label smoothing is of the games minimax and non-saturating, got {name!r}")
    return game._replace(discriminator_loss=functools.partial(game.discriminator_loss, smoothing=label_smoothing))
