"""PixelCNN (van den Oord et al. 2016a, "Pixel Recurrent Neural Networks")."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
from flax import linen as nn

from jaxgen.models.layers.basic import Dtype, as_output
from jaxgen.models.layers.condition import Condition, at_pixels, over_pixels
from jaxgen.models.layers.masked import FIRST_SIZE, SIZE, MaskedConv, raster_offsets
from jaxgen.models.layers.row_cache import empty_rows, pixel_at, select_colour, window, write, write_value


class _Cache(NamedTuple):
    """Cached rows of the image and of the inputs of the masked convolutions, and the conditioning terms."""

    image: jax.Array
    blocks: tuple[jax.Array, ...]
    conditions: tuple[jax.Array, ...]


class PixelCNN(nn.Module):
    """PixelCNN: a 7 x 7 layer with mask A, residual blocks with mask B, a head of two layers (table 1 and figure 5).

    `channels` is h in the paper: the residual stream has 2 h channels. The logits of a value have the shape
    `parameters`: () for a Bernoulli, (256,) for grey levels. `condition_dim` is the number of classes, the size of a
    condition vector, or the shape of an image of x's size or smaller by a whole factor.

    `__call__` computes all logits at once, `column` those of one value from the cached activations before it: see
    `sampling.raster_scan`. The cache of B images holds B (blocks 2 h (W + 2) + 4 C (W + 6)) numbers, for any H.
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
            raise ValueError(f"a PixelCNN needs images of shape [H, W, C], got {tuple(self.shape)}")
        masked = functools.partial(MaskedConv, dtype=self.dtype)
        colours, stream = self.shape[2], 2 * self.channels
        self.seen_first = raster_offsets(FIRST_SIZE, centre=colours > 1)
        self.seen = raster_offsets(SIZE, centre=True)
        self.first = masked(colours, stream, self.seen_first, colours, own_colour=False)
        self.narrow = [masked(stream, self.channels, colours=colours) for _ in range(self.blocks)]
        self.masked = [masked(self.channels, self.channels, self.seen, colours) for _ in range(self.blocks)]
        self.widen = [masked(self.channels, stream, colours=colours) for _ in range(self.blocks)]
        self.last = masked(stream, self.head, colours=colours)
        self.logits = masked(self.head, colours * math.prod(self.parameters), colours=colours)
        widths = stream, *(self.channels,) * self.blocks
        self.condition = Condition(self.condition_dim, widths, self.shape[:2], dtype=self.dtype)

    def __call__(self, x: jax.Array, y: jax.Array | None = None) -> jax.Array:
        """Logits of every value given those before it, and y: [B, H, W, C] -> `[B, H, W, C, *parameters]`."""
        conditions = [over_pixels(term) for term in self.condition(y)]
        logits = self._network(self.first(x), lambda block, inner: self.masked[block](inner), conditions, whole=True)
        return logits.reshape(*x.shape, *self.parameters)

    def start(self, num: int, y: jax.Array | None = None) -> _Cache:
        """The empty cache of `num` images."""
        width, colours = self.shape[1:]
        return _Cache(
            empty_rows(num, width, colours, raster_offsets(FIRST_SIZE, centre=True)),
            tuple(empty_rows(num, width, self.channels, self.seen) for _ in range(self.blocks)),
            self.condition(y),
        )

    def column(self, cache: _Cache, previous_pixel: jax.Array, position: jax.Array) -> tuple[_Cache, jax.Array]:
        """Logits `[B, *parameters]` of the value at `position`, given the previous value [B] and the cache."""
        colour = position % self.shape[2]
        row, column = pixel_at(position, self.shape)
        image = write_value(cache.image, previous_pixel, position - 1, self.shape)
        blocks = list(cache.blocks)

        def see(block: int, inner: jax.Array) -> jax.Array:
            blocks[block] = write(blocks[block], inner, self.seen, row, column)
            return self.masked[block].apply_to_windows(window(blocks[block], self.seen, row, column))

        conditions = [at_pixels(term, row, column) for term in cache.conditions]
        first = self.first.apply_to_windows(window(image, self.seen_first, row, column))
        logits = self._network(first, see, conditions).reshape(-1, self.shape[2], *self.parameters)
        return _Cache(image, tuple(blocks), cache.conditions), select_colour(logits, colour)

    def _network(
        self,
        first: jax.Array,
        see: Callable[[int, jax.Array], jax.Array],
        conditions: Sequence[jax.Array],
        *,
        whole: bool = False,
    ) -> jax.Array:
        """From the first layer to the logits, of `whole` images or a pixel; `see` is a block's masked convolution."""
        add_block = PixelCNN._add_block
        if self.remat and whole:
            add_block = nn.remat(add_block, static_argnums=(1, 2))
        stream = first + conditions[0]
        for block in range(self.blocks):
            stream = add_block(self, block, see, stream, conditions[block + 1])
        return as_output(self.logits(nn.relu(self.last(nn.relu(stream)))), self.dtype)

    def _add_block(
        self, block: int, see: Callable[[int, jax.Array], jax.Array], stream: jax.Array, condition: jax.Array
    ) -> jax.Array:
        inner = nn.relu(self.narrow[block](nn.relu(stream)))
        return stream + self.widen[block](nn.relu(see(block, inner) + condition))
