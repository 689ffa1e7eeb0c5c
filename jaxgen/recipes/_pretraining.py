"""An encoder that is first trained to match the moments of the prior, as in the code of Tolstikhin et al. 2018."""

import jax
import jax.numpy as jnp
import optax

from jaxgen.recipe import PyTree


def moment_distance(z: jax.Array) -> jax.Array:
    """Mean squares of what the mean and the covariance of codes [B, Z] lack of the prior's."""
    mean, covariance = jnp.mean(z, axis=0), jnp.cov(z, rowvar=False)
    return jnp.mean(jnp.square(mean)) + jnp.mean(jnp.square(covariance - jnp.eye(z.shape[1])))


def begun(optimizer: optax.GradientTransformation, params: PyTree, opt_state: PyTree, begins: jax.Array) -> PyTree:
    """The optimizer's state, its first one where training begins: in pre-training most gradients were 0."""
    return jax.tree.map(lambda first, now: jnp.where(begins, first, now), optimizer.init(params), opt_state)
