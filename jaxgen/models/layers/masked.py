"""Masked convolutions (van den Oord et al. 2016a, section 3.4), for a whole image or for single pixels.

A mask is a set of offsets (row, column) from a pixel to the pixels that it may see. Masked positions have no
parameters, so that nothing can leak through them.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax import lax

from jaxgen.models.layers.basic import Dtype

Offset = tuple[int, int]
FIRST_SIZE, SIZE = 7, 3  # window sizes of the first layer and of later layers


def raster_offsets(size: int, *, centre: bool) -> tuple[Offset, ...]:
    """Offsets that precede a pixel in raster order within a window of `size`, with the pixel itself if `centre`."""
    return (*rows_above(size), *to_the_left(size, centre=centre))


def rows_above(size: int, *, own_row: bool = False) -> tuple[Offset, ...]:
    """Offsets of the rows above a pixel within a window of `size`, with its own whole row if `own_row`."""
    reach = size // 2
    return tuple((row, column) for row in range(-reach, int(own_row)) for column in range(-reach, reach + 1))


def to_the_left(size: int, *, centre: bool) -> tuple[Offset, ...]:
    """Offsets to the left of a pixel within a window of `size`, with the pixel itself if `centre`."""
    return tuple((0, column) for column in range(-(size // 2), int(centre)))


class MaskedConv(nn.Module):
    """A convolution over the given offsets: [B, H, W, in_features] -> [B, H, W, features].

    With several `colours` the features are split into as many groups. At the pixel itself a group sees the groups of
    the colours before its own, and with `own_colour` its own (mask B; otherwise mask A). `per_value` neighbouring
    features, which a gate later combines into one, belong to the same group.
    """

    in_features: int
    features: int
    offsets: Sequence[Offset] = ((0, 0),)
    colours: int = 1
    own_colour: bool = True
    per_value: int = 1
    dtype: Dtype = None

    def setup(self) -> None:
        """Create one matrix over all visible inputs, offset by offset."""
        self.kernel = self.param(
            "kernel",
            nn.initializers.lecun_normal(),
            (len(self.offsets) * self.in_features, self.features),
            jnp.float32,
        )
        self.bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Apply to every pixel: [B, H, W, in_features] -> [B, H, W, features]."""
        if tuple(self.offsets) == ((0, 0),):
            return self.apply_to_windows(x)
        x, kernel = promote_dtype(x, self._seen(), dtype=self.dtype)
        return self._add_bias(lax.platform_dependent(x, kernel, cpu=self._by_offsets, default=self._native))

    def apply_to_windows(self, windows: jax.Array) -> jax.Array:
        """Apply to given windows, offset by offset: [..., offsets * in_features] -> [..., features]."""
        windows, kernel = promote_dtype(windows, self._seen(), dtype=self.dtype)
        return self._add_bias(windows @ kernel)

    def _add_bias(self, seen: jax.Array) -> jax.Array:
        # In the bias's precision, so that its gradient, a sum over all pixels, is not rounded at each of them.
        return (seen + self.bias.reshape((1,) * (seen.ndim - 1) + (-1,))).astype(seen.dtype)

    def _seen(self) -> jax.Array:
        if self.colours == 1 or (0, 0) not in self.offsets:
            return self.kernel
        source = jnp.arange(self.in_features)[:, None] * self.colours // self.in_features
        num_values = self.features // self.per_value
        target = jnp.arange(self.features)[None] // self.per_value * self.colours // num_values
        seen = source <= target if self.own_colour else source < target
        first = tuple(self.offsets).index((0, 0)) * self.in_features
        return self.kernel.at[first : first + self.in_features].multiply(seen)

    def _by_offsets(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        """As one matrix product over the visible offsets only, 4 or 5 of 9 in a 3 x 3 window."""
        return _gather_windows(_pad(x, self.offsets), self.offsets, (x.shape[1], x.shape[2])) @ kernel

    def _native(self, x: jax.Array, kernel: jax.Array) -> jax.Array:
        top, bottom, left, right = find_reach(self.offsets)
        dense = jnp.zeros((top + 1 + bottom, left + 1 + right, self.in_features, self.features), kernel.dtype)
        rows, columns = jnp.array(self.offsets).T
        dense = dense.at[rows + top, columns + left].set(kernel.reshape(-1, *dense.shape[2:]))
        return lax.conv_general_dilated(
            x, dense, (1, 1), [(top, bottom), (left, right)], dimension_numbers=("NHWC", "HWIO", "NHWC")
        )


def find_reach(offsets: Sequence[Offset]) -> tuple[int, int, int, int]:
    """The extent of the offsets: up, down, left and right."""
    rows, columns = zip(*offsets, strict=True)
    return max(0, -min(rows)), max(0, *rows), max(0, -min(columns)), max(0, *columns)


def _pad(x: jax.Array, offsets: Sequence[Offset]) -> jax.Array:
    """Pad images with zeros by the extent of the offsets: [B, H, W, C] -> [B, H', W', C]."""
    top, bottom, left, right = find_reach(offsets)
    return jnp.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])


def _gather_windows(x: jax.Array, offsets: Sequence[Offset], size: tuple[int, int]) -> jax.Array:
    """Gather the windows of H x W pixels from padded images: [B, H', W', C] -> [B, H, W, offsets * C]."""
    top, _, left, _ = find_reach(offsets)
    height, width = size
    shifted = [x[:, top + row : top + row + height, left + column : left + column + width] for row, column in offsets]
    return jnp.concatenate(shifted, axis=-1)
