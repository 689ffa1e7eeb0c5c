"""Generative adversarial networks (Goodfellow et al. 2014, algorithm 1)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen import labels, losses, models
from jaxgen._checks import check
from jaxgen.adversarial import (
    Player,
    apply_eval,
    apply_train,
    choose_game,
    choose_opponent,
    diversity,
    half_step,
    init_player,
    mix,
    tell_apart,
)
from jaxgen.optimize import check_optimizers, learning_rate
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.sampling import standard_normal


class Model(NamedTuple):
    """Both players and the label counts of training."""

    #: G, z -> x.
    generator: Player
    #: D, x -> logits.
    discriminator: Player
    #: Integers [K]; None if y is not used.
    label_counts: jax.Array | None


class Train(NamedTuple):
    """The optimizer states of both players."""

    #: Optimizer state of the generator.
    generator: PyTree
    #: Optimizer state of the discriminator.
    discriminator: PyTree


def gan(
    generator: models.PlayerNetwork,
    discriminator: models.PlayerNetwork,
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
    order: str = "in turn",
    num_classes: int | None = None,
) -> Recipe:
    """Train a generator z -> x, z ~ N(0, I), against a discriminator x -> logits.

    The discriminator takes `critic_steps` steps, each on new data, per generator step. `label_smoothing` is one-sided
    (Salimans et al. 2016), for the minimax and non-saturating games. `gradient_penalty` is the weight of the WGAN-GP
    penalty between real and generated points (Gulrajani et al. 2017), `zero_centered_penalty` that of the R1 penalty at
    real points (Mescheder et al. 2018); both penalise the gradient in x, not in y. With `packing` m the discriminator
    sees packs of m consecutive examples (PacGAN, Lin et al. 2018), B / m packs per batch. In the `order` "at once" the
    generator steps against the discriminator before its update, as in PacGAN's code. With `num_classes` both networks
    see y (Mirza & Osindero 2014).

    Raises ValueError for a `game` that is not in `jaxgen.adversarial.GAMES`, for counts that are not positive, for
    smoothing in another game, and for a penalty on a discriminator with batch norm or minibatch standard deviation; in
    `init` and `step` AssertionError unless x and y have a leading axis of `critic_steps`, if that is not 1, and the y
    of a conditional GAN is integers [B].
    """
    check_optimizers(generator_optimizer=generator_optimizer, discriminator_optimizer=discriminator_optimizer)
    rules, opponent = choose_game(game, label_smoothing), choose_opponent(order)
    if critic_steps < 1 or packing < 1:
        raise ValueError(f"critic_steps and packing must be positive, got {critic_steps} and {packing}")
    couples_examples = getattr(discriminator, "norm", None) == "batch" or getattr(discriminator, "minibatch_std", False)
    if (gradient_penalty or zero_centered_penalty) and couples_examples:
        raise ValueError(
            "a gradient penalty is of one example alone: it needs a discriminator whose norm is spectral or none, and "
            "without minibatch_std"
        )

    def with_class(inputs: jax.Array, y: jax.Array | None) -> jax.Array:
        """Network inputs, codes or packs of examples, with their classes if the GAN is conditional."""
        if num_classes is None:
            return inputs
        if y is None:
            raise ValueError(f"this GAN is conditional on a class: y must be given, integers in 0..{num_classes - 1}")
        check("gan", y=(y, "int [B]"))
        return models.with_class(inputs, y.reshape(inputs.shape[0], -1), num_classes)

    def turns_of(batch: dict) -> dict:
        """The batch of each critic step, [critic_steps, B, ...]."""
        if critic_steps == 1:
            return jax.tree.map(lambda leaf: leaf[None], batch)
        for name, leaf in batch.items():
            check("gan", **{name: (leaf, f"number [{critic_steps}, B, ...]")})
        return batch

    def init(key: jax.Array, batch: dict) -> State:
        key_generator, key_discriminator = jax.random.split(key)
        first = jax.tree.map(lambda leaf: leaf[0], turns_of(batch))
        x, y = first["x"], first.get("y")
        g = init_player(generator, key_generator, with_class(jnp.zeros((len(x), latent_dim), jnp.float32), y))
        d = init_player(discriminator, key_discriminator, with_class(models.pack(x, packing), y))
        label_counts = None if num_classes is None else jnp.zeros(num_classes, jnp.int32)
        train = Train(generator_optimizer.init(g.params), discriminator_optimizer.init(d.params))
        return State(Model(g, d, label_counts), train)

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        (g, d, label_counts), (g_opt_state, d_opt_state) = state
        batches = turns_of(batch)
        key_discriminator, key_generator = jax.random.split(key)

        def generate(key: jax.Array, g: Player, x: jax.Array, y: jax.Array | None) -> tuple[jax.Array, Player]:
            z = standard_normal(key, len(x), (latent_dim,), axis_name=axis_name)
            fake, after = apply_train(generator, g, with_class(z, y), axis_name=axis_name)
            check("gan", x=(x, "number [B, ...]"), generated=(fake, "number [B, ...]"))
            return fake, after

        def discriminate(d: Player, packs: jax.Array, y: jax.Array | None) -> tuple[jax.Array, Player]:
            return apply_train(discriminator, d, with_class(packs, y), axis_name=axis_name)

        def update_discriminator(side: tuple[Player, PyTree], now: tuple[jax.Array, dict]) -> tuple[tuple, dict]:
            turn, drawn = now
            key_latent, key_mixing = jax.random.split(jax.random.fold_in(key_discriminator, turn))
            x, y = drawn["x"], drawn.get("y")
            fake, _ = generate(key_latent, g, x, y)
            real, fake = models.pack(x, packing), models.pack(fake, packing)
            mixed = mix(key_mixing, real, fake, axis_name=axis_name)

            def loss(d: Player) -> tuple:
                values, metrics, after = tell_apart(rules, lambda d, packs: discriminate(d, packs, y), d, real, fake)
                critic, penalty = lambda packs: discriminate(d, packs, y)[0], jnp.float32(0)
                if gradient_penalty:
                    penalty += gradient_penalty * jnp.mean(losses.gradient_penalty(critic, mixed))
                if zero_centered_penalty:
                    penalty += zero_centered_penalty * jnp.mean(losses.zero_centered_penalty(critic, real))
                return jnp.mean(values) + penalty, {**metrics, "penalty": penalty}, (after, None)

            d, opt_state, metrics, _ = half_step(discriminator_optimizer, loss, *side, axis_name, name="discriminator")
            return (d, opt_state), metrics

        turns, before = (jnp.arange(critic_steps), batches), d
        (d, d_opt_state), d_metrics = jax.lax.scan(update_discriminator, (d, d_opt_state), turns)
        d_metrics, last = jax.tree.map(lambda leaf: leaf[-1], (d_metrics, batches))

        def loss(g: Player) -> tuple:
            fake, after = generate(key_generator, g, last["x"], last.get("y"))
            logits, _ = discriminate(opponent(before, d), models.pack(fake, packing), last.get("y"))
            return rules.generator_loss(logits), {}, (after, fake)

        g, g_opt_state, metrics, fake = half_step(
            generator_optimizer, loss, g, g_opt_state, axis_name, name="generator"
        )
        metrics["diversity"] = diversity(fake, last["x"], axis_name=axis_name)
        if label_counts is not None:
            label_counts = labels.count(label_counts, batches["y"].reshape(-1), axis_name)
        state = State(Model(g, d, label_counts), Train(g_opt_state, d_opt_state))
        return state, {**d_metrics, **metrics, **learning_rate(g_opt_state)}

    def evaluate(key: jax.Array, model: Model, batch: dict) -> dict[str, jax.Array]:
        """Discriminator logits of the examples and of as many generated ones.

        In evaluation mode, with running statistics; in training batch norm uses those of the real or the fake batch.
        """
        x, y = batch["x"], batch.get("y")
        fake = decode(model, standard_normal(key, len(x), (latent_dim,)), y=y)

        def logits(x: jax.Array) -> jax.Array:
            rows = jnp.minimum(jnp.arange(-(-len(x) // packing) * packing), len(x) - 1)  # padded to whole packs
            packs = with_class(models.pack(x[rows], packing), None if y is None else y[rows])
            return jnp.repeat(apply_eval(discriminator, model.discriminator, packs), packing)[: len(x)]

        return {"real_logit": logits(x), "fake_logit": logits(fake)}

    def sample(key: jax.Array, model: Model, num: int, *, y: jax.Array | None = None) -> jax.Array:
        key_label, key_latent = jax.random.split(key)
        if model.label_counts is not None and y is None:
            y = labels.draw(key_label, model.label_counts, num)
        return decode(model, standard_normal(key_latent, num, (latent_dim,)), y=y)

    def decode(model: Model, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return apply_eval(generator, model.generator, with_class(z, y))

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        decode=decode,
        code_shape=(latent_dim,),
        conditional=num_classes is not None,
        draws=critic_steps,
    )
