"""The generator of image-to-image translation (Johnson et al. 2016; Zhu et al. 2017, appendix 7.2)."""

from collections.abc import Callable, Sequence

import jax
from flax import linen as nn

from jaxgen._checks import check
from jaxgen.models.layers.basic import conv, conv_transpose


class Translator(nn.Module):
    """Strided convolutions, residual blocks, transposed convolutions: [B, H, W, C] -> [B, H, W, colours].

    Instance norm follows all layers but the last. H and W must be multiples of 2 for each of `channels` but the first.
    """

    colours: int
    channels: Sequence[int] = (32, 64)
    blocks: int = 3
    output_activation: Callable[[jax.Array], jax.Array] = nn.sigmoid

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Translate images."""
        del train
        check("Translator", x=(x, "float [B, H, W, C]"))
        times = 2 ** (len(self.channels) - 1)
        if x.shape[1] % times or x.shape[2] % times:
            raise ValueError(f"a translator with channels {tuple(self.channels)} needs images of multiples of {times}")
        h = nn.relu(nn.InstanceNorm()(conv(self.channels[0], (7, 7))(x)))
        for features in self.channels[1:]:
            h = nn.relu(nn.InstanceNorm()(conv(features, (3, 3), 2)(h)))
        for _ in range(self.blocks):
            inner = nn.relu(nn.InstanceNorm()(conv(self.channels[-1], (3, 3))(h)))
            h += nn.InstanceNorm()(conv(self.channels[-1], (3, 3))(inner))
        for features in self.channels[-2::-1]:
            h = nn.relu(nn.InstanceNorm()(conv_transpose(features, (4, 4), 2)(h)))
        return self.output_activation(conv(self.colours, (7, 7))(h))
