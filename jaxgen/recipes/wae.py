"""Wasserstein autoencoders (Tolstikhin et al. 2018): the aggregate posterior, not each posterior, matches the prior."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from jaxgen import losses
from jaxgen.adversarial import Player, half_step
from jaxgen.likelihood import Likelihood, bernoulli, fixed_gaussian
from jaxgen.models import VAE, Autoencoder
from jaxgen.optimize import Losses, minimize, reset_when
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.sampling import from_prior, standard_normal

#: What c(x, G(z)) may be, by name.
COSTS = {
    # That of N(output, 1/2), less a constant.
    "squared": fixed_gaussian(math.sqrt(0.5))._replace(nll=losses.squared_error),
    "bernoulli": bernoulli,
}


class Train(NamedTuple):
    """What only a step reads."""

    #: Taken so far, [].
    steps: jax.Array
    #: Of the autoencoder's optimizer.
    opt_state: PyTree
    #: WAE-GAN's variables of the discriminator; None in WAE-MMD, as is what follows.
    discriminator: PyTree = None
    #: Of the discriminator's optimizer.
    discriminator_opt_state: PyTree = None


def wae_mmd(
    network: Autoencoder | VAE,
    optimizer: optax.GradientTransformation,
    *,
    weight: float = 10.0,
    cost: str = "squared",
    cost_weight: float = 1.0,
    kernel: Callable[[jax.Array], jax.Array] | None = None,
    input_noise: float = 0.0,
    pretrain_steps: int = 0,
) -> Recipe:
    """WAE-MMD: minimise the cost plus `weight` (lambda) times MMD^2 between codes and N(0, I) (algorithm 2).

    An `Autoencoder` encodes deterministically, a `VAE` draws z from its Gaussian encoder. The MMD is the unbiased
    estimate on the whole batch, of all devices; its kernel, by default, the authors' sum of inverse multiquadrics.

    In their code too: the squared error is weighed 0.05, `cost_weight`; what is encoded in training has Gaussian noise
    of standard deviation 0.01, `input_noise`; and for the first `pretrain_steps`, at most 200, the loss is only how far
    the codes' mean and covariance are from the prior's. Raises ValueError for a `cost` that is not in `COSTS`.
    """
    chosen, latent_dim = _cost(cost), network.latent_dim
    kernel = kernel or losses.latent_kernel(latent_dim)

    def init(key: jax.Array, batch: dict) -> State:
        params = network.init(key, batch["x"])
        return State(params, Train(jnp.int32(0), optimizer.init(params)))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        x, (steps, opt_state, *_) = batch["x"], state.train
        opt_state = reset_when(steps == pretrain_steps, optimizer, state.model, opt_state)
        prior, seen, noise = _draws(key, x, latent_dim, input_noise, axis_name)

        def loss(params: PyTree) -> Losses:
            z = _code(network, params, seen, noise)
            costs = cost_weight * chosen.nll(network.apply(params, z, method="decode"), x)
            every_z = _gathered(z, axis_name)
            mmd = losses.mmd_unbiased(every_z, _gathered(prior, axis_name), kernel)
            objective = costs + weight * mmd
            if pretrain_steps:
                objective = jnp.where(steps < pretrain_steps, _moment_distance(every_z), objective)
            return objective, {"cost": costs, "mmd": mmd}, None

        params, opt_state, metrics, _ = minimize(optimizer, loss, state.model, opt_state, axis_name)
        return State(params, Train(steps + 1, opt_state)), metrics

    return _family(network, init, step, chosen, cost_weight)


def wae_gan(
    network: Autoencoder | VAE,
    discriminator: nn.Module,
    optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    *,
    weight: float = 10.0,
    cost: str = "squared",
    cost_weight: float = 1.0,
    input_noise: float = 0.0,
    pretrain_steps: int = 0,
) -> Recipe:
    """WAE-GAN: a discriminator z -> logits tells N(0, I) from codes, and the encoder fools it (algorithm 1).

    As in the authors' code `weight` (lambda) multiplies the discriminator's loss as well as the encoder's, which is the
    non-saturating one. While the encoder is pre-trained the discriminator waits. Everything else as in `wae_mmd`.
    """
    chosen, latent_dim = _cost(cost), network.latent_dim

    def logits(params: PyTree, z: jax.Array) -> jax.Array:
        return discriminator.apply(params, z, train=True)

    def init(key: jax.Array, batch: dict) -> State:
        key_network, key_discriminator = jax.random.split(key)
        params = network.init(key_network, batch["x"])
        judge = discriminator.init(key_discriminator, jnp.zeros((1, latent_dim), jnp.float32), train=True)
        train = Train(jnp.int32(0), optimizer.init(params), judge, discriminator_optimizer.init(judge))
        return State(params, train)

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        x, (steps, opt_state, judge, judge_opt_state) = batch["x"], state.train
        opt_state = reset_when(steps == pretrain_steps, optimizer, state.model, opt_state)
        judge_opt_state = reset_when(steps == pretrain_steps, discriminator_optimizer, judge, judge_opt_state)
        prior, seen, noise = _draws(key, x, latent_dim, input_noise, axis_name)
        codes = _code(network, state.model, seen, noise)
        pretraining = steps < pretrain_steps

        def judge_loss(judge: Player) -> tuple:
            told = losses.minimax_discriminator_loss(logits(judge.params, prior), logits(judge.params, codes))
            return jnp.where(pretraining, 0, weight * told), {"discriminator_loss": told}, (judge, None)

        (judge, _), judge_opt_state, judged, _ = half_step(
            discriminator_optimizer, judge_loss, Player(judge, {}), judge_opt_state, axis_name, name="discriminator"
        )

        def loss(params: PyTree) -> Losses:
            z = _code(network, params, seen, noise)
            costs = cost_weight * chosen.nll(network.apply(params, z, method="decode"), x)
            fooling = losses.non_saturating_generator_loss(logits(judge, z))
            objective = costs + weight * fooling
            if pretrain_steps:
                objective = jnp.where(pretraining, _moment_distance(_gathered(z, axis_name)), objective)
            return objective, {"cost": costs, "encoder_loss": fooling}, None

        params, opt_state, metrics, _ = minimize(optimizer, loss, state.model, opt_state, axis_name)
        return State(params, Train(steps + 1, opt_state, judge, judge_opt_state)), {
            **metrics,
            "discriminator_loss": judged["discriminator_loss"],
        }

    return _family(network, init, step, chosen, cost_weight)


def _cost(name: str) -> Likelihood:
    if name not in COSTS:
        raise ValueError(f"cost must be one of {', '.join(COSTS)}, got {name!r}")
    return COSTS[name]


def _gathered(z: jax.Array, axis_name: str | None) -> jax.Array:
    """The rows of all devices: what a row adds to a loss of a set depends on every other."""
    return z if axis_name is None else jax.lax.all_gather(z, axis_name, tiled=True)


def _moment_distance(z: jax.Array) -> jax.Array:
    """Mean squares of what the mean and the covariance of codes [B, Z] lack of the prior's, as in the authors' code."""
    mean, covariance = jnp.mean(z, axis=0), jnp.cov(z, rowvar=False)
    return jnp.mean(jnp.square(mean)) + jnp.mean(jnp.square(covariance - jnp.eye(z.shape[1], dtype=z.dtype)))


def _draws(
    key: jax.Array, x: jax.Array, latent_dim: int, input_noise: float, axis_name: str | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Of a step: codes of the prior [B, Z], x with noise [B, ...], and the noise of a Gaussian encoder [B, Z]."""
    key_code, key_prior, key_input = jax.random.split(key, 3)
    prior, noise = (standard_normal(k, len(x), (latent_dim,), axis_name=axis_name) for k in (key_prior, key_code))
    if input_noise:
        x += input_noise * standard_normal(key_input, len(x), x.shape[1:], axis_name=axis_name)
    return prior, x, noise


