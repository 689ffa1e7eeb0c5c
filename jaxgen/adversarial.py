"""GAN losses by name; a network with its batch statistics, in training and evaluation mode; one player's half-step."""

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
    """The losses of both players, as functions of logits or scores."""

    #: (real [B], fake [B]) -> [B].
    discriminator_loss: Callable[[jax.Array, jax.Array], jax.Array]
    #: fake [B] -> [B].
    generator_loss: Callable[[jax.Array], jax.Array]
    #: Outputs above this classify x as real; None for a critic, whose scores have no origin.
    threshold: float | None = 0.0


#: Games by name.
GAMES = {
    "minimax": Game(losses.minimax_discriminator_loss, losses.minimax_generator_loss),
    "non-saturating": Game(losses.minimax_discriminator_loss, losses.non_saturating_generator_loss),
    "least-squares": Game(losses.least_squares_discriminator_loss, losses.least_squares_generator_loss, threshold=0.5),
    "hinge": Game(losses.hinge_discriminator_loss, losses.hinge_generator_loss),
    "wasserstein": Game(losses.wasserstein_critic_loss, losses.wasserstein_generator_loss, threshold=None),
}


def choose_game(name: str, label_smoothing: float = 0.0) -> Game:
    """Look up a game, with one-sided label smoothing; ValueError for an unknown name or a game without smoothing."""
    if name not in GAMES:
        raise ValueError(f"game must be one of {', '.join(GAMES)}, got {name!r}")
    game = GAMES[name]
    if not label_smoothing:
        return game
    if game.discriminator_loss is not losses.minimax_discriminator_loss:
        raise ValueError(f"label smoothing is of the games minimax and non-saturating, got {name!r}")
    return game._replace(discriminator_loss=functools.partial(game.discriminator_loss, smoothing=label_smoothing))


def choose_opponent(order: str) -> Callable[[PyTree, PyTree], PyTree]:
    """(before, after) -> the side that stepped first, as the other one faces it; ValueError for an unknown order.

    "in turn": after its step. "at once": before it, so that both step from the same parameters.
    """
    if order not in ("in turn", "at once"):
        raise ValueError(f"order must be 'in turn' or 'at once', got {order!r}")
    return lambda before, after: after if order == "in turn" else before


class Player(NamedTuple):
    """A network's variables."""

    #: Trainable parameters.
    params: PyTree
    #: Running statistics (of batch or spectral norm) by Flax collection; {} where the network has none.
    statistics: PyTree


def init_player(network: nn.Module, key: jax.Array, *inputs: jax.Array) -> Player:
    """Initialise the variables of a network."""
    statistics = dict(network.init(key, *inputs, train=False))
    return Player(statistics.pop("params"), statistics)


def apply_train(network: nn.Module, player: Player, *inputs: jax.Array, axis_name: str | None) -> tuple[PyTree, Player]:
    """Apply a network in training mode, with batch norm over all devices: (output, player with new statistics)."""
    variables = {"params": player.params, **player.statistics}
    synchronized = network.clone(axis_name=axis_name) if hasattr(network, "axis_name") else network
    output, statistics = synchronized.apply(variables, *inputs, train=True, mutable=list(player.statistics))
    return output, Player(player.params, statistics)


def apply_eval(network: nn.Module, player: Player, *inputs: jax.Array, method: str | None = None) -> PyTree:
    """Apply a network, or its method of this name, in evaluation mode, with running statistics."""
    return network.apply({"params": player.params, **player.statistics}, *inputs, train=False, method=method)


