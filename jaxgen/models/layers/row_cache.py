"""A cache of the latest rows of a layer's input, which are all that the next pixel depends on.

A cache is `[B, rows, left + W + right, C]`, sized for the largest window that reads it. Row r of the image is stored at
r modulo the number of rows, padded with zeros.
"""

import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxgen.models.layers.masked import FIRST_SIZE, Offset, find_reach, raster_offsets


def empty_rows(num: int, width: int, features: int, offsets: Sequence[Offset]) -> jax.Array:
    """An empty cache of `num` images for windows with these offsets: -> [B, rows, W', C]."""
    top, _, left, right = find_reach(offsets)
    return jnp.zeros((num, top + 1, left + width + right, features), jnp.float32)


def write(
    rows: jax.Array,
    values: jax.Array,
    offsets: Sequence[Offset],
    row: jax.Array,
    column: int | jax.Array = 0,
    channel: int | jax.Array = 0,
) -> jax.Array:
    """Write `values` [B, width, C] into a cache, starting at a pixel and a channel."""
    left = find_reach(offsets)[2]
    return lax.dynamic_update_slice(
        rows, values[:, None].astype(rows.dtype), (0, row % rows.shape[1], left + column, channel)
    )


def window(
    rows: jax.Array, offsets: Sequence[Offset], row: jax.Array, column: int | jax.Array = 0, width: int = 1
) -> jax.Array:
    """Windows of `width` pixels starting at (row, column): -> [B, width, offsets * C]."""
    num, height, _, features = rows.shape
    left = find_reach(offsets)[2]
    parts = []
    for above, in_row in itertools.groupby(offsets, key=lambda offset: offset[0]):
        first, *others = (shift for _, shift in in_row)  # adjacent offsets, in order
        start = (0, (row + above) % height, left + column + first, 0)
        seen = lax.dynamic_slice(rows, start, (num, 1, width + len(others), features))[:, 0]
        if width == 1:  # the offsets of a row are already contiguous
            parts.append(seen.reshape(num, 1, -1))
        else:
            parts += [lax.slice_in_dim(seen, shift, shift + width, axis=1) for shift in range(1 + len(others))]
    return jnp.concatenate(parts, axis=-1)


def pixel_at(position: jax.Array, shape: Sequence[int]) -> tuple[jax.Array, jax.Array]:
    """Row and column of the value at a position in images of shape [H, W, C]."""
    pixel = position // shape[2]
    return pixel // shape[1], pixel % shape[1]


def write_value(image: jax.Array, value: jax.Array, position: jax.Array, shape: Sequence[int]) -> jax.Array:
    """Write the value [B] at a position into the cached rows of the image."""
    offsets = raster_offsets(FIRST_SIZE, centre=True)
    return write(image, value[:, None, None], offsets, *pixel_at(position, shape), position % shape[2])


def select_colour(logits: jax.Array, colour: jax.Array) -> jax.Array:
    """Select the logits of one colour: `[B, C, *parameters]` -> `[B, *parameters]`."""
    return lax.dynamic_index_in_dim(logits, colour, axis=1, keepdims=False)
