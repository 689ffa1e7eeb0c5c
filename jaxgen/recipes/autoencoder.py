"""The deterministic autoencoder (Hinton & Salakhutdinov 2006): codes without a prior, so nothing to sample from."""

import jax
import optax

from jaxgen import losses
from jaxgen.likelihood import Likelihood, bernoulli
from jaxgen.models import Autoencoder
from jaxgen.optimize import minimize
from jaxgen.recipe import PyTree, Recipe, State


def autoencoder(
    network: Autoencoder, optimizer: optax.GradientTransformation, *, likelihood: Likelihood = bernoulli
) -> Recipe:
    """Minimise the reconstruction's negative log-likelihood: squared error / 2 + constant under `fixed_gaussian()`."""

    def reconstruction(model: PyTree, x: jax.Array) -> jax.Array:
        return likelihood.nll(network.apply(model, x), x)

    def init(key: jax.Array, batch: dict) -> State:
        params = network.init(key, batch["x"])
        return State(params, optimizer.init(params))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        del key

        def loss(params: PyTree) -> tuple[jax.Array, dict]:
            return reconstruction(params, batch["x"]), {}

        params, opt_state, metrics = minimize(optimizer, loss, state.model, state.train, axis_name)
        return State(params, opt_state), metrics

    def evaluate(key: jax.Array, model: PyTree, batch: dict) -> dict[str, jax.Array]:
        del key
        x = batch["x"]
        squared_error = losses.squared_error(decode(model, encode(model, x)), x)
        return {"reconstruction": reconstruction(model, x), "squared_error": squared_error}

    def encode(model: PyTree, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return network.apply(model, x, method="encode")

    def decode(model: PyTree, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return likelihood.mean(network.apply(model, z, method="decode"))

    return Recipe(init, step, evaluate, encode=encode, decode=decode, discrete=likelihood.discrete)
