"""Generative adversarial networks: two players, one round of play a step (Goodfellow et al. 2014, algorithm 1)."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from jaxgen import losses, models
from jaxgen.recipe import PyTree, Recipe, State, mean_over
from jaxgen.sampling import example_keys, standard_normal


class Game(NamedTuple):
    """What either player minimises, [B] of logits or scores [B]."""

    discriminator_loss: Callable[[jax.Array, jax.Array], jax.Array]  # (real, fake)
    generator_loss: Callable[[jax.Array], jax.Array]  # (fake)


GAMES = {
    "minimax": Game(losses.minimax_discriminator_loss, losses.minimax_generator_loss),
    "non-saturating": Game(losses.minimax_discriminator_loss, losses.non_saturating_generator_loss),
    "least-squares": Game(losses.least_squares_discriminator_loss, losses.least_squares_generator_loss),
    "hinge": Game(losses.hinge_discriminator_loss, losses.hinge_generator_loss),
    "wasserstein": Game(losses.wasserstein_critic_loss, losses.wasserstein_generator_loss),
}


class Player(NamedTuple):
    """A network's parameters, and its running statistics where it has any."""

    params: PyTree
    statistics: PyTree


class Model(NamedTuple):
    """Both players, and the labels counted in training [K], None where y is not used."""

    generator: Player
    discriminator: Player
    label_counts: jax.Array | None


class Train(NamedTuple):
    """The optimizer's state of either player."""

    generator: PyTree
    discriminator: PyTree


