"""A normalizing flow, a chain of invertible layers, and the layers that change the shape."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn


class Flow(nn.Module):
    """A chain of invertible layers from data to codes that are vectors: [B, ...] -> [B, D], [B].

    A layer maps (x, condition) -> (z, log |det dz/dx| [B]), and by `inverse` (z, condition) -> (x, log |det dx/dz|).
    """

    shape: tuple[int, ...]  # of x
    layers: Sequence[nn.Module]

    @property
    def num_dims(self) -> int:
        """Length D of a code."""
        return math.prod(self.shape)

    def on_axis(self, axis_name: str | None) -> "Flow":
        """The flow with batch statistics over the devices of an axis."""
        layers = [layer.on_axis(axis_name) if hasattr(layer, "on_axis") else layer for layer in self.layers]
        return self.clone(layers=layers)

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x, condition [B, F] -> (z, log |det dz/dx|)."""
        log_det = jnp.zeros_like(x, shape=x.shape[:1])
        for layer in self.layers:
            x, change = layer(x, condition)
            log_det += change
        return x.reshape(x.shape[0], -1), log_det

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z [B, D], condition [B, F] -> (x, log |det dx/dz|)."""
        shape = tuple(self.shape)
        for layer in self.layers:
            shape = layer.shape_after(shape) if hasattr(layer, "shape_after") else shape
        z, log_det = z.reshape(z.shape[0], *shape), jnp.zeros_like(z, shape=z.shape[:1])
        for layer in reversed(self.layers):
            z, change = layer.inverse(z, condition)
            log_det += change
        return z, log_det


class FactorOut(nn.Module):
    """Some channels become codes and the others pass through a further flow: [B, ..., C] -> [B, D], [B].

    Dinh et al. 2017, section 3.6. The channels that `rest`, a `Flow`, does not take are the first ones.
    """

    rest: Flow

    def on_axis(self, axis_name: str | None) -> "FactorOut":
        """The layer with batch statistics over the devices of an axis."""
        return self.clone(rest=self.rest.on_axis(axis_name))

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of z."""
        return (math.prod(shape),)

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x -> (z, log |det dz/dx|); raises ValueError unless `rest` takes some of the channels."""
        *size, channels = self.rest.shape
        if x.shape[1:-1] != tuple(size) or not channels < x.shape[-1]:
            raise ValueError(f"rest takes {self.rest.shape}, expected fewer channels of {x.shape[1:]}")
        kept, others = jnp.split(x, [x.shape[-1] - channels], axis=-1)
        z, log_det = self.rest(others, condition)
        return jnp.concatenate([kept.reshape(x.shape[0], -1), z], axis=1), log_det

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z -> (x, log |det dx/dz|)."""
        kept, others = jnp.split(z, [z.shape[1] - self.rest.num_dims], axis=1)
        x, log_det = self.rest.inverse(others, condition)
        return jnp.concatenate([kept.reshape(*x.shape[:-1], -1), x], axis=-1), log_det


class Squeeze(nn.Module):
    """2 x 2 pixels become one of four times the channels: [B, H, W, C] -> [B, H / 2, W / 2, 4 C], [B].

    Dinh et al. 2017, section 3.6.
    """

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of z; raises ValueError unless x is images of even height and width."""
        if len(shape) != 3 or shape[0] % 2 or shape[1] % 2:
            raise ValueError(f"expected images of even height and width to squeeze, got {shape}")
        height, width, channels = shape
        return height // 2, width // 2, 4 * channels

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x -> (z, 0). The condition is not used."""
        del condition
        height, width, channels = self.shape_after(x.shape[1:])
        blocks = x.reshape(x.shape[0], height, 2, width, 2, -1).transpose(0, 1, 3, 2, 4, 5)
        return blocks.reshape(x.shape[0], height, width, channels), jnp.zeros_like(x, shape=x.shape[:1])

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z -> (x, 0)."""
        del condition
        num, height, width, _ = z.shape
        blocks = z.reshape(num, height, width, 2, 2, -1).transpose(0, 1, 3, 2, 4, 5)
        return blocks.reshape(num, 2 * height, 2 * width, -1), jnp.zeros_like(z, shape=z.shape[:1])


class Flatten(nn.Module):
    """Images as vectors, whose every value is a feature of its own: `[B, *shape]` -> [B, D], [B]."""

    shape: tuple[int, ...]

    def shape_after(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of z."""
        return (math.prod(shape),)

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x -> (z, 0). The condition is not used."""
        del condition
        return x.reshape(x.shape[0], -1), jnp.zeros_like(x, shape=x.shape[:1])

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z -> (x, 0)."""
        del condition
        return z.reshape(z.shape[0], *self.shape), jnp.zeros_like(z, shape=z.shape[:1])
