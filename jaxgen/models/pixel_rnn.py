"""PixelRNN (van den Oord et al. 2016a, "Pixel Recurrent Neural Networks")."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
from flax import linen as nn

from jaxgen.models.layers.condition import Condition, at_pixels, over_pixels
from jaxgen.models.layers.lstm import DiagonalBiLSTM, PixelLSTM, RowLSTM
from jaxgen.models.layers.masked import FIRST_SIZE, MaskedConv, raster_offsets
from jaxgen.models.layers.row_cache import empty_rows, pixel_at, select_colour, window, write_value

_LAYERS: dict[str, type[RowLSTM | DiagonalBiLSTM | PixelLSTM]] = {
    "row": RowLSTM,
    "diagonal": DiagonalBiLSTM,
    "pixel": PixelLSTM,
}


class _Cache(NamedTuple):
    """Rows of the image, what each recurrent layer remembers, and the conditioning terms."""

    image: jax.Array
    layers: tuple[Any, ...]
    conditions: tuple[jax.Array, ...]


class PixelRNN(nn.Module):
    """PixelRNN: a 7 x 7 layer with mask A, residual LSTM layers, a head of two layers (table 1 and figure 4).

    `lstm` is row for the Row LSTM, diagonal for the Diagonal BiLSTM, or pixel for a plain LSTM over the pixels in
    raster order. Fields, methods and shapes are those of `PixelCNN`: a layer has `channels` features, the h of the
    paper, between streams of 2 h. The cache is that of the recurrent state: at most two rows of each layer.
    """

    shape: tuple[int, int, int]
    channels: int = 32
    layers: int = 3
    head: int = 64
    parameters: tuple[int, ...] = ()
    condition_dim: int | tuple[int, int, int] | None = None
    lstm: Literal["row", "diagonal", "pixel"] = "row"

    def setup(self) -> None:
        """Name the layers."""
        if len(self.shape) != 3:
            raise ValueError(f"a PixelRNN needs images of shape [H, W, C], got {tuple(self.shape)}")
        colours, stream = self.shape[2], 2 * self.channels
        self.seen_first = raster_offsets(FIRST_SIZE, centre=colours > 1)
        self.first = MaskedConv(colours, stream, self.seen_first, colours, own_colour=False)
        self.recurrent = [_LAYERS[self.lstm](stream, self.channels, colours) for _ in range(self.layers)]
        self.widen = [MaskedConv(self.channels, stream, colours=colours) for _ in range(self.layers)]
        self.last = MaskedConv(stream, self.head, colours=colours)
        self.logits = MaskedConv(self.head, colours * math.prod(self.parameters), colours=colours)
        self.condition = Condition(self.condition_dim, (stream,) * self.layers, self.shape[:2])

    def __call__(self, x: jax.Array, y: jax.Array | None = None) -> jax.Array:
        """Logits of every value given those before it, and y: [B, H, W, C] -> `[B, H, W, C, *parameters]`."""
        conditions = [over_pixels(term) for term in self.condition(y)]
        logits = self._network(self.first(x), lambda layer, stream: self.recurrent[layer](stream), conditions)
        return logits.reshape(*x.shape, *self.parameters)

    def start(self, num: int, y: jax.Array | None = None) -> _Cache:
        """The empty cache of `num` images."""
        width, colours = self.shape[1:]
        return _Cache(
            empty_rows(num, width, colours, raster_offsets(FIRST_SIZE, centre=True)),
            tuple(layer.start(num, width) for layer in self.recurrent),
            self.condition(y),
        )

    def begin_row(self, cache: _Cache, previous_pixel: jax.Array, position: jax.Array) -> _Cache:
        """Compute what the layers know of the row above as a whole, in the cache."""
        del previous_pixel  # no layer's input at a pixel depends on the last value of that pixel
        row = pixel_at(position, self.shape)[0]
        layers = zip(self.recurrent, cache.layers, strict=True)
        return cache._replace(layers=tuple(layer.begin_row(states, row) for layer, states in layers))

    def column(self, cache: _Cache, previous_pixel: jax.Array, position: jax.Array) -> tuple[_Cache, jax.Array]:
        """Logits `[B, *parameters]` of the value at `position`, given the previous value [B] and the cache."""
        row, column = pixel_at(position, self.shape)
        image = write_value(cache.image, previous_pixel, position - 1, self.shape)
        layers = list(cache.layers)

        def see(layer: int, stream: jax.Array) -> jax.Array:
            layers[layer], state = self.recurrent[layer].step(layers[layer], stream, row, column)
            return state

        conditions = [at_pixels(term, row, column) for term in cache.conditions]
        first = self.first.apply_to_windows(window(image, self.seen_first, row, column))
        logits = self._network(first, see, conditions).reshape(-1, self.shape[2], *self.parameters)
        selected = select_colour(logits, position % self.shape[2])
        return _Cache(image, tuple(layers), cache.conditions), selected

    def _network(
        self, first: jax.Array, see: Callable[[int, jax.Array], jax.Array], conditions: Sequence[jax.Array]
    ) -> jax.Array:
        """From the first layer to the logits; `see` applies a recurrent layer."""
        stream = first
        for layer in range(self.layers):
            stream = stream + self.widen[layer](see(layer, stream + conditions[layer]))
        return self.logits(nn.relu(self.last(nn.relu(stream))))
