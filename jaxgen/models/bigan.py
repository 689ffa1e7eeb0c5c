"""The inference network and the discriminator of pairs of a BiGAN (Donahue et al. 2017)."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen._checks import check

_leaky_relu = functools.partial(nn.leaky_relu, negative_slope=0.2)


class InferenceNetwork(nn.Module):
    """An MLP from x to its code, with batch norm after the first layer: [B, ...] -> [B, Z].

    Codes may be any real numbers; an `output_activation` that cannot reach what the prior draws is a mistake.
    """

    latent_dim: int
    hidden: Sequence[int]
    output_activation: Callable[[jax.Array], jax.Array] | None = None
    axis_name: str | None = None

    def setup(self) -> None:
        """Hidden layers and the output."""
        self.layers = [nn.Dense(features) for features in self.hidden]
        self.norms = [nn.BatchNorm(axis_name=self.axis_name) for _ in self.hidden[1:]]
        self.output = nn.Dense(self.latent_dim)

    def features(self, x: jax.Array, *, train: bool) -> jax.Array:
        """The layer before the code: [B, ...] -> [B, F]."""
        h = x.reshape(x.shape[0], -1)
        for index, layer in enumerate(self.layers):
            h = layer(h)
            h = _leaky_relu(self.norms[index - 1](h, use_running_average=not train) if index else h)
        return h

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """The code."""
        z = self.output(self.features(x, train=train))
        return z if self.output_activation is None else self.output_activation(z)


class JointDiscriminator(nn.Module):
    """An MLP from pairs of x and z, each of whose layers sees z, to logits: [B, ...], [B, Z] -> [B]."""

    hidden: Sequence[int]
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, z: jax.Array, *, train: bool) -> jax.Array:
        """The logit of the pair being (x, E(x)), not (G(z), z)."""
        check("JointDiscriminator", x=(x, "float [B, ...]"), z=(z, "float [B, Z]"))
        h = x.reshape(x.shape[0], -1)
        for index, features in enumerate(self.hidden):
            h = nn.Dense(features)(jnp.concatenate([h, z], axis=1))
            if index:
                h = nn.BatchNorm(use_running_average=not train, axis_name=self.axis_name)(h)
            h = _leaky_relu(h)
        return nn.Dense(1)(jnp.concatenate([h, z], axis=1))[:, 0]
