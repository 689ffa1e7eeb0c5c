"""Wasserstein autoencoders (Tolstikhin et al. 2018): the aggregate posterior, not each posterior, matches the prior."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen import losses
from jaxgen.adversarial import Player, choose_opponent, half_step
from jaxgen.likelihood import Likelihood, bernoulli, fixed_gaussian
from jaxgen.models import Autoencoder, AutoencoderNetwork, PlayerNetwork
from jaxgen.optimize import Losses, check_optimizers, minimize, reset_when
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.sampling import from_prior, standard_normal

#: The costs c(x, G(z)) by name.
COSTS = {
    # The NLL of N(output, 1/2) without its constant.
    "squared": fixed_gaussian(math.sqrt(0.5))._replace(nll=losses.squared_error),
    "bernoulli": bernoulli,
}


class Train(NamedTuple):
    """Training state, which only `step` reads."""

    #: Steps so far, [].
    steps: jax.Array
    #: State of the autoencoder's optimizer.
    opt_state: PyTree
    #: Variables of the discriminator in WAE-GAN; None in WAE-MMD, like the next field.
    discriminator: PyTree = None
    #: State of the discriminator's optimizer.
    discriminator_opt_state: PyTree = None


def wae_mmd(
    network: AutoencoderNetwork,
    optimizer: optax.GradientTransformation,
    *,
    weight: float = 10.0,
    cost: str = "squared",
    cost_weight: float = 1.0,
    kernel: Callable[[jax.Array], jax.Array] | None = None,
    pair_kernel: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
    input_noise: float = 0.0,
    pretrain_steps: int = 0,
) -> Recipe:
    """WAE-MMD: minimise the cost plus `weight` (lambda) times MMD^2 between codes and N(0, I) (algorithm 2).

    An `Autoencoder` encodes deterministically, a `VAE` draws z from its Gaussian encoder; a network of one's own does
    what it encodes to: z, or (mean, log_var). The MMD is the unbiased
    estimate on the whole batch, over all devices; by default under the authors' sum of inverse multiquadrics;
    `kernel` and `pair_kernel` are those of `losses.mmd_unbiased`.

    Three options come from the authors' code: `cost_weight`, 0.05 for the squared error; `input_noise`, the standard
    deviation of Gaussian noise added to the encoder's input in training, 0.01; and `pretrain_steps`, at most 200 first
    steps whose loss only matches mean and covariance of the codes to the prior's. Raises ValueError for a `cost` that
    is not in `COSTS`.
    """
    check_optimizers(optimizer=optimizer)
    chosen, latent_dim = _cost(cost), network.latent_dim
    if pair_kernel is None:
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
            every_z = _gather(z, axis_name)
            mmd = losses.mmd_unbiased(every_z, _gather(prior, axis_name), kernel, pair_kernel=pair_kernel)
            objective = costs + weight * mmd
            if pretrain_steps:
                objective = jnp.where(steps < pretrain_steps, _moment_distance(every_z), objective)
            return objective, {"cost": costs, "mmd": mmd}, None

        params, opt_state, metrics, _ = minimize(optimizer, loss, state.model, opt_state, axis_name)
        return State(params, Train(steps + 1, opt_state)), metrics

    return _family(network, init, step, chosen, cost_weight)


def wae_gan(
    network: AutoencoderNetwork,
    discriminator: PlayerNetwork,
    optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    *,
    weight: float = 10.0,
    cost: str = "squared",
    cost_weight: float = 1.0,
    input_noise: float = 0.0,
    pretrain_steps: int = 0,
    order: str = "in turn",
) -> Recipe:
    """WAE-GAN: a discriminator z -> logits separates codes from N(0, I), and the encoder fools it (algorithm 1).

    As in the authors' code, `weight` (lambda) multiplies both the discriminator's loss and the encoder's non-saturating
    loss. The discriminator is not trained while the encoder is pre-trained. In the `order` "at once" the encoder steps
    against the discriminator before its update. Everything else is as in `wae_mmd`.
    """
    check_optimizers(optimizer=optimizer, discriminator_optimizer=discriminator_optimizer)
    opponent = choose_opponent(order)
    chosen, latent_dim = _cost(cost), network.latent_dim

    def logits(params: PyTree, z: jax.Array) -> jax.Array:
        return discriminator.apply(params, z, train=True)

    def init(key: jax.Array, batch: dict) -> State:
        key_network, key_discriminator = jax.random.split(key)
        params = network.init(key_network, batch["x"])
        d_params = discriminator.init(key_discriminator, jnp.zeros((1, latent_dim), jnp.float32), train=True)
        train = Train(jnp.int32(0), optimizer.init(params), d_params, discriminator_optimizer.init(d_params))
        return State(params, train)

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        x, (steps, opt_state, d_params, d_opt_state) = batch["x"], state.train
        opt_state = reset_when(steps == pretrain_steps, optimizer, state.model, opt_state)
        d_opt_state = reset_when(steps == pretrain_steps, discriminator_optimizer, d_params, d_opt_state)
        prior, seen, noise = _draws(key, x, latent_dim, input_noise, axis_name)
        codes = _code(network, state.model, seen, noise)
        pretraining, before = steps < pretrain_steps, d_params

        def discriminator_loss(d: Player) -> tuple:
            values = losses.minimax_discriminator_loss(logits(d.params, prior), logits(d.params, codes))
            return jnp.where(pretraining, 0, weight * values), {"discriminator_loss": values}, (d, None)

        (d_params, _), d_opt_state, d_metrics, _ = half_step(
            discriminator_optimizer,
            discriminator_loss,
            Player(d_params, {}),
            d_opt_state,
            axis_name,
            name="discriminator",
        )

        def loss(params: PyTree) -> Losses:
            z = _code(network, params, seen, noise)
            costs = cost_weight * chosen.nll(network.apply(params, z, method="decode"), x)
            encoder_loss = losses.non_saturating_generator_loss(logits(opponent(before, d_params), z))
            objective = costs + weight * encoder_loss
            if pretrain_steps:
                objective = jnp.where(pretraining, _moment_distance(_gather(z, axis_name)), objective)
            return objective, {"cost": costs, "encoder_loss": encoder_loss}, None

        params, opt_state, metrics, _ = minimize(optimizer, loss, state.model, opt_state, axis_name)
        return State(params, Train(steps + 1, opt_state, d_params, d_opt_state)), {
            **metrics,
            "discriminator_loss": d_metrics["discriminator_loss"],
        }

    return _family(network, init, step, chosen, cost_weight)


def _cost(name: str) -> Likelihood:
    if name not in COSTS:
        raise ValueError(f"cost must be one of {', '.join(COSTS)}, got {name!r}")
    return COSTS[name]


def _gather(z: jax.Array, axis_name: str | None) -> jax.Array:
    """Gather the rows of all devices, since a loss of a set is not a mean over rows."""
    return z if axis_name is None else jax.lax.all_gather(z, axis_name, tiled=True)


def _moment_distance(z: jax.Array) -> jax.Array:
    """Mean squared deviation of the codes' moments from the prior's, as in the authors' code: [B, Z] -> []."""
    mean, covariance = jnp.mean(z, axis=0), jnp.cov(z, rowvar=False)
    return jnp.mean(jnp.square(mean)) + jnp.mean(jnp.square(covariance - jnp.eye(z.shape[1], dtype=z.dtype)))


