"""Adversarial games: losses by the game's name, networks with running statistics, and one player's half-step."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from jaxgen import losses
from jaxgen.optimize import descend, mean_gradient
from jaxgen.recipe import PyTree, mean_over
from jaxgen.sampling import example_keys


class Game(NamedTuple):
    """The loss of either player, of logits or scores."""

    #: (real [B], fake [B]) -> [B].
    discriminator_loss: Callable[[jax.Array, jax.Array], jax.Array]
    #: fake [B] -> [B].
    generator_loss: Callable[[jax.Array], jax.Array]
    #: The discriminator takes x for real where its output is above this; None for a critic, whose scores have no
    #: origin.
    threshold: float | None = 0.0


#: The games by name.
GAMES = {
    "minimax": Game(losses.minimax_discriminator_loss, losses.minimax_generator_loss),
    "non-saturating": Game(losses.minimax_discriminator_loss, losses.non_saturating_generator_loss),
    "least-squares": Game(losses.least_squares_discriminator_loss, losses.least_squares_generator_loss, threshold=0.5),
    "hinge": Game(losses.hinge_discriminator_loss, losses.hinge_generator_loss),
    "wasserstein": Game(losses.wasserstein_critic_loss, losses.wasserstein_generator_loss, threshold=None),
}


def choose_game(name: str, label_smoothing: float = 0.0) -> Game:
    """Look up a game, its real labels smoothed; ValueError for an unknown name or a smoothing it cannot have."""
    if name not in GAMES:
        raise ValueError(f"game must be one of {', '.join(GAMES)}, got {name!r}")
    game = GAMES[name]
    if not label_smoothing:
        return game
    if game.discriminator_loss is not losses.minimax_discriminator_loss:
        raise ValueError(f"label smoothing is of the games minimax and non-saturating, got {name!r}")
    return game._replace(discriminator_loss=functools.partial(game.discriminator_loss, smoothing=label_smoothing))


class Player(NamedTuple):
    """A network's variables."""

    #: What its optimizer updates.
    params: PyTree
    #: Running statistics (of batch or spectral norm) by Flax collection; {} where the network has none.
    statistics: PyTree


def init_player(network: nn.Module, key: jax.Array, *inputs: jax.Array) -> Player:
    """The network's first variables."""
    statistics = dict(network.init(key, *inputs, train=False))
    return Player(statistics.pop("params"), statistics)


def apply_train(
    network: nn.Module, player: Player, *inputs: jax.Array, axis_name: str | None
) -> tuple[jax.Array, Player]:
    """The output in training mode, batch norm over all devices, and the player with its statistics updated."""
    variables = {"params": player.params, **player.statistics}
    output, statistics = network.clone(axis_name=axis_name).apply(
        variables, *inputs, train=True, mutable=list(player.statistics)
    )
    return output, Player(player.params, statistics)


def apply_eval(network: nn.Module, player: Player, *inputs: jax.Array) -> jax.Array:
    """The output in evaluation mode, under running statistics."""
    return network.apply({"params": player.params, **player.statistics}, *inputs, train=False)


def half_step(
    optimizer: optax.GradientTransformation,
    loss: Callable[[PyTree], tuple[jax.Array, dict[str, jax.Array], tuple[PyTree, PyTree]]],
    player: PyTree,
    opt_state: PyTree,
    axis_name: str | None = None,
    *,
    name: str,
) -> tuple[PyTree, PyTree, dict, PyTree]:
    """Update one side of a game while the other waits.

    Args:
        optimizer: Of this side.
        loss: player -> ([B], {name: [B]}, (player, kept)), of the examples on this device, where the player returned
            has the statistics to go on with. As in `minimize`, what is [B] may be [].
        player: A `Player`, or any tree of those that one optimizer updates together, such as a generator and an
            encoder.
        opt_state: The optimizer's state, of the player's params (in the same tree).
        axis_name: The axis of the devices; None for one.
        name: Of this side.

    Returns:
        player, its statistics the mean over all devices; opt_state; metrics (the means over all devices of `loss` and
        what it names, and `{name}_gradient_norm`); and `kept` as it is.
    """

    def each(function: Callable[..., PyTree], *trees: PyTree) -> PyTree:
        return jax.tree.map(function, *trees, is_leaf=lambda node: isinstance(node, Player))

    def loss_of_params(params: PyTree) -> tuple[jax.Array, dict[str, jax.Array], tuple[PyTree, PyTree]]:
        return loss(each(lambda player, params: player._replace(params=params), player, params))

    params = each(lambda player: player.params, player)
    (means, (after, kept)), gradients = mean_gradient(loss_of_params, params, axis_name)
    params, opt_state = descend(optimizer, gradients, params, opt_state)
    player = each(lambda player, params: Player(params, mean_over(player.statistics, axis_name)), after, params)
    return player, opt_state, {**means, f"{name}_gradient_norm": optax.tree.norm(gradients)}, kept


def tell_apart(
    game: Game, judge: Callable[[Player, PyTree], tuple[jax.Array, Player]], player: Player, real: PyTree, fake: PyTree
) -> tuple[jax.Array, dict[str, jax.Array], Player]:
    """The discriminator's loss, first on real and then on generated examples: -> [B], {name: [B] or [2 B]}, Player.

    `judge` (player, examples) -> (logits [B], player) applies the discriminator in training mode; what are examples to
    it, x or pairs of x and z, is its own affair. The metrics are the loss and, where the game has a threshold, the
    accuracy.
    """
    real_logits, player = judge(player, real)
    fake_logits, player = judge(player, fake)
    values = game.discriminator_loss(real_logits, fake_logits)
    metrics = {"discriminator_loss": values}
    if game.threshold is not None:
        right = jnp.concatenate([real_logits > game.threshold, fake_logits < game.threshold])
        metrics["discriminator_accuracy"] = right.astype(jnp.float32)
    return values, metrics, player


def mix(key: jax.Array, real: jax.Array, fake: jax.Array, *, axis_name: str | None = None) -> jax.Array:
    """Epsilon x + (1 - epsilon) G(z), epsilon ~ U(0, 1) of each row: [B, ...], [B, ...] -> [B, ...].

    Points for a gradient penalty (Gulrajani et al. 2017, algorithm 1).
    """
    uniform = jax.vmap(jax.random.uniform)(example_keys(key, len(real), axis_name))
    share = uniform.reshape(-1, *[1] * (real.ndim - 1))
    return share * real + (1 - share) * fake


def diversity(fake: jax.Array, real: jax.Array, *, axis_name: str | None = None) -> jax.Array:
    """The total variance of generated examples over that of real ones, near 0 on collapse: two [B, ...] -> []."""

    def total_variance(x: jax.Array) -> jax.Array:
        flat = x.reshape(len(x), -1)
        mean = mean_over(jnp.mean(flat, axis=0, keepdims=True), axis_name)
        return jnp.sum(mean_over(jnp.mean(jnp.square(flat - mean), axis=0), axis_name))

    return total_variance(fake) / jnp.maximum(total_variance(real), 1e-12)
