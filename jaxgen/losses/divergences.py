"""Kullback-Leibler divergences between diagonal Gaussians, in nats per example.

Latents are vectors [B, Z] or maps [B, H, W, C].
"""

import jax
import jax.numpy as jnp

from jaxgen._checks import check
from jaxgen.losses._reduce import sum_event

_LATENTS = "float [B, Z, ...]"


def gaussian_kl_per_dim(mean: jax.Array, log_var: jax.Array) -> jax.Array:
    """KL(N(mean, exp(log_var)) || N(0, 1)) of each latent dimension, in nats: two [B, Z, ...] -> [B, Z, ...].

    Kingma & Welling 2014, appendix B. Raises AssertionError where shapes differ, there is no latent axis or a dtype is
    not floating.
    """
    check("gaussian_kl_per_dim", mean=(mean, _LATENTS), log_var=(log_var, _LATENTS))

    return _kl_per_dim(mean, log_var)


def gaussian_kl(mean: jax.Array, log_var: jax.Array) -> jax.Array:
    """KL(N(mean, exp(log_var)) || N(0, I)) in nats, summed over the latent axes: two [B, Z, ...] -> [B].

    Kingma & Welling 2014, appendix B. Raises as `gaussian_kl_per_dim`.
    """
    check("gaussian_kl", mean=(mean, _LATENTS), log_var=(log_var, _LATENTS))

    return sum_event(_kl_per_dim(mean, log_var))


def gaussian_kl_between(mean_q: jax.Array, log_var_q: jax.Array, mean_p: jax.Array, log_var_p: jax.Array) -> jax.Array:
    """KL(N(mean_q, exp(log_var_q)) || N(mean_p, exp(log_var_p))) in nats: four [B, Z, ...] -> [B].

    The general form of Kingma & Welling 2014, appendix B, for hierarchical latents. Raises as `gaussian_kl_per_dim`.
    """
    arrays = {"mean_q": mean_q, "log_var_q": log_var_q, "mean_p": mean_p, "log_var_p": log_var_p}
    check("gaussian_kl_between", **{name: (array, _LATENTS) for name, array in arrays.items()})

    mean_q, log_var_q, mean_p, log_var_p = (array.astype(jnp.float32) for array in arrays.values())
    log_ratio = log_var_q - log_var_p
    standardized = (mean_q - mean_p) * jnp.exp(-0.5 * log_var_p)
    return 0.5 * sum_event(jnp.expm1(log_ratio) - log_ratio + jnp.square(standardized))


def _kl_per_dim(mean: jax.Array, log_var: jax.Array) -> jax.Array:
    mean, log_var = mean.astype(jnp.float32), log_var.astype(jnp.float32)
    # expm1 keeps the digits that exp(log_var) - 1 loses near the prior, where this term vanishes quadratically.
    return 0.5 * (jnp.square(mean) + jnp.expm1(log_var) - log_var)
