"""Gated PixelCNN (van den Oord et al. 2016b, "Conditional Image Generation with PixelCNN Decoders").

Without a blind spot: a vertical stack sees all rows above, a horizontal stack sees the pixels to the left and, through
a link, the vertical stack.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from jaxgen.models.layers.basic import Dtype, as_output
from jaxgen.models.layers.condition import Condition, at_pixels, over_pixels
from jaxgen.models.layers.masked import FIRST_SIZE, SIZE, MaskedConv, raster_offsets, rows_above, to_the_left
from jaxgen.models.layers.row_cache import empty_rows, pixel_at, select_colour, window, write, write_value


class _Cache(NamedTuple):
    """Cached rows of the image and of the inputs of all later layers, and the links of the current row.

    The links from the vertical stack, with the condition of the horizontal layer, are computed for a whole row at once.
    """

    image: jax.Array
    vertical: tuple[jax.Array, ...]
    horizontal: tuple[jax.Array, ...]
    links: tuple[jax.Array, ...]  # [B, W, 2 channels]
    conditions: tuple[tuple[jax.Array, jax.Array], ...]


class GatedPixelCNN(nn.Module):
    """Gated PixelCNN: two gated stacks, the first layer 7 x 7, the others 3 x 3 (figure 2), and a head of two layers.

    Fields, methods and shapes are those of `PixelCNN`; both stacks have `channels`. `begin_row` computes the vertical
    stack for a whole row. The cache of B images holds at most B (4 C (W + 6) + blocks channels (5 W + 5)) numbers.
    """

    shape: tuple[int, int, int]
    channels: int = 32
    blocks: int = 8
    head: int = 64
    parameters: tuple[int, ...] = ()
    condition_dim: int | tuple[int, int, int] | None = None
    dtype: Dtype = None
    remat: bool = False  # recompute the blocks in the backward pass, in the memory of one

    def setup(self) -> None:
        """Name the layers."""
        if len(self.shape) != 3:
            raise ValueError(f"a gated PixelCNN needs images of shape [H, W, C], got {tuple(self.shape)}")
        masked = functools.partial(MaskedConv, dtype=self.dtype)
        colours, width = self.shape[2], self.channels
        self.above = [rows_above(FIRST_SIZE)] + [rows_above(SIZE, own_row=True)] * (self.blocks - 1)
        self.left = [to_the_left(FIRST_SIZE, centre=colours > 1)] + [to_the_left(SIZE, centre=True)] * (self.blocks - 1)
        inputs = [colours] + [width] * (self.blocks - 1)
        self.vertical = [masked(inputs[i], 2 * width, self.above[i]) for i in range(self.blocks)]
        self.horizontal = [
            masked(inputs[i], 2 * width, self.left[i], colours, own_colour=i > 0, per_value=2)
            for i in range(self.blocks)
        ]
        self.link = [nn.Dense(2 * width, dtype=self.dtype) for _ in range(self.blocks)]
        self.out = [masked(width, width, colours=colours) for _ in range(self.blocks)]
        self.last = masked(width, self.head, colours=colours)
        self.logits = masked(self.head, colours * math.prod(self.parameters), colours=colours)
        condition = self.condition_dim, (2 * width,) * self.blocks, self.shape[:2]
        self.vertical_condition = Condition(*condition, dtype=self.dtype)
        self.horizontal_condition = Condition(*condition, dtype=self.dtype)

    def __call__(self, x: jax.Array, y: jax.Array | None = None) -> jax.Array:
        """Logits of every value given those before it, and y: [B, H, W, C] -> `[B, H, W, C, *parameters]`."""
        conditions = [(over_pixels(above), over_pixels(left)) for above, left in self._conditions(y)]
        vertical = horizontal = x
        add_layer = nn.remat(GatedPixelCNN._layer, static_argnums=1) if self.remat else GatedPixelCNN._layer
        for layer in range(self.blocks):
            vertical, horizontal = add_layer(self, layer, vertical, horizontal, conditions[layer])
        return self._head(horizontal).reshape(*x.shape, *self.parameters)

    def start(self, num: int, y: jax.Array | None = None) -> _Cache:
        """The empty cache of `num` images."""
        _, width, colours = self.shape
        later = range(1, self.blocks)
        return _Cache(
            empty_rows(num, width, colours, raster_offsets(FIRST_SIZE, centre=True)),
            tuple(empty_rows(num, width, self.channels, self.above[i]) for i in later),
            tuple(empty_rows(num, width, self.channels, self.left[i]) for i in later),
            (jnp.zeros((num, width, 2 * self.channels), self.dtype or jnp.float32),) * self.blocks,
            self._conditions(y),
        )

    def begin_row(self, cache: _Cache, previous_pixel: jax.Array, position: jax.Array) -> _Cache:
        """Compute the vertical stack of the row that starts at `position`, in the cache."""
        width = self.shape[1]
        row = pixel_at(position, self.shape)[0]
        image = write_value(cache.image, previous_pixel, position - 1, self.shape)
        conditions = jax.tree.map(lambda term: at_pixels(term, row, width=width), cache.conditions)
        rows, links = list(cache.vertical), []
        seen = window(image, self.above[0], row, width=width)
        for layer in range(self.blocks):
            vertical, link = self._vertical(layer, self.vertical[layer].apply_to_windows(seen), conditions[layer])
            links.append(link)
            if layer + 1 < self.blocks:
                rows[layer] = write(rows[layer], vertical, self.above[layer + 1], row)
                seen = window(rows[layer], self.above[layer + 1], row, width=width)
        return cache._replace(image=image, vertical=tuple(rows), links=tuple(links))

    def column(self, cache: _Cache, previous_pixel: jax.Array, position: jax.Array) -> tuple[_Cache, jax.Array]:
        """Logits `[B, *parameters]` of the value at `position`, given the previous value [B] and the cache."""
        row, column = pixel_at(position, self.shape)
        image = write_value(cache.image, previous_pixel, position - 1, self.shape)
        rows = list(cache.horizontal)
        seen = horizontal = window(image, self.left[0], row, column)
        for layer in range(self.blocks):
            link = lax.dynamic_slice_in_dim(cache.links[layer], column, 1, axis=1)
            horizontal = self._horizontal(layer, horizontal, self.horizontal[layer].apply_to_windows(seen), link)
            if layer + 1 < self.blocks:
                rows[layer] = write(rows[layer], horizontal, self.left[layer + 1], row, column)
                seen = window(rows[layer], self.left[layer + 1], row, column)
        logits = self._head(horizontal).reshape(-1, self.shape[2], *self.parameters)
        return cache._replace(image=image, horizontal=tuple(rows)), select_colour(logits, position % self.shape[2])

    def _conditions(self, y: jax.Array | None) -> tuple[tuple[jax.Array, jax.Array], ...]:
        """The conditioning terms of both stacks, by layer."""
        return tuple(zip(self.vertical_condition(y), self.horizontal_condition(y), strict=True))

    def _layer(
        self, layer: int, vertical: jax.Array, horizontal: jax.Array, conditions: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        """The next input of both stacks, for a whole image."""
        vertical, link = self._vertical(layer, self.vertical[layer](vertical), conditions)
        return vertical, self._horizontal(layer, horizontal, self.horizontal[layer](horizontal), link)

    def _vertical(
        self, layer: int, seen: jax.Array, conditions: tuple[jax.Array, jax.Array]
    ) -> tuple[jax.Array, jax.Array]:
        """The next input of the vertical stack, and the link to the horizontal stack."""
        return _gate(seen + conditions[0]), self.link[layer](seen) + conditions[1]

    def _horizontal(self, layer: int, before: jax.Array, seen: jax.Array, link: jax.Array) -> jax.Array:
        """The next input of the horizontal stack; all but the first layer are residual."""
        out = self.out[layer](_gate(seen + link))
        return out if layer == 0 else before + out

    def _head(self, horizontal: jax.Array) -> jax.Array:
        return as_output(self.logits(nn.relu(self.last(nn.relu(horizontal)))), self.dtype)


def _gate(x: jax.Array) -> jax.Array:
    """tanh(a) sigmoid(b) (eq. 2), where neighbouring features a, b belong to the same colour."""
    pairs = x.reshape(*x.shape[:-1], -1, 2)
    return jnp.tanh(pairs[..., 0]) * nn.sigmoid(pairs[..., 1])
