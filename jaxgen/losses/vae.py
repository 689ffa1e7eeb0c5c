"""The evidence lower bound and the importance-weighted bound.

For several samples per example, `jax.vmap` over the noise.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen._checks import check
from jaxgen.losses._reduce import sum_event


class NegativeElbo(NamedTuple):
    """The terms of a negative evidence lower bound, in nats, each [B]."""

    #: -log p(x | z), or its mean over draws from q(z | x).
    reconstruction: jax.Array
    #: KL(q(z | x) || p(z)), without beta.
    kl: jax.Array
    #: reconstruction + beta kl.
    total: jax.Array


def reparameterize(mean: jax.Array, log_var: jax.Array, noise: jax.Array) -> jax.Array:
    """z = mean + exp(log_var / 2) noise, with noise ~ N(0, I) drawn by the caller: three [B, ...] -> [B, ...].

    Kingma & Welling 2014, section 2.4. Raises AssertionError where shapes differ or a dtype is not floating.
    """
    arrays = {"mean": mean, "log_var": log_var, "noise": noise}
    check("reparameterize", **{name: (array, "float [B, ...]") for name, array in arrays.items()})

    return mean + jnp.exp(0.5 * log_var) * noise


def negative_elbo(reconstruction: jax.Array, kl: jax.Array, *, beta: float | jax.Array = 1.0) -> NegativeElbo:
    """Reconstruction + beta KL, in nats: [B], [B] -> NegativeElbo of [B].

    Kingma & Welling 2014, eq. 3; beta as in Higgins et al. 2017, eq. 4. The total is an upper bound on -log p(x)
    if beta >= 1. `beta` may be a traced scalar (KL warm-up). Raises AssertionError unless both are [B] and beta is a
    scalar.
    """
    check("negative_elbo", reconstruction=(reconstruction, "float [B]"), kl=(kl, "float [B]"), beta=(beta, "number []"))

    reconstruction, kl = reconstruction.astype(jnp.float32), kl.astype(jnp.float32)
    return NegativeElbo(reconstruction, kl, reconstruction + beta * kl)


def free_bits(kl_per_dim: jax.Array, *, minimum: float) -> jax.Array:
    """KL with free bits: summed over dimensions, each at least `minimum` nats: [B, Z, ...] -> [B].

    Kingma et al. 2016 ("Improved variational inference with inverse autoregressive flow"), eq. 15, clamp the *mean over
    the minibatch* of the KL of a group of dimensions. Here each example is clamped separately, so that its loss does
    not depend on its batch; the sum is never smaller than theirs (Jensen), and the gradient vanishes exactly for the
    (example, dimension) pairs that do not exceed the minimum. Raises AssertionError unless the input is
    [B, Z, ...], ValueError where minimum is negative.
    """
    check("free_bits", kl_per_dim=(kl_per_dim, "float [B, Z, ...]"))
    if minimum < 0:
        raise ValueError(f"minimum must be at least 0 nats, got {minimum}")

    kl_per_dim = kl_per_dim.astype(jnp.float32)
    # Not jnp.maximum, whose derivative is 1/2 at equality.
    return sum_event(jnp.where(kl_per_dim <= minimum, minimum, kl_per_dim))


def importance_weighted_bound(log_weights: jax.Array) -> jax.Array:
    """log 1/K sum_k w_k, a lower bound on log p(x) in nats, to be *maximised*: [K, B] -> [B].

    Burda et al. 2016, eq. 8, with log w_k = log p(x, z_k) - log q(z_k | x), with a sampled KL. Its gradient
    weights sample k by w_k / sum w (eq. 14). Raises AssertionError unless the input is
    [K, B].
    """
    check("importance_weighted_bound", log_weights=(log_weights, "float [K, B]"))

    return jax.nn.logsumexp(log_weights.astype(jnp.float32), axis=0) - math.log(log_weights.shape[0])
