"""Coupling layers: a part of x passes unchanged and parametrises a function of each value of the rest.

Dinh et al. 2017 ("Density estimation using Real NVP"), section 3.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen.models.flows.elementwise import Transform, affine, rational_quadratic
from jaxgen.models.layers.basic import MLP, conv

Mask = Literal["checkerboard", "channel", "alternating"]


class Conditioner(nn.Module):
    """The network of a coupling layer, an MLP or convolutions whose last layer begins at zero: -> [B, ..., outputs].

    With `channels` it has a 3 x 3 convolution, 1 x 1 convolutions, and a last 3 x 3 one (Kingma & Dhariwal 2018,
    section 4); otherwise dense layers of `hidden` units. A condition [B, F] is appended to the input, for convolutions
    as constant channels.
    """

    num_outputs: int  # of each value
    hidden: Sequence[int] = ()
    channels: Sequence[int] = ()
    activation: Callable[[jax.Array], jax.Array] = nn.relu

    @nn.compact
    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> jax.Array:
        """[B, ...], [B, F] -> `[B, ..., num_outputs]`."""
        h = x if self.channels else x.reshape(x.shape[0], -1)
        if condition is not None:
            constant = condition.reshape(x.shape[0], *[1] * (h.ndim - 2), -1)
            h = jnp.concatenate([h, jnp.broadcast_to(constant, (*h.shape[:-1], constant.shape[-1]))], axis=-1)
        zeros = nn.initializers.zeros
        if self.channels:
            for index, features in enumerate(self.channels):
                h = self.activation(conv(features, (3, 3) if index == 0 else (1, 1))(h))
            h = conv(x.shape[-1] * self.num_outputs, (3, 3), kernel_init=zeros)(h)
        else:
            h = MLP(self.hidden, self.activation)(h)
            h = nn.Dense(math.prod(x.shape[1:]) * self.num_outputs, kernel_init=zeros)(h)
        return h.reshape(*x.shape, self.num_outputs)


class AffineCoupling(nn.Module):
    """z = (x - shift) exp(-log_scale) where the mask is 0 (Dinh et al. 2017, eq. 7 and 8): [B, ...] -> [B, ...], [B].

    The `checkerboard` mask keeps every second pixel, `channel` the first half of the channels, `alternating` every
    second value; with `flip` the other ones. `hidden` and `channels` are those of `Conditioner`.
    """

    mask: Mask = "alternating"
    flip: bool = False
    hidden: Sequence[int] = ()
    channels: Sequence[int] = ()
    max_log_scale: float = 5.0

    def setup(self) -> None:
        """Create the network."""
        self.transform = affine(self.max_log_scale)
        self.network = Conditioner(self.transform.num_parameters, self.hidden, self.channels)

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x -> (z, log |det dz/dx|)."""
        return _couple(self, self.transform.forward, x, condition)

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z -> (x, log |det dx/dz|)."""
        return _couple(self, self.transform.inverse, z, condition)


class SplineCoupling(nn.Module):
    """A monotonic rational-quadratic spline where the mask is 0 (Durkan et al. 2019): [B, ...] -> [B, ...], [B].

    The spline has `num_bins` bins on [-bound, bound] and is the identity outside. Masks are those of `AffineCoupling`.
    """

    mask: Mask = "alternating"
    flip: bool = False
    hidden: Sequence[int] = ()
    channels: Sequence[int] = ()
    num_bins: int = 8
    bound: float = 3.0

    def setup(self) -> None:
        """Create the network."""
        self.transform = rational_quadratic(self.num_bins, self.bound)
        self.network = Conditioner(self.transform.num_parameters, self.hidden, self.channels)

    def __call__(self, x: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """x -> (z, log |det dz/dx|)."""
        return _couple(self, self.transform.forward, x, condition)

    def inverse(self, z: jax.Array, condition: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        """z -> (x, log |det dx/dz|)."""
        return _couple(self, self.transform.inverse, z, condition)


def _couple(
    layer: AffineCoupling | SplineCoupling, transform: Transform, x: jax.Array, condition: jax.Array | None
) -> tuple[jax.Array, jax.Array]:
    kept = _mask(layer.mask, x.shape[1:]) != layer.flip
    kept = jnp.broadcast_to(kept[None], x.shape)
    z, log_slope = transform(layer.network(jnp.where(kept, x, 0), condition), x)
    return jnp.where(kept, x, z), jnp.sum(jnp.where(kept, 0, log_slope), axis=tuple(range(1, x.ndim)))


def _mask(kind: Mask, shape: tuple[int, ...]) -> jax.Array:
    """Whether a value passes unchanged, booleans that broadcast to `shape`."""
    if kind == "alternating":
        return (jnp.arange(math.prod(shape)) % 2 == 0).reshape(shape)
    if len(shape) != 3 or (kind == "channel" and shape[-1] < 2):
        raise ValueError(f"a {kind} mask is for images [B, H, W, C] of several pixels or channels, got {shape}")
    height, width, channels = shape
    if kind == "channel":
        return jnp.broadcast_to(jnp.arange(channels) < channels // 2, shape)
    return jnp.broadcast_to(((jnp.arange(height)[:, None] + jnp.arange(width)[None]) % 2 == 0)[..., None], shape)
