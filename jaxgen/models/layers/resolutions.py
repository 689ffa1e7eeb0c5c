"""Layers at several resolutions, applied to whole images or over cached rows; level l has strides of 2^l pixels."""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from jaxgen.models.layers.masked import MaskedConv
from jaxgen.models.layers.row_cache import empty_rows, window, write


class Everywhere:
    """Layers applied to whole images [B, H, W, C], with dropout if there are keys."""

    def __init__(self, dropout: float, keys: jax.Array | None) -> None:
        """Keys [B], or None for no dropout."""
        self.rate, self.keys, self.dropped = dropout, keys, 0

    def see(self, conv: MaskedConv, value: jax.Array, level: int) -> jax.Array:
        """Apply a masked convolution."""
        del level
        return conv(value)

    def shrink(self, conv: MaskedConv, value: jax.Array, level: int) -> jax.Array:
        """Apply a convolution with strides 2, from `level` to the next."""
        del level
        return conv(value)[:, ::2, ::2]

    def enlarge(self, dense: nn.Dense, value: jax.Array, level: int) -> jax.Array:
        """Apply a transposed convolution of 2 x 2 with strides 2, to `level` from the next."""
        del level
        num, height, width, channels = value.shape
        blocks = dense(value).reshape(num, height, width, 2, 2, channels).swapaxes(2, 3)
        return blocks.reshape(num, 2 * height, 2 * width, channels)

    def drop(self, value: jax.Array) -> jax.Array:
        """Dropout, by each example's key."""
        if self.keys is None or self.rate == 0:
            return value
        keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(self.keys, self.dropped)
        self.dropped += 1
        kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - self.rate, value.shape[1:]))(keys)
        return jnp.where(kept, value / (1 - self.rate), 0)


class Cached:
    """Layers applied to a row [B, W, C], or to one pixel [B, 1, C], over cached rows of all that they see.

    Missing caches are added as layers come, so that one run through the network makes them all.
    """

    def __init__(self, rows: list[jax.Array], row: jax.Array, column: jax.Array | None = None) -> None:
        """Caches in the order in which layers use them, and where the row or the pixel is at level 0."""
        self.rows, self.row, self.column, self.seen = rows, row, column, 0

    def see(self, conv: MaskedConv, value: jax.Array, level: int) -> jax.Array:
        """Apply a masked convolution."""
        return self._windows(conv, value, level, *self._position(level))

    def shrink(self, conv: MaskedConv, value: jax.Array, level: int) -> jax.Array:
        """Apply a convolution with strides 2; at an odd row or column the same again as at the even one before it."""
        row, column = self._position(level)
        return self._windows(conv, value, level, row // 2 * 2, column // 2 * 2)[:, ::2]

    def enlarge(self, dense: nn.Dense, value: jax.Array, level: int) -> jax.Array:
        """Apply a transposed convolution of 2 x 2 with strides 2, to `level` from the next."""
        num, width, channels = value.shape
        row, column = self._position(level)
        blocks = dense(value).reshape(num, width, 2, 2, channels)
        blocks = lax.dynamic_index_in_dim(blocks, row % 2, axis=2, keepdims=False)
        if self.column is None:
            return blocks.reshape(num, 2 * width, channels)
        return lax.dynamic_index_in_dim(blocks, column % 2, axis=2, keepdims=False)

    def drop(self, value: jax.Array) -> jax.Array:
        """Nothing, as sampling is without dropout."""
        return value

    def _position(self, level: int) -> tuple[jax.Array, jax.Array]:
        return self.row >> level, jnp.int32(0) if self.column is None else self.column >> level

    def _windows(self, conv: MaskedConv, value: jax.Array, level: int, row: jax.Array, column: jax.Array) -> jax.Array:
        """Cache the value, then apply the layer to the windows that start at a pixel."""
        index, (num, width, features) = self.seen, value.shape
        self.seen += 1
        if index == len(self.rows):  # with one row more, since `shrink` looks back from an odd row
            self.rows.append(empty_rows(num, width, features, ((-2, 0), *conv.offsets)))
        self.rows[index] = write(self.rows[index], value, conv.offsets, *self._position(level))
        return conv.apply_to_windows(window(self.rows[index], conv.offsets, row, column, width))
