"""The discriminator of an InfoGAN, which also recovers the code (Chen et al. 2016, appendix C)."""

import functools
from collections.abc import Sequence

import jax
from flax import linen as nn

from jaxgen.models.layers.basic import conv

_leaky_relu = functools.partial(nn.leaky_relu, negative_slope=0.1)


class InfoDiscriminator(nn.Module):
    """D and Q on shared layers: [B, ...] -> (logits [B], code [B, code_dim]).

    Strided convolutions of `channels`, where there are any, then a layer of `hidden`; Q has one of `code_hidden` more.
    Batch norm follows all layers but the first.
    """

    code_dim: int
    channels: Sequence[int] = (64, 128)
    hidden: int = 1024
    code_hidden: int = 128
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        """The logit of x being real, and what Q says of the code."""
        norm = functools.partial(nn.BatchNorm, use_running_average=not train, axis_name=self.axis_name)
        for index, features in enumerate(self.channels):
            x = conv(features, (4, 4), 2)(x)
            x = _leaky_relu(norm()(x) if index else x)
        h = nn.Dense(self.hidden)(x.reshape(len(x), -1))
        h = _leaky_relu(norm()(h) if self.channels else h)
        code = _leaky_relu(norm()(nn.Dense(self.code_hidden)(h)))
        return nn.Dense(1)(h)[:, 0], nn.Dense(self.code_dim)(code)
