"""VAE and IWAE with several stochastic layers (Burda et al. 2016, section 3 and figure 1)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgen import losses
from jaxgen.likelihood import Likelihood, bernoulli, log_marginal
from jaxgen.models import Gaussian, HierarchicalNetwork
from jaxgen.optimize import Losses, check_optimizers, minimize
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.sampling import standard_normal


def hierarchical_vae(
    network: HierarchicalNetwork,
    optimizer: optax.GradientTransformation,
    *,
    num_samples: int = 1,
    likelihood: Likelihood = bernoulli,
) -> Recipe:
    """Maximise the ELBO, a Monte Carlo average over `num_samples` draws of all layers without analytic terms."""
    return _family(network, optimizer, lambda log_weights: -jnp.mean(log_weights, axis=0), likelihood, num_samples)


def hierarchical_iwae(
    network: HierarchicalNetwork,
    optimizer: optax.GradientTransformation,
    *,
    num_samples: int,
    likelihood: Likelihood = bernoulli,
) -> Recipe:
    """Maximise the importance-weighted bound on log p(x) with `num_samples` draws of all layers."""
    return _family(
        network, optimizer, lambda weights: -losses.importance_weighted_bound(weights), likelihood, num_samples
    )


def _log_weights(
    network: HierarchicalNetwork, likelihood: Likelihood, params: PyTree, x: jax.Array, noise: list[jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """(log p(x, z_1 ... z_L) - log q(z_1 ... z_L | x), -log p(x | z_1)) for draws with noise [K, B, Z_l]: [K, B]."""
    num, batch = noise[0].shape[:2]

    def rows(array: jax.Array) -> jax.Array:
        return jnp.broadcast_to(array, (num, *array.shape)).reshape(num * batch, *array.shape[1:])

    z: list[jax.Array] = []
    log_q = jnp.zeros(num * batch, jnp.float32)
    for layer, draw in enumerate(noise):  # upwards, from x to z_L
        posterior = Gaussian(*network.apply(params, z[-1] if z else x, layer, method="infer"))
        if not z:  # q(z_1 | x) is computed once per example
            posterior = Gaussian(rows(posterior.mean), rows(posterior.log_var))
        z.append(losses.reparameterize(posterior.mean, posterior.log_var, draw.reshape(num * batch, -1)))
        # By change of variables from the noise: for a narrow q, z - mean loses its digits.
        log_q -= _standard_nll(draw.reshape(num * batch, -1)) + 0.5 * jnp.sum(posterior.log_var, axis=-1)
    log_p = -_standard_nll(z[-1])
    for layer in reversed(range(len(z) - 1)):  # downwards, from the prior to p(x | z_1)
        prior = network.apply(params, z[layer + 1], layer, method="generate")
        log_p -= losses.gaussian_nll(prior.mean, prior.log_var, z[layer])
    reconstruction = likelihood.nll(network.apply(params, z[0], method="decode"), rows(x))
    return (log_p - reconstruction - log_q).reshape(num, batch), reconstruction.reshape(num, batch)


def _standard_nll(z: jax.Array) -> jax.Array:
    """-log N(z; 0, I), nats: [B, Z] -> [B]."""
    return losses.gaussian_nll(jnp.zeros_like(z), jnp.zeros_like(z), z)


def _family(
    network: HierarchicalNetwork,
    optimizer: optax.GradientTransformation,
    objective: Callable[[jax.Array], jax.Array],  # log weights [K, B] -> loss [B]
    likelihood: Likelihood,
    num_samples: int,
) -> Recipe:
    check_optimizers(optimizer=optimizer)
    if num_samples < 1:
        raise ValueError(f"num_samples must be positive, got {num_samples}")
    latent_dims = network.latent_dims

    def draw_noise(key: jax.Array, num_local: int, num: int, axis_name: str | None = None) -> list[jax.Array]:
        keys = jax.random.split(key, len(latent_dims))
        return [
            jnp.swapaxes(standard_normal(key, num_local, (num, size), axis_name=axis_name), 0, 1)
            for key, size in zip(keys, latent_dims, strict=True)
        ]

    def init(key: jax.Array, batch: dict) -> State:
        params = network.init(key, batch["x"])
        return State(params, optimizer.init(params))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        x = batch["x"]
        noise = draw_noise(key, x.shape[0], num_samples, axis_name)

        def loss(params: PyTree) -> Losses:
            return objective(_log_weights(network, likelihood, params, x, noise)[0]), {}, None

        params, opt_state, metrics, _ = minimize(optimizer, loss, state.model, state.train, axis_name)
        return State(params, opt_state), metrics

    def evaluate(key: jax.Array, model: PyTree, batch: dict) -> dict[str, jax.Array]:
        x = batch["x"]
        log_weights, reconstruction = _log_weights(network, likelihood, model, x, draw_noise(key, x.shape[0], 1))
        kl = -log_weights[0] - reconstruction[0]  # from one draw: unlike the analytic KL it may be negative
        return {"negative_elbo": -log_weights[0], "reconstruction": reconstruction[0], "kl": kl}

    def descend(model: PyTree, z: jax.Array, noise: list[jax.Array] | None) -> jax.Array:
        """From z_L down to the likelihood parameters, through draws or, without noise, through means."""
        for layer in reversed(range(len(latent_dims) - 1)):
            mean, log_var = network.apply(model, z, layer, method="generate")
            z = mean if noise is None else losses.reparameterize(mean, log_var, noise[layer])
        return network.apply(model, z, method="decode")

    def sample(key: jax.Array, model: PyTree, num: int, *, y: jax.Array | None = None) -> jax.Array:
        del y
        key_latent, _ = jax.random.split(key)
        noise = [layer[0] for layer in draw_noise(key_latent, num, 1)]
        output = descend(model, noise[-1], noise)
        return likelihood.mean(output)

    def encode(model: PyTree, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        """The mean of the top layer, through the means of the layers below."""
        del y
        z = x
        for layer in range(len(latent_dims)):
            z = network.apply(model, z, layer, method="infer")[0]
        return z

    def draw_code(key: jax.Array, model: PyTree, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        """A draw of the top layer, through draws of the layers below."""
        del y
        z = x
        for layer, noise in enumerate(draw_noise(key, x.shape[0], 1)):
            mean, log_var = network.apply(model, z, layer, method="infer")
            z = losses.reparameterize(mean, log_var, noise[0])
        return z

    def decode(model: PyTree, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return likelihood.mean(descend(model, z, None))

    def log_prob(
        key: jax.Array, model: PyTree, x: jax.Array, *, y: jax.Array | None = None, num_samples: int = 1
    ) -> jax.Array:
        del y

        def log_weights(key: jax.Array, num: int) -> jax.Array:
            return _log_weights(network, likelihood, model, x, draw_noise(key, x.shape[0], num))[0]

        return log_marginal(key, log_weights, num_samples)

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        encode=encode,
        draw_code=draw_code,
        decode=decode,
        log_prob=log_prob,
        log_prob_is="lower bound",
        levels=likelihood.levels,
    )
