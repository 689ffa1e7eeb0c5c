"""InfoGAN: a game whose generator keeps its code readable (Chen et al. 2016)."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen.adversarial import (
    Player,
    apply_eval,
    apply_train,
    choose_game,
    choose_opponent,
    diversity,
    half_step,
    init_player,
    tell_apart,
)
from jaxgen.models import PlayerNetwork
from jaxgen.optimize import check_optimizers, learning_rate
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.sampling import example_keys


class Model(NamedTuple):
    """Both players."""

    #: G, (noise, code) -> x.
    generator: Player
    #: D and Q on shared layers, x -> (logits, code).
    discriminator: Player


class Train(NamedTuple):
    """The optimizer states of both players."""

    #: Optimizer state of the generator.
    generator: PyTree
    #: Optimizer state of D and Q.
    discriminator: PyTree


def infogan(
    generator: PlayerNetwork,
    discriminator: PlayerNetwork,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    *,
    noise_dim: int,
    num_categories: int = 10,
    num_continuous: int = 2,
    weight: float = 1.0,
    game: str = "non-saturating",
    order: str = "in turn",
) -> Recipe:
    """Train G against D, and both to keep the mutual information of the code and x high (eq. 5 and 6).

    z [B, noise_dim + num_categories + num_continuous] is noise, a category as one of `num_categories` ones and
    continuous codes; noise and continuous codes are U(-1, 1), as in the authors' code, categories uniform. The
    discriminator is a network x -> (logits [B], Q's code [B, num_categories + num_continuous]): logits of the
    categories, and the means of the continuous codes, whose standard deviation is 1. `weight` (lambda) multiplies the
    bound on the mutual information, in nats, in the losses of both sides. `features` are Q's log-probabilities of the
    categories and its means: [B, num_categories + num_continuous]. In the `order` "at once" G steps against D and Q
    before their update.

    Raises ValueError for a `game` that is not in `jaxgen.adversarial.GAMES`, and for sizes that are not positive
    (`num_continuous` may be 0).
    """
    check_optimizers(generator_optimizer=generator_optimizer, discriminator_optimizer=discriminator_optimizer)
    rules, opponent = choose_game(game), choose_opponent(order)
    if min(noise_dim, num_categories) < 1 or num_continuous < 0:
        raise ValueError(
            "noise_dim and num_categories must be positive and num_continuous not negative, got "
            f"{noise_dim}, {num_categories} and {num_continuous}"
        )
    # H(c): of a uniform category, and of U(-1, 1) for each continuous code.
    entropy = math.log(num_categories) + num_continuous * math.log(2)

    def draw_latent(key: jax.Array, num: int, axis_name: str | None = None) -> jax.Array:
        def one(key: jax.Array) -> jax.Array:
            key_uniform, key_category = jax.random.split(key)
            uniform = jax.random.uniform(key_uniform, (noise_dim + num_continuous,), jnp.float32, -1, 1)
            chosen = jax.random.randint(key_category, (), 0, num_categories)
            category = jax.nn.one_hot(chosen, num_categories, dtype=jnp.float32)
            return jnp.concatenate([uniform[:noise_dim], category, uniform[noise_dim:]])

        return jax.vmap(one)(example_keys(key, num, axis_name))

    def information(code: jax.Array, z: jax.Array) -> jax.Array:
        """log Q(c | x) + H(c), whose mean is a lower bound on I(c; x) (eq. 5): nats [B]."""
        c = z[:, noise_dim:]
        categories = jnp.sum(c[:, :num_categories] * jax.nn.log_softmax(code[:, :num_categories]), axis=1)
        error = jnp.square(c[:, num_categories:] - code[:, num_categories:])
        return categories + jnp.sum(-0.5 * error - 0.5 * math.log(2 * math.pi), axis=1) + entropy

    def init(key: jax.Array, batch: dict) -> State:
        key_generator, key_discriminator = jax.random.split(key)
        x = batch["x"]
        z = jnp.zeros((len(x), noise_dim + num_categories + num_continuous), jnp.float32)
        g, d = init_player(generator, key_generator, z), init_player(discriminator, key_discriminator, x)
        return State(Model(g, d), Train(generator_optimizer.init(g.params), discriminator_optimizer.init(d.params)))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        (g, d), (g_opt_state, d_opt_state) = state
        x, (key_discriminator, key_generator) = batch["x"], jax.random.split(key)

        def generate(key: jax.Array, g: Player) -> tuple[jax.Array, jax.Array, Player]:
            z = draw_latent(key, len(x), axis_name)
            fake, after = apply_train(generator, g, z, axis_name=axis_name)
            return z, fake, after

        def both(d: Player, x: jax.Array) -> tuple[tuple[jax.Array, jax.Array], Player]:
            return apply_train(discriminator, d, x, axis_name=axis_name)

        before, (z, fake, _) = d, generate(key_discriminator, g)

        def discriminator_loss(d: Player) -> tuple:
            def discriminate(carried: tuple, x: jax.Array) -> tuple[jax.Array, tuple]:
                (logits, code), after = both(carried[0], x)
                return logits, (after, code)

            values, metrics, (after, code) = tell_apart(rules, discriminate, (d, None), x, fake)
            return values - weight * information(code, z), metrics, (after, None)

        d, d_opt_state, d_metrics, _ = half_step(
            discriminator_optimizer, discriminator_loss, d, d_opt_state, axis_name, name="discriminator"
        )

        def loss(g: Player) -> tuple:
            z, fake, after = generate(key_generator, g)
            (logits, code), _ = both(opponent(before, d), fake)
            found = information(code, z)
            return rules.generator_loss(logits) - weight * found, {"mutual_information": found}, (after, fake)

        g, g_opt_state, metrics, generated = half_step(
            generator_optimizer, loss, g, g_opt_state, axis_name, name="generator"
        )
        metrics["diversity"] = diversity(generated, x, axis_name=axis_name)
        state = State(Model(g, d), Train(g_opt_state, d_opt_state))
        return state, {**d_metrics, **metrics, **learning_rate(g_opt_state)}

    def evaluate(key: jax.Array, model: Model, batch: dict) -> dict[str, jax.Array]:
        """Logits of the examples and of as many generated ones, and of these the bound, in evaluation mode."""
        z = draw_latent(key, len(batch["x"]))
        real, _ = apply_eval(discriminator, model.discriminator, batch["x"])
        fake, code = apply_eval(discriminator, model.discriminator, decode(model, z))
        return {"real_logit": real, "fake_logit": fake, "mutual_information": information(code, z)}

    def sample(key: jax.Array, model: Model, num: int, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return decode(model, draw_latent(key, num))

    def decode(model: Model, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return apply_eval(generator, model.generator, z)

    def features(model: Model, x: jax.Array) -> jax.Array:
        _, code = apply_eval(discriminator, model.discriminator, x)
        return code.at[:, :num_categories].set(jax.nn.log_softmax(code[:, :num_categories]))

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        decode=decode,
        code_shape=(noise_dim + num_categories + num_continuous,),
        features=features,
        categories=num_categories,
    )
