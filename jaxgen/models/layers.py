"""Layers that several models share."""

from collections.abc import Callable, Sequence

import jax
from flax import linen as nn


class MLP(nn.Module):
    """Dense layers, each followed by the activation: [B, ...] -> [B, features[-1]], or [B, D] where there are none."""

    features: Sequence[int]
    activation: Callable[[jax.Array], jax.Array] = nn.relu

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Flatten the event axes, then apply the layers."""
        x = x.reshape(len(x), -1)
        for features in self.features:
            x = self.activation(nn.Dense(features)(x))
        return x
