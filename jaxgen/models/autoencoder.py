"""Encoders and decoders: the two halves that every autoencoder is put together from."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.models.layers import MLP


class Gaussian(NamedTuple):
    """A diagonal Gaussian over the latents of each example, both [B, Z]."""

    mean: jax.Array
    log_var: jax.Array


class GaussianEncoder(nn.Module):
    """q(z | x) as an MLP, linear at the end: [B, ...] -> Gaussian of [B, Z]. Kingma & Welling 2014, appendix C.2."""

    latent_dim: int
    hidden: Sequence[int]
    activation: Callable[[jax.Array], jax.Array] = nn.relu

    @nn.compact
    def __call__(self, x: jax.Array) -> Gaussian:
        """The posterior's mean and log-variance."""
        h = MLP(self.hidden, self.activation)(x)
        # The two heads are one product: small ones cost more in calls than in arithmetic.
        return Gaussian(*jnp.split(nn.Dense(2 * self.latent_dim, name="mean_and_log_var")(h), 2, axis=-1))


class Decoder(nn.Module):
    """An MLP from latents to the parameters of p(x | z), linear at the end: [B, Z] -> `[B, *shape]`."""

    shape: Sequence[int]
    hidden: Sequence[int]
    activation: Callable[[jax.Array], jax.Array] = nn.relu

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """Logits, means or whatever the likelihood reads."""
        h = MLP(self.hidden, self.activation)(z)
        return nn.Dense(math.prod(self.shape), name="output")(h).reshape(len(z), *self.shape)
