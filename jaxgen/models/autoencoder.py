"""Encoders and decoders: the two halves that every autoencoder is put together from."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
from flax import linen as nn

from jaxgen.models.layers import MLP


class Gaussian(NamedTuple):
    """A diagonal Gaussian over the latents of each example, both [B, Z]."""

    mean: jax.Array
    log_var: jax.Array


class GaussianEncoder(nn.Module):
    """q(z | x) as an MLP with two linear heads: [B, ...] -> Gaussian of [B, Z]. Kingma & Welling 2014, appendix C.2."""

    latent_dim: int
    hidden: Sequence[int]
    activation: Callable[[jax.Array], jax.Array] = nn.relu

    @nn.compact
    def __call__(self, x: jax.Array) -> Gaussian:
        """The posterior's mean and log-variance."""
        h = MLP(self.hidden, self.activation)(x)
        return Gaussian(nn.Dense(self.latent_dim, name="mean")(h), nn.Dense(self.latent_dim, name="log_var")(h))


class Decoder(nn.Module):
    """An MLP from latents to the parameters of p(x | z), linear at the end: [B, Z] -> [B, *shape]."""

    shape: Sequence[int]
    hidden: Sequence[int]
    activation: Callable[[jax.Array], jax.Array] = nn.relu

    @nn.compact
    def __call__(self, z: jax.Array) -> jax.Array:
        """Logits, means or whatever the likelihood reads."""
        h = MLP(self.hidden, self.activation)(z)
        return nn.Dense(math.prod(self.shape), name="output")(h).reshape(len(z), *self.shape)
