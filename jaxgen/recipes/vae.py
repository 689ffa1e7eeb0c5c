"""The variational autoencoder (Kingma & Welling 2014) and the importance-weighted autoencoder (Burda et al. 2016)."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen import labels, losses
from jaxgen.likelihood import Likelihood, bernoulli, log_marginal
from jaxgen.metrics import bayes_posterior
from jaxgen.models import VAENetwork
from jaxgen.optimize import Losses, check_optimizers, minimize
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.sampling import from_prior, standard_normal

_CLASSIFY_SAMPLES = 32  # of z, per example and class


class Model(NamedTuple):
    """The model: all that evaluation and sampling read."""

    #: The network's variables.
    params: PyTree
    #: Label counts of training, integers [K], the prior of y; None if y is not used.
    label_counts: jax.Array | None


class Train(NamedTuple):
    """Training state, which only `step` reads."""

    #: The optimizer's state.
    opt_state: PyTree
    #: Steps so far, [], for KL warm-up.
    steps_taken: jax.Array


# (params, x, y, noise [K, B, Z], steps_taken) -> (loss [B], metrics of [B])
Objective = Callable[[PyTree, jax.Array, jax.Array | None, jax.Array, jax.Array], tuple[jax.Array, dict]]


def vae(
    network: VAENetwork,
    optimizer: optax.GradientTransformation,
    *,
    likelihood: Likelihood = bernoulli,
    beta: float = 1.0,
    minimum_kl: float = 0.0,
    warmup_steps: int = 0,
    num_samples: int = 1,
) -> Recipe:
    """Minimise the negative ELBO, with the reconstruction term averaged over `num_samples` draws of z.

    `beta` is the weight of the KL (Higgins et al. 2017), increased linearly over `warmup_steps` (Sonderby et al. 2016);
    `minimum_kl` is the free bits of each latent dimension, in nats.
    """

    def objective(params: PyTree, x: jax.Array, y: jax.Array | None, noise: jax.Array, steps_taken: jax.Array) -> tuple:
        mean, log_var = network.apply(params, x, y, method="encode")
        z = jax.vmap(losses.reparameterize, in_axes=(None, None, 0))(mean, log_var, noise)
        reconstruction = jnp.mean(_reconstruction(network, likelihood, params, x, y, z), axis=0)
        kl_per_dim = losses.gaussian_kl_per_dim(mean, log_var)
        kl = losses.free_bits(kl_per_dim, minimum=minimum_kl)
        warmth = jnp.minimum(1.0, (steps_taken + 1) / (warmup_steps + 1))
        elbo = losses.negative_elbo(reconstruction, kl, beta=beta * warmth)
        return elbo.total, {"reconstruction": elbo.reconstruction, "kl": jnp.sum(kl_per_dim, axis=-1)}

    return _family(network, optimizer, objective, likelihood, num_samples)


def iwae(
    network: VAENetwork,
    optimizer: optax.GradientTransformation,
    *,
    num_samples: int,
    likelihood: Likelihood = bernoulli,
) -> Recipe:
    """Maximise the importance-weighted bound on log p(x) with `num_samples` draws of z."""

    def objective(params: PyTree, x: jax.Array, y: jax.Array | None, noise: jax.Array, steps_taken: jax.Array) -> tuple:
        del steps_taken
        return -losses.importance_weighted_bound(_log_weights(network, likelihood, params, x, y, noise)), {}

    return _family(network, optimizer, objective, likelihood, num_samples)


def _log_weights(
    network: VAENetwork, likelihood: Likelihood, params: PyTree, x: jax.Array, y: jax.Array | None, noise: jax.Array
) -> jax.Array:
    """log p(x | z) + log p(z) - log q(z | x) for z drawn with noise [K, B, Z]: -> nats [K, B]."""
    mean, log_var = network.apply(params, x, y, method="encode")
    zeros = jnp.zeros_like(mean)
    z = jax.vmap(losses.reparameterize, in_axes=(None, None, 0))(mean, log_var, noise)
    standard_nll = jax.vmap(functools.partial(losses.gaussian_nll, zeros, zeros))
    # By change of variables from the noise: for a narrow q, z - mean loses its digits.
    posterior_nll = standard_nll(noise) + 0.5 * jnp.sum(log_var, axis=-1)[None]
    return posterior_nll - standard_nll(z) - _reconstruction(network, likelihood, params, x, y, z)


def _reconstruction(
    network: VAENetwork, likelihood: Likelihood, params: PyTree, x: jax.Array, y: jax.Array | None, z: jax.Array
) -> jax.Array:
    """-log p(x | z) for several z per example, [K, B, Z]: -> nats [K, B]."""

    def rows(array: jax.Array) -> jax.Array:
        return jnp.broadcast_to(array, (len(z), *array.shape)).reshape(-1, *array.shape[1:])

    # One batch of K B rows: matrix products under a vmap over K cost a transposition of their operands.
    output = network.apply(params, z.reshape(-1, z.shape[-1]), None if y is None else rows(y), method="decode")
    return likelihood.nll(output, rows(x)).reshape(z.shape[:2])


def _family(
    network: VAENetwork,
    optimizer: optax.GradientTransformation,
    objective: Objective,
    likelihood: Likelihood,
    num_samples: int,
) -> Recipe:
    check_optimizers(optimizer=optimizer)
    if num_samples < 1:
        raise ValueError(f"num_samples must be positive, got {num_samples}")
    num_classes = getattr(network, "num_classes", None)

    def draw_noise(key: jax.Array, num_local: int, num_samples: int, axis_name: str | None = None) -> jax.Array:
        noise = standard_normal(key, num_local, (num_samples, network.latent_dim), axis_name=axis_name)
        return jnp.swapaxes(noise, 0, 1)

    def init(key: jax.Array, batch: dict) -> State:
        params = network.init(key, batch["x"], batch.get("y"))
        label_counts = None if num_classes is None else jnp.zeros(num_classes, jnp.int32)
        return State(Model(params, label_counts), Train(optimizer.init(params), jnp.int32(0)))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        x, y = batch["x"], batch.get("y")
        (params, label_counts), (opt_state, steps_taken) = state
        noise = draw_noise(key, x.shape[0], num_samples, axis_name)

        def loss(params: PyTree) -> Losses:
            return *objective(params, x, y, noise, steps_taken), None

        params, opt_state, metrics, _ = minimize(optimizer, loss, params, opt_state, axis_name)
        if label_counts is not None:
            label_counts = labels.count(label_counts, batch["y"], axis_name)
        return State(Model(params, label_counts), Train(opt_state, steps_taken + 1)), metrics

    def evaluate(key: jax.Array, model: Model, batch: dict) -> dict[str, jax.Array]:
        x, y = batch["x"], batch.get("y")
        mean, log_var = network.apply(model.params, x, y, method="encode")
        z = draw_code(key, model, x, y=y)
        reconstruction = likelihood.nll(network.apply(model.params, z, y, method="decode"), x)
        elbo = losses.negative_elbo(reconstruction, losses.gaussian_kl(mean, log_var))
        squared_error = losses.squared_error(decode(model, mean, y=y), x)
        return {
            "negative_elbo": elbo.total,
            "reconstruction": elbo.reconstruction,
            "kl": elbo.kl,
            "squared_error": squared_error,
        }

    def sample(key: jax.Array, model: Model, num: int, *, y: jax.Array | None = None) -> jax.Array:
        key_label, key_latent, _ = jax.random.split(key, 3)
        if model.label_counts is not None and y is None:
            y = labels.draw(key_label, model.label_counts, num)
        output = from_prior(
            key_latent, lambda z: network.apply(model.params, z, y, method="decode"), num, network.latent_dim
        )
        return likelihood.mean(output)

    def encode(model: Model, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return network.apply(model.params, x, y, method="encode")[0]

    def draw_code(key: jax.Array, model: Model, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        mean, log_var = network.apply(model.params, x, y, method="encode")
        return losses.reparameterize(mean, log_var, draw_noise(key, x.shape[0], 1)[0])

    def decode(model: Model, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return likelihood.mean(network.apply(model.params, z, y, method="decode"))

    def draw_x(key: jax.Array, model: Model, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return likelihood.draw(key, network.apply(model.params, z, y, method="decode"))

    def log_likelihood(model: Model, x: jax.Array, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return -likelihood.nll(network.apply(model.params, z, y, method="decode"), x)

    def log_prob(
        key: jax.Array, model: Model, x: jax.Array, *, y: jax.Array | None = None, num_samples: int = 1
    ) -> jax.Array:
        def log_weights(key: jax.Array, num: int) -> jax.Array:
            return _log_weights(network, likelihood, model.params, x, y, draw_noise(key, x.shape[0], num))

        return log_marginal(key, log_weights, num_samples)

    def classify(key: jax.Array, model: Model, x: jax.Array) -> jax.Array:
        """log p(y | x) from importance-weighted lower bounds on log p(x | y), whose differences decide."""
        assert model.label_counts is not None

        def log_likelihood(y: jax.Array) -> jax.Array:
            key_class = jax.random.fold_in(key, y)
            return log_prob(key_class, model, x, y=jnp.full(x.shape[0], y), num_samples=_CLASSIFY_SAMPLES)

        log_likelihoods = jax.lax.map(log_likelihood, jnp.arange(num_classes)).T
        return bayes_posterior(log_likelihoods, labels.log_prior(model.label_counts))

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        classify=None if num_classes is None else classify,
        encode=encode,
        draw_code=draw_code,
        decode=decode,
        draw_x=draw_x,
        log_likelihood=log_likelihood,
        log_prob=log_prob,
        log_prob_is="lower bound",
        levels=likelihood.levels,
        conditional=num_classes is not None,
    )