def gan(
    generator: nn.Module,
    discriminator: nn.Module,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    *,
    latent_dim: int,
    game: str = "non-saturating",
    critic_steps: int = 1,
    gradient_penalty: float = 0.0,
    zero_centered_penalty: float = 0.0,
    packing: int = 1,
    num_classes: int | None = None,
) -> Recipe:
    """Let a generator z -> x and a discriminator x -> logits play a game, z from N(0, I).

    `generator` and `discriminator` are called with `train=...` and have a field `axis_name`, as in `jaxgen.models`.
    The discriminator takes `critic_steps` steps, each on fresh data, to the generator's one. `gradient_penalty` weighs
    WGAN-GP's, between real and generated points (Gulrajani et al. 2017), `zero_centered_penalty` R1's, at real ones
    (Mescheder et al. 2018). With `packing` m the discriminator judges m examples at once (Lin et al. 2018). With
    `num_classes` both see y (Mirza & Osindero 2014). Raises ValueError for another `game` than those of `GAMES`.
    """
    if game not in GAMES:
        raise ValueError(f"game must be one of {', '.join(GAMES)}, got {game!r}")
    discriminator_loss, generator_loss = GAMES[game]

    def labelled(x: jax.Array, y: jax.Array | None) -> jax.Array:
        if num_classes is None:
            return x
        if y is None:
            raise ValueError(f"this GAN is conditional on a class: y must be given, integers in 0..{num_classes - 1}")
        return models.with_class(x, y, num_classes)

    def seen(x: jax.Array, y: jax.Array | None) -> jax.Array:
        """What the discriminator is shown: examples with their class, packed."""
        return models.pack(labelled(x, y), packing)

    def play(network: nn.Module, player: Player, params: PyTree, inputs: jax.Array, axis_name: str | None) -> tuple:
        """(output, statistics) in training."""
        variables = {"params": params, **player.statistics}
        network = network.clone(axis_name=axis_name)
        return network.apply(variables, inputs, train=True, mutable=list(player.statistics))

    def look(network: nn.Module, player: Player, inputs: jax.Array) -> jax.Array:
        return network.apply({"params": player.params, **player.statistics}, inputs, train=False)

    def init(key: jax.Array, batch: dict) -> State:
        key_generator, key_discriminator = jax.random.split(key)
        x, y = batch["x"], batch.get("y")
        if critic_steps > 1:
            x, y = x[0], None if y is None else y[0]
        z = jnp.zeros((len(x), latent_dim))
        players = [
            _player(network.init(key, inputs, train=False))
            for network, key, inputs in (
                (generator, key_generator, labelled(z, y)),
                (discriminator, key_discriminator, seen(x, y)),
            )
        ]
        label_counts = None if num_classes is None else jnp.zeros(num_classes, jnp.int32)
        optimizers = generator_optimizer, discriminator_optimizer
        opt_states = [optimizer.init(player.params) for optimizer, player in zip(optimizers, players, strict=True)]
        return State(Model(*players, label_counts), Train(*opt_states))

    def critic_step(
        key: jax.Array, model: Model, opt_state: PyTree, x: jax.Array, y: jax.Array | None, axis_name: str | None
    ) -> tuple[Player, PyTree, dict]:
        key_latent, key_mixing = jax.random.split(key)
        z = standard_normal(key_latent, len(x), (latent_dim,), axis_name=axis_name)
        fake, _ = play(generator, model.generator, model.generator.params, labelled(z, y), axis_name)
        real, fake = seen(x, y), seen(fake, y)
        player = model.discriminator

        def loss(params: PyTree) -> tuple[jax.Array, tuple]:
            def critic(x: jax.Array) -> jax.Array:
                return play(discriminator, player, params, x, axis_name)[0]

            real_logits, statistics = play(discriminator, player, params, real, axis_name)
            fake_logits, statistics = play(discriminator, Player(params, statistics), params, fake, axis_name)
            value = jnp.mean(discriminator_loss(real_logits, fake_logits))
            penalty = jnp.float32(0)
            if gradient_penalty:
                keys = example_keys(key_mixing, len(real), axis_name)
                share = jax.vmap(jax.random.uniform)(keys).reshape(-1, *[1] * (real.ndim - 1))
                points = share * real + (1 - share) * fake
                penalty += gradient_penalty * jnp.mean(losses.gradient_penalty(critic, points))
            if zero_centered_penalty:
                penalty += zero_centered_penalty * jnp.mean(losses.zero_centered_penalty(critic, real))
            right = jnp.mean((real_logits > 0).astype(jnp.float32)) + jnp.mean((fake_logits < 0).astype(jnp.float32))
            seen_metrics = {"discriminator_loss": value, "penalty": penalty, "discriminator_accuracy": right / 2}
            return value + penalty, (statistics, seen_metrics)

        (_, (statistics, metrics)), gradients = jax.value_and_grad(loss, has_aux=True)(player.params)
        gradients, metrics = mean_over((gradients, metrics), axis_name)
        metrics["discriminator_gradient_norm"] = optax.tree.norm(gradients)
        updates, opt_state = discriminator_optimizer.update(gradients, opt_state, player.params)
        return Player(optax.apply_updates(player.params, updates), statistics), opt_state, metrics

    def generator_step(
        key: jax.Array, model: Model, opt_state: PyTree, x: jax.Array, y: jax.Array | None, axis_name: str | None
    ) -> tuple[Player, PyTree, dict]:
        z = standard_normal(key, len(x), (latent_dim,), axis_name=axis_name)
        player = model.generator

        def loss(params: PyTree) -> tuple[jax.Array, tuple]:
            fake, statistics = play(generator, player, params, labelled(z, y), axis_name)
            logits, _ = play(discriminator, model.discriminator, model.discriminator.params, seen(fake, y), axis_name)
            return jnp.mean(generator_loss(logits)), (statistics, fake)

        (value, (statistics, fake)), gradients = jax.value_and_grad(loss, has_aux=True)(player.params)
        gradients, value = mean_over((gradients, value), axis_name)
        metrics = {
            "loss": value,
            "generator_gradient_norm": optax.tree.norm(gradients),
            "diversity": _spread(fake, axis_name) / jnp.maximum(_spread(x, axis_name), 1e-12),
        }
        updates, opt_state = generator_optimizer.update(gradients, opt_state, player.params)
        return Player(optax.apply_updates(player.params, updates), statistics), opt_state, metrics

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        model, train = state
        batches = batch if critic_steps > 1 else jax.tree.map(lambda leaf: leaf[None], batch)
        x, y = batches["x"], batches.get("y")
        for turn in range(critic_steps):
            player, opt_state, metrics = critic_step(
                jax.random.fold_in(key, turn),
                model,
                train.discriminator,
                x[turn],
                None if y is None else y[turn],
                axis_name,
            )
            model, train = model._replace(discriminator=player), train._replace(discriminator=opt_state)
        y = None if y is None else y[-1]
        player, opt_state, of_generator = generator_step(
            jax.random.fold_in(key, critic_steps), model, train.generator, x[-1], y, axis_name
        )
        model, train = model._replace(generator=player), train._replace(generator=opt_state)
        if model.label_counts is not None:
            counted = jnp.bincount(batches["y"].reshape(-1), length=num_classes)
            counted = counted if axis_name is None else jax.lax.psum(counted, axis_name)
            model = model._replace(label_counts=model.label_counts + counted)
        return State(model, train), metrics | of_generator

    def evaluate(key: jax.Array, model: Model, batch: dict) -> dict[str, jax.Array]:
        """What the discriminator says of each example, and of as many generated ones."""
        x, y = batch["x"], batch.get("y")
        z = standard_normal(key, len(x), (latent_dim,))
        fake = look(generator, model.generator, labelled(z, y))

        def logits(x: jax.Array) -> jax.Array:
            rows = jnp.minimum(jnp.arange(-(-len(x) // packing) * packing), len(x) - 1)  # filled up to whole packs
            judged = look(discriminator, model.discriminator, seen(x[rows], None if y is None else y[rows]))
            return jnp.repeat(judged, packing)[: len(x)]

        return {"real_logit": logits(x), "fake_logit": logits(fake)}

    def sample(key: jax.Array, model: Model, num: int, *, y: jax.Array | None = None) -> jax.Array:
        key_label, key_latent = jax.random.split(key)
        if model.label_counts is not None and y is None:
            y = jax.random.categorical(key_label, jnp.log(model.label_counts), shape=(num,))
        z = standard_normal(key_latent, num, (latent_dim,))
        return look(generator, model.generator, labelled(z, y))

    def decode(model: Model, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return look(generator, model.generator, labelled(z, y))

    return Recipe(init, step, evaluate, sample, decode=decode, draws=critic_steps)


def _player(variables: PyTree) -> Player:
    variables = dict(variables)
    return Player(variables.pop("params"), variables)


def _spread(x: jax.Array, axis_name: str | None) -> jax.Array:
    """The variance of x over all examples, summed over its features."""
    x = x.reshape(len(x), -1)
    mean, square = mean_over((jnp.mean(x, axis=0), jnp.mean(jnp.square(x), axis=0)), axis_name)
    return jnp.sum(square - jnp.square(mean))
