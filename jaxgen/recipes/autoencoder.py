"""Deterministic autoencoders: plain (Hinton & Salakhutdinov 2006) and regularised (Ghosh et al. 2020).

They have no prior; to sample from them, a density is fitted to the training codes afterwards.
"""

import jax
import jax.numpy as jnp
import optax

from jaxgen import losses
from jaxgen.likelihood import Likelihood, bernoulli
from jaxgen.models import AutoencoderNetwork
from jaxgen.optimize import Losses, check_optimizers, minimize
from jaxgen.recipe import PyTree, Recipe, State


def autoencoder(
    network: AutoencoderNetwork, optimizer: optax.GradientTransformation, *, likelihood: Likelihood = bernoulli
) -> Recipe:
    """Minimise the NLL of the reconstruction, for `fixed_gaussian()` half the squared error plus a constant."""
    return rae(network, optimizer, code_weight=0.0, likelihood=likelihood)


def rae(
    network: AutoencoderNetwork,
    optimizer: optax.GradientTransformation,
    *,
    code_weight: float,
    likelihood: Likelihood = bernoulli,
) -> Recipe:
    """Add a penalty `code_weight` (beta) times ||z||^2 / 2 on the codes (Ghosh et al. 2020, section 3).

    The paper also regularises the decoder; RAE-L2, a penalty on its weights, is an optimizer with weight decay.
    """
    check_optimizers(optimizer=optimizer)

    def init(key: jax.Array, batch: dict) -> State:
        params = network.init(key, batch["x"])
        return State(params, optimizer.init(params))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        del key

        def loss(params: PyTree) -> Losses:
            z = encode(params, batch["x"])
            code_norm = 0.5 * jnp.sum(jnp.square(z.astype(jnp.float32)), axis=1)
            nll = likelihood.nll(network.apply(params, z, method="decode"), batch["x"])
            return nll + code_weight * code_norm, {"reconstruction": nll, "code_norm": code_norm}, None

        params, opt_state, metrics, _ = minimize(optimizer, loss, state.model, state.train, axis_name)
        return State(params, opt_state), metrics

    def evaluate(key: jax.Array, model: PyTree, batch: dict) -> dict[str, jax.Array]:
        del key
        x = batch["x"]
        output = network.apply(model, x)
        squared_error = losses.squared_error(likelihood.mean(output), x)
        return {"reconstruction": likelihood.nll(output, x), "squared_error": squared_error}

    def encode(model: PyTree, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return network.apply(model, x, method="encode")

    def decode(model: PyTree, z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        del y
        return likelihood.mean(network.apply(model, z, method="decode"))

    return Recipe(init=init, step=step, evaluate=evaluate, encode=encode, decode=decode, levels=likelihood.levels)
