"""Bidirectional generative adversarial networks (Donahue et al. 2017; Dumoulin et al. 2017), and latent regressors."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen import losses
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
from jaxgen.sampling import from_prior, standard_normal


class Coders(NamedTuple):
    """The side that one optimizer updates together."""

    #: G, z -> x.
    generator: Player
    #: E, x -> z.
    encoder: Player


class Model(NamedTuple):
    """Both sides of the game."""

    #: G and E.
    coders: Coders
    #: D, (x, z) -> logits; x -> logits beside a latent regressor.
    discriminator: Player


class Train(NamedTuple):
    """The optimizer states of both sides."""

    #: Optimizer state of G and E.
    coders: PyTree
    #: Optimizer state of D.
    discriminator: PyTree


def bigan(
    generator: PlayerNetwork,
    encoder: PlayerNetwork,
    discriminator: PlayerNetwork,
    optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    *,
    latent_dim: int,
    game: str = "non-saturating",
    order: str = "in turn",
    regress: float | None = None,
) -> Recipe:
    """Train G and E so that D cannot tell (x, E(x)) from (G(z), z), z ~ N(0, I).

    D takes x and z. Where the game is won, E inverts G (theorem 2), though no loss compares x with G(E(x)). `features`
    are those of the encoder's method of that name, the layer before the code. In the `order` "at once" G and E step
    against D before its update, as in the authors' code.

    With `regress` the paper's baselines: D takes x alone, and E minimises the mean over the Z values of the squared
    error of z given G(z). With this weight the error reaches G too: 0 is the latent regressor, more the joint one.

    Raises ValueError for a `game` that is not in `jaxgen.adversarial.GAMES`, and for least squares, in which real and
    generated examples do not change places with the sign of the logits.
    """
    check_optimizers(optimizer=optimizer, discriminator_optimizer=discriminator_optimizer)
    rules, opponent = choose_game(game), choose_opponent(order)
    if game == "least-squares":
        raise ValueError("game must be one whose sides change places with the sign of the logits, got 'least-squares'")

    def init(key: jax.Array, batch: dict) -> State:
        key_generator, key_encoder, key_discriminator = jax.random.split(key, 3)
        x = batch["x"]
        z = jnp.zeros((len(x), latent_dim), jnp.float32)
        coders = Coders(init_player(generator, key_generator, z), init_player(encoder, key_encoder, x))
        d = init_player(discriminator, key_discriminator, *((x, z) if regress is None else (x,)))
        params = jax.tree.map(lambda player: player.params, coders, is_leaf=lambda node: isinstance(node, Player))
        return State(Model(coders, d), Train(optimizer.init(params), discriminator_optimizer.init(d.params)))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        (coders, d), (opt_state, d_opt_state) = state
        x, (key_discriminator, key_coders) = batch["x"], jax.random.split(key)

        def play(key: jax.Array, coders: Coders) -> tuple[tuple, tuple, jax.Array, Coders]:
            """What D sees of real and of generated examples, the error of the regressor [B], and the players after."""
            z = standard_normal(key, len(x), (latent_dim,), axis_name=axis_name)
            fake, g = apply_train(generator, coders.generator, z, axis_name=axis_name)
            if regress is None:
                code, e = apply_train(encoder, coders.encoder, x, axis_name=axis_name)
                return (x, code), (fake, z), jnp.zeros(len(x), jnp.float32), Coders(g, e)
            still = jax.lax.stop_gradient(fake)
            code, e = apply_train(encoder, coders.encoder, still + regress * (fake - still), axis_name=axis_name)
            return (x,), (fake,), jnp.mean(jnp.square(code - z), axis=1), Coders(g, e)

        def discriminate(d: Player, inputs: tuple) -> tuple[jax.Array, Player]:
            return apply_train(discriminator, d, *inputs, axis_name=axis_name)

        real, fake, _, _ = play(key_discriminator, coders)

        def discriminator_loss(d: Player) -> tuple:
            values, metrics, after = tell_apart(rules, discriminate, d, real, fake)
            return values, metrics, (after, None)

        before = d
        d, d_opt_state, d_metrics, _ = half_step(
            discriminator_optimizer, discriminator_loss, d, d_opt_state, axis_name, name="discriminator"
        )

        def loss(coders: Coders) -> tuple:
            real, fake, error, after = play(key_coders, coders)
            faced = opponent(before, d)
            values = rules.generator_loss(discriminate(faced, fake)[0]) + error
            if regress is None:
                values += rules.generator_loss(-discriminate(faced, real)[0])
            return values, {"regression_error": error} if regress is not None else {}, (after, fake[0])

        coders, opt_state, metrics, generated = half_step(
            optimizer, loss, coders, opt_state, axis_name, name="generator_and_encoder"
        )
        metrics["diversity"] = diversity(generated, x, axis_name=axis_name)
        state = State(Model(coders, d), Train(opt_state, d_opt_state))
        return state, {**d_metrics, **metrics, **learning_rate(opt_state)}

    def evaluate(key: jax.Array, model: Model, batch: dict) -> dict[str, jax.Array]:
        """Logits of the examples and of as many generated ones, in evaluation mode; the error of G(E(x))."""
        x = batch["x"]
        z, code = standard_normal(key, len(x), (latent_dim,)), encode(model, x)
        pairs = ((x, code), (decode(model, z), z))
        real, fake = (
            apply_eval(discriminator, model.discriminator, *(pair if regress is None else pair[:1])) for pair in pairs
        )
        error = losses.squared_error(decode(model, code), x)
        return {"real_logit": real, "fake_logit": fake, "squared_error": error}

    def sample(key: jax.Array, model: Model, num: int, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return from_prior(key, lambda z: decode(model, z), num, latent_dim)

    def encode(model: Model, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return apply_eval(encoder, model.coders.encoder, x)

    def decode(model: Model, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return apply_eval(generator, model.coders.generator, z)

    def features(model: Model, x: jax.Array) -> jax.Array:
        return apply_eval(encoder, model.coders.encoder, x, method="features")

    return Recipe(
        init=init, step=step, evaluate=evaluate, sample=sample, encode=encode, decode=decode, features=features
    )