def _draws(
    key: jax.Array, x: jax.Array, latent_dim: int, input_noise: float, axis_name: str | None
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The random draws of a step: prior codes [B, Z], x with input noise [B, ...], and encoder noise [B, Z]."""
    key_code, key_prior, key_input = jax.random.split(key, 3)
    prior, noise = (standard_normal(k, len(x), (latent_dim,), axis_name=axis_name) for k in (key_prior, key_code))
    if input_noise:
        x += input_noise * standard_normal(key_input, len(x), x.shape[1:], axis_name=axis_name)
    return prior, x, noise


def _code(network: AutoencoderNetwork, params: PyTree, x: jax.Array, noise: jax.Array) -> jax.Array:
    """Codes of examples, drawn with `noise` if the encoder is Gaussian: [B, ...] -> [B, Z]."""
    code = network.apply(params, x, method="encode")
    return losses.reparameterize(code[0], code[1], noise) if isinstance(code, tuple) else code


def _family(
    network: AutoencoderNetwork,
    init: Callable[..., State],
    step: Callable[..., tuple[State, dict]],
    cost: Likelihood,
    cost_weight: float,
) -> Recipe:
    """Evaluation and sampling, which both variants share."""

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
        return code[0] if isinstance(code, tuple) else code

    def draw_code(key: jax.Array, model: PyTree, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return _code(network, model, x, standard_normal(key, len(x), (network.latent_dim,)))

    def decode(model: PyTree, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return cost.mean(network.apply(model, z, method="decode"))

    draws = None if isinstance(network, Autoencoder) else draw_code
    return Recipe(init=init, step=step, evaluate=evaluate, sample=sample, encode=encode, draw_code=draws, decode=decode)
