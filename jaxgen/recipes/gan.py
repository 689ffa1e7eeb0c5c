"""Generative adversarial networks: two players, one round of play a step (Goodfellow et al. 2014, algorithm 1)."""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from jaxgen import labels, losses, models
from jaxgen.games import game_of
from jaxgen.optimize import learning_rate
from jaxgen.players import Player, look, play, player_of
from jaxgen.recipe import PyTree, Recipe, State, mean_over
from jaxgen.sampling import example_keys, standard_normal


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
    label_smoothing: float = 0.0,
    gradient_penalty: float = 0.0,
    zero_centered_penalty: float = 0.0,
    packing: int = 1,
    num_classes: int | None = None,
) -> Recipe:
    """Let a generator z -> x and a discriminator x -> logits play a game, z from N(0, I).

    Both networks are called with `train=...` and have a field `axis_name`, as those of `jaxgen.models`. The
    discriminator takes `critic_steps` steps, each on fresh data, to the generator's one. `label_smoothing` is of real
    examples alone (Salimans et al. 2016), in the games of log D. `gradient_penalty` weighs WGAN-GP's, between real and
    generated points (Gulrajani et al. 2017), `zero_centered_penalty` R1's, at real ones (Mescheder et al. 2018); either
    is of one judgement alone, and of x, not y. With `packing` m the discriminator judges m consecutive examples at once
    (Lin et al. 2018), B / m packs of a batch. With `num_classes` both see y (Mirza & Osindero 2014).

    Raises ValueError for a `game` that is not in `jaxgen.games`, for counts that are not positive, for smoothing in
    another game, and for a penalty on a discriminator with batch norm or minibatch standard deviation; in `init`
    and `step` AssertionError unless the y of a conditional GAN is integers [B].
    """
    discriminator_loss, generator_loss, threshold = game_of(game, label_smoothing)
    if critic_steps < 1 or packing < 1:
        raise ValueError(f"critic_steps and packing must be positive, got {critic_steps} and {packing}")
    of_the_batch = getattr(discriminator, "norm", None) == "batch" or getattr(discriminator, "minibatch_std", False)
    if (gradient_penalty or zero_centered_penalty) and of_the_batch:
        raise ValueError(
            "a gradient penalty is of one example alone: it needs a discriminator whose norm is spectral or none, and "
            "without minibatch_std"
        )

    def labelled(inputs: jax.Array, y: jax.Array | None) -> jax.Array:
        if num_classes is None:
            return inputs
        if y is None:
            raise ValueError(f"this GAN is conditional on a class: y must be given, integers in 0..{num_classes - 1}")
        chex.assert_rank(y, 1)
        chex.assert_type(y, int)
        return models.with_class(inputs, y.reshape(len(inputs), -1), num_classes)

    def shown(x: jax.Array, y: jax.Array | None) -> jax.Array:
        """What the discriminator sees: packs of examples, with their classes."""
        return labelled(models.pack(x, packing), y)

    def init(key: jax.Array, batch: dict) -> State:
        key_generator, key_discriminator = jax.random.split(key)
        first = batch if critic_steps == 1 else jax.tree.map(lambda leaf: leaf[0], batch)
        x, y = first["x"], first.get("y")
        z = jnp.zeros((len(x), latent_dim), jnp.float32)
        players = (
            player_of(generator.init(key_generator, labelled(z, y), train=False)),
            player_of(discriminator.init(key_discriminator, shown(x, y), train=False)),
        )
        label_counts = None if num_classes is None else jnp.zeros(num_classes, jnp.int32)
        train = Train(generator_optimizer.init(players[0].params), discriminator_optimizer.init(players[1].params))
        return State(Model(*players, label_counts), train)

    def discriminator_step(key: jax.Array, state: State, batch: dict, axis_name: str | None) -> tuple[State, dict]:
        key_latent, key_mixing = jax.random.split(key)
        (generating, player, _), x, y = state.model, batch["x"], batch.get("y")
        z = standard_normal(key_latent, len(x), (latent_dim,), axis_name=axis_name)
        fake = play(generator, generating, labelled(z, y), axis_name)[0]
        real, fake = models.pack(x, packing), models.pack(fake, packing)
        mixed = _mix(key_mixing, real, fake, axis_name)

        def loss(params: PyTree) -> tuple[jax.Array, tuple]:
            real_logits, statistics = play(
                discriminator, Player(params, player.statistics), labelled(real, y), axis_name
            )
            fake_logits, statistics = play(discriminator, Player(params, statistics), labelled(fake, y), axis_name)

            def critic(points: jax.Array) -> jax.Array:
                return play(discriminator, Player(params, player.statistics), labelled(points, y), axis_name)[0]

            value, penalty = jnp.mean(discriminator_loss(real_logits, fake_logits)), jnp.float32(0)
            if gradient_penalty:
                penalty += gradient_penalty * jnp.mean(losses.gradient_penalty(critic, mixed))
            if zero_centered_penalty:
                penalty += zero_centered_penalty * jnp.mean(losses.zero_centered_penalty(critic, real))
            metrics = {"discriminator_loss": value, "penalty": penalty}
            if threshold is not None:
                right = jnp.concatenate([real_logits > threshold, fake_logits < threshold])
                metrics["discriminator_accuracy"] = jnp.mean(right, dtype=jnp.float32)
            return value + penalty, (statistics, metrics)

        gradients, (statistics, metrics) = jax.grad(loss, has_aux=True)(player.params)
        gradients, metrics = mean_over((gradients, metrics), axis_name)
        updates, opt_state = discriminator_optimizer.update(gradients, state.train.discriminator, player.params)
        player = Player(optax.apply_updates(player.params, updates), statistics)
        state = State(state.model._replace(discriminator=player), state.train._replace(discriminator=opt_state))
        return state, metrics | {"discriminator_gradient_norm": optax.tree.norm(gradients)}

    def generator_step(key: jax.Array, state: State, batch: dict, axis_name: str | None) -> tuple[State, dict]:
        (player, judging, _), x, y = state.model, batch["x"], batch.get("y")
        z = standard_normal(key, len(x), (latent_dim,), axis_name=axis_name)

        def loss(params: PyTree) -> tuple[jax.Array, tuple]:
            fake, statistics = play(generator, Player(params, player.statistics), labelled(z, y), axis_name)
            logits = play(discriminator, judging, shown(fake, y), axis_name)[0]
            return jnp.mean(generator_loss(logits)), (statistics, fake)

        (value, (statistics, fake)), gradients = jax.value_and_grad(loss, has_aux=True)(player.params)
        gradients, value = mean_over((gradients, value), axis_name)
        updates, opt_state = generator_optimizer.update(gradients, state.train.generator, player.params)
        player = Player(optax.apply_updates(player.params, updates), statistics)
        diversity = _variance(fake, axis_name) / jnp.maximum(_variance(x, axis_name), 1e-12)
        metrics = {"loss": value, "generator_gradient_norm": optax.tree.norm(gradients), "diversity": diversity}
        metrics |= learning_rate(opt_state)
        return State(state.model._replace(generator=player), state.train._replace(generator=opt_state)), metrics

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        draws = batch if critic_steps > 1 else jax.tree.map(lambda leaf: leaf[None], batch)
        key_discriminator, key_generator = jax.random.split(key)

        def turn(state: State, now: tuple[jax.Array, dict]) -> tuple[State, dict]:
            index, drawn = now
            return discriminator_step(jax.random.fold_in(key_discriminator, index), state, drawn, axis_name)

        state, turns = jax.lax.scan(turn, state, (jnp.arange(critic_steps), draws))
        of_discriminator = jax.tree.map(lambda metric: metric[-1], turns)
        last = jax.tree.map(lambda leaf: leaf[-1], draws)
        state, of_generator = generator_step(key_generator, state, last, axis_name)
        if num_classes is not None:
            label_counts = labels.count(state.model.label_counts, draws["y"].reshape(-1), axis_name)
            state = state._replace(model=state.model._replace(label_counts=label_counts))
        return state, of_discriminator | of_generator

    def evaluate(key: jax.Array, model: Model, batch: dict) -> dict[str, jax.Array]:
        """What the discriminator says of each example, and of as many generated ones.

        It says so under its running statistics; in play, batch norm takes those of the real or of the fake batch.
        """
        x, y = batch["x"], batch.get("y")
        fake = decode(model, standard_normal(key, len(x), (latent_dim,)), y=y)

        def logits(x: jax.Array) -> jax.Array:
            rows = jnp.minimum(jnp.arange(-(-len(x) // packing) * packing), len(x) - 1)  # filled up to whole packs
            packs = shown(x[rows], None if y is None else y[rows])
            return jnp.repeat(look(discriminator, model.discriminator, packs), packing)[: len(x)]

        return {"real_logit": logits(x), "fake_logit": logits(fake)}

    def sample(key: jax.Array, model: Model, num: int, *, y: jax.Array | None = None) -> jax.Array:
        key_label, key_latent = jax.random.split(key)
        if model.label_counts is not None and y is None:
            y = labels.draw(key_label, model.label_counts, num)
        return decode(model, standard_normal(key_latent, num, (latent_dim,)), y=y)

    def decode(model: Model, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return look(generator, model.generator, labelled(z, y))

    return Recipe(init, step, evaluate, sample, decode=decode, draws=critic_steps)


def _mix(key: jax.Array, real: jax.Array, fake: jax.Array, axis_name: str | None) -> jax.Array:
    """Points between real and generated ones: epsilon x + (1 - epsilon) G(z), epsilon ~ U(0, 1) of each row."""
    uniform = jax.vmap(jax.random.uniform)(example_keys(key, len(real), axis_name))
    share = uniform.reshape(-1, *[1] * (real.ndim - 1))
    return share * real + (1 - share) * fake


def _variance(x: jax.Array, axis_name: str | None) -> jax.Array:
    """The variance of x over all examples of all devices, summed over its features."""
    flat = x.reshape(len(x), -1)
    mean = mean_over(jnp.mean(flat, axis=0, keepdims=True), axis_name)
    return jnp.sum(mean_over(jnp.mean(jnp.square(flat - mean), axis=0), axis_name))