def _code(network: Autoencoder | VAE, params: PyTree, x: jax.Array, noise: jax.Array) -> jax.Array:
    """Z of each example [B, Z], drawn with `noise` where the encoder is Gaussian."""
    code = network.apply(params, x, method="encode")
    return losses.reparameterize(code.mean, code.log_var, noise) if isinstance(network, VAE) else code


def _family(
    network: Autoencoder | VAE,
    init: Callable[..., State],
    step: Callable[..., tuple[State, dict]],
    cost: Likelihood,
    cost_weight: float,
) -> Recipe:
    """What readers do with parameters, however they were learnt."""

    def evaluate(key: jax.Array, model: PyTree, batch: dict) -> dict[str, jax.Array]:
        x = batch["x"]
        output = network.apply(model, draw_code(key, model, x), method="decode")
        squared_error = losses.squared_error(decode(model, encode(model, x)), x)
        return {"cost": cost_weight * cost.nll(output, x), "squared_error": squared_error}

    def sample(key: jax.Array, model: PyTree, num: int, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return from_prior(key, lambda z: decode(model, z), num, network.latent_dim)

    def encode(model: PyTree, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        code = network.apply(model, x, method="encode")
        return code.mean if isinstance(network, VAE) else code

    def draw_code(key: jax.Array, model: PyTree, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return _code(network, model, x, standard_normal(key, len(x), (network.latent_dim,)))

    def decode(model: PyTree, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return cost.mean(network.apply(model, z, method="decode"))

    draws = draw_code if isinstance(network, VAE) else None
    return Recipe(init=init, step=step, evaluate=evaluate, sample=sample, encode=encode, draw_code=draws, decode=decode)