def half_step(
    optimizer: optax.GradientTransformation,
    loss: Callable[[PyTree], tuple[jax.Array, dict[str, jax.Array], tuple[PyTree, PyTree]]],
    player: PyTree,
    opt_state: PyTree,
    axis_name: str | None = None,
    *,
    name: str,
) -> tuple[PyTree, PyTree, dict, PyTree]:
    """Update one side of a game while the other is fixed.

    Args:
        optimizer: Optimizer of this side.
        loss: player -> ([B], {name: [B]}, (player, kept)) on the examples of this device; the returned player has the
            new statistics. As in `minimize`, [] may stand in place of [B].
        player: A `Player`, or a tree of players that one optimizer updates together, such as a generator and an
            encoder.
        opt_state: State of the optimizer for the parameters of the player, in the same tree.
        axis_name: Axis of the devices; None for a single device.
        name: Name of this side, in the name of its gradient norm.

    Returns:
        player, with statistics averaged over all devices; opt_state; metrics (means over all devices of the loss and
        its named values, and `{name}_gradient_norm`); and `kept` unchanged.

    Raises:
        ValueError: If the optimizer calls `value_fn`, as one with a line search does.
    """

    def each(function: Callable[..., PyTree], *trees: PyTree) -> PyTree:
        return jax.tree.map(function, *trees, is_leaf=lambda node: isinstance(node, Player))

    def loss_of_params(params: PyTree) -> tuple[jax.Array, dict[str, jax.Array], tuple[PyTree, PyTree]]:
        return loss(each(lambda player, params: player._replace(params=params), player, params))

    params = each(lambda player: player.params, player)
    (means, (after, kept)), gradients = mean_gradient(loss_of_params, params, axis_name)
    params, opt_state = descend(
        optimizer, gradients, params, opt_state, value=means["loss"], value_fn=_refuse_line_search
    )
    player = each(lambda player, params: Player(params, mean_over(player.statistics, axis_name)), after, params)
    return player, opt_state, {**means, f"{name}_gradient_norm": optax.tree.norm(gradients)}, kept


def _refuse_line_search(params: PyTree) -> jax.Array:
    raise ValueError(
        "an optimizer in a game cannot search along a line (lbfgs): what it would minimise, its opponent moves"
    )


def tell_apart(
    game: Game,
    discriminate: Callable[[PyTree, PyTree], tuple[jax.Array, PyTree]],
    player: PyTree,
    real: PyTree,
    fake: PyTree,
) -> tuple[jax.Array, dict[str, jax.Array], PyTree]:
    """Discriminator loss, applied to real, then to generated examples: -> [B], {name: [B] or [2 B]}, player.

    `discriminate`, (player, examples) -> (logits [B], player), applies the discriminator in training mode; examples may
    be x or any tree, such as pairs of x and z, and with the player it may hand on what else it finds. The metrics are
    the loss and, if the game has a threshold, the accuracy.
    """
    real_logits, player = discriminate(player, real)
    fake_logits, player = discriminate(player, fake)
    values = game.discriminator_loss(real_logits, fake_logits)
    metrics = {"discriminator_loss": values}
    if game.threshold is not None:
        right = jnp.concatenate([real_logits > game.threshold, fake_logits < game.threshold])
        metrics["discriminator_accuracy"] = right.astype(jnp.float32)
    return values, metrics, player


def mix(key: jax.Array, real: jax.Array, fake: jax.Array, *, axis_name: str | None = None) -> jax.Array:
    """epsilon x + (1 - epsilon) G(z) with epsilon ~ U(0, 1) per row: [B, ...], [B, ...] -> [B, ...].

    The points of the gradient penalty (Gulrajani et al. 2017, algorithm 1).
    """
    uniform = jax.vmap(jax.random.uniform)(example_keys(key, len(real), axis_name))
    share = uniform.reshape(-1, *[1] * (real.ndim - 1))
    return share * real + (1 - share) * fake


def diversity(fake: jax.Array, real: jax.Array, *, axis_name: str | None = None) -> jax.Array:
    """Total variance of generated over that of real examples, near 0 after mode collapse: two [B, ...] -> []."""

    def total_variance(x: jax.Array) -> jax.Array:
        flat = x.reshape(len(x), -1)
        mean = mean_over(jnp.mean(flat, axis=0, keepdims=True), axis_name)
        return jnp.sum(mean_over(jnp.mean(jnp.square(flat - mean), axis=0), axis_name))

    return total_variance(fake) / jnp.maximum(total_variance(real), 1e-12)
