"""Masked convolutions (van den Oord et al. 2016a, section 3.4), over an image at once or for one pixel of it.

A mask is a set of offsets (row, column) from the pixel that is computed to those that it may see. What is masked has no
parameters, so that nothing can leak through it.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

Offset = tuple[int, int]
FIRST_SIZE, SIZE = 7, 3  # of the windows of a first and of a later layer


def raster_offsets(size: int, *, centre: bool) -> tuple[Offset, ...]:
    """What precedes a pixel in raster order within a window of `size`, and the pixel itself where `centre`."""
    return (*rows_above(size), *to_the_left(size, centre=centre))


def rows_above(size: int, *, own_row: bool = False) -> tuple[Offset, ...]:
    """The rows above a pixel within a window of `size`, and its own, both sides of it, where `own_row`."""
    reach = size // 2
    return tuple((row, column) for row in range(-reach, int(own_row)) for column in range(-reach, reach + 1))


def to_the_left(size: int, *, centre: bool) -> tuple[Offset, ...]:
    """What is left of a pixel within a window of `size`, and the pixel itself where `centre`."""
    return tuple((0, column) for column in range(-(size // 2), int(centre)))


class MaskedConv(nn.Module):
    """A convolution over some offsets: [B, H, W, in_features] -> [B, H, W, features].

    Of an image with several `colours` the features come in as many groups, and at the pixel itself a group sees those
    of the colours before its own, and of its own where `own_colour` (mask B; without it, mask A). Where `per_value`
    neighbours become one value, by a gate, they are of one group.
    """

    in_features: int
    features: int
    offsets: Sequence[Offset] = ((0, 0),)
    colours: int = 1
    own_colour: bool = True
    per_value: int = 1

    def setup(self) -> None:
        """One matrix over what is seen, offset by offset."""
        self.kernel = self.param(
            "kernel",
            nn.initializers.lecun_normal(),
            (len(self.offsets) * self.in_features, self.features),
            jnp.float32,
        )
        self.bias = self.param("bias", nn.initializers.zeros, (self.features,), jnp.float32)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Every pixel: [B, H, W, in_features] -> [B, H, W, features]."""
        if tuple(self.offsets) == ((0, 0),):
            return self.apply_to_windows(x)
        seen = lax.platform_dependent(x, self._seen(), cpu=self._by_offsets, default=self._native)
        return seen + self.bias[None, None, None]

    def apply_to_windows(self, windows: jax.Array) -> jax.Array:
        """Pixels whose windows are given, offset by offset: [..., offsets * in_features] -> [..., features]."""
        return windows @ self._seen() + self.bias.reshape((1,) * (windows.ndim - 1) + (-1,))

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
        """As one matrix product: of a 3 x 3 window 4 or 5 of 9 offsets are seen, and the others cost nothing."""
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
    """How far the offsets go up, down, left and right."""
    rows, columns = zip(*offsets, strict=True)
    return max(0, -min(rows)), max(0, *rows), max(0, -min(columns)), max(0, *columns)


def _pad(x: jax.Array, offsets: Sequence[Offset]) -> jax.Array:
    """Zeros around images, as far as the offsets reach: [B, H, W, C] -> [B, H', W', C]."""
    top, bottom, left, right = find_reach(offsets)
    return jnp.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])


def _gather_windows(x: jax.Array, offsets: Sequence[Offset], size: tuple[int, int]) -> jax.Array:
    """What each of H x W pixels sees of padded images: [B, H', W', C] -> [B, H, W, offsets * C]."""
    top, _, left, _ = find_reach(offsets)
    height, width = size
    shifted = [x[:, top + row : top + row + height, left + column : left + column + width] for row, column in offsets]
    return jnp.concatenate(shifted, axis=-1)
