"""Kullback-Leibler divergences between diagonal Gaussians, in nats per example."""

import chex
import jax
import jax.numpy as jnp

from jaxgen.losses._reduce import sum_event


def gaussian_kl_per_dim(mean: jax.Array, log_var: jax.Array) -> jax.Array:
    """KL(N(mean, exp(log_var)) || N(0, 1)) of each latent dimension, in nats: [B, Z], [B, Z] -> [B, Z].

    Kingma & Welling 2014, appendix B. Raises AssertionError where shapes differ, the rank is not 2 or a dtype is not
    floating.
    """
    chex.assert_rank([mean, log_var], 2)
    chex.assert_equal_shape([mean, log_var])
    chex.assert_type([mean, log_var], float)

    mean, log_var = mean.astype(jnp.float32), log_var.astype(jnp.float32)
    # expm1 keeps the digits that exp(log_var) - 1 loses near the prior, where this term vanishes quadratically.
    return 0.5 * (jnp.square(mean) + jnp.expm1(log_var) - log_var)


def gaussian_kl(mean: jax.Array, log_var: jax.Array) -> jax.Array:
    """KL(N(mean, exp(log_var)) || N(0, I)) in nats: [B, Z], [B, Z] -> [B].

    Kingma & Welling 2014, appendix B. Raises as `gaussian_kl_per_dim`.
    """
    return sum_event(gaussian_kl_per_dim(mean, log_var))


def gaussian_kl_between(mean_q: jax.Array, log_var_q: jax.Array, mean_p: jax.Array, log_var_p: jax.Array) -> jax.Array:
    """KL(N(mean_q, exp(log_var_q)) || N(mean_p, exp(log_var_p))) in nats: four [B, Z] -> [B].

    The general form of Kingma & Welling 2014, appendix B, for hierarchical latents. Raises AssertionError where
    shapes differ, the rank is not 2 or a dtype is not floating.
    """
    arrays = [mean_q, log_var_q, mean_p, log_var_p]
    chex.assert_rank(arrays, 2)
    chex.assert_equal_shape(arrays)
    chex.assert_type(arrays, float)

    mean_q, log_var_q, mean_p, log_var_p = (array.astype(jnp.float32) for array in arrays)
    log_ratio = log_var_q - log_var_p
    standardized = (mean_q - mean_p) * jnp.exp(-0.5 * log_var_p)
    return 0.5 * sum_event(jnp.expm1(log_ratio) - log_ratio + jnp.square(standardized))
