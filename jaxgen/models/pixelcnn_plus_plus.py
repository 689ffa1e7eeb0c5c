"""PixelCNN++ (Salimans et al. 2017)."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from jaxgen.models.layers.condition import Condition, over_pixels
from jaxgen.models.layers.masked import MaskedConv, Offset, rows_above
from jaxgen.models.layers.resolutions import Cached, Everywhere
from jaxgen.models.layers.row_cache import empty_rows, window, write

# The windows of the authors' code: 2 x 3 pixels downwards and 2 x 2 to the right, shifted in the first layer so that a
# pixel does not see itself.
_DOWN = rows_above(3, own_row=True)
_RIGHT = ((-1, -1), (-1, 0), (0, -1), (0, 0))
_FIRST_DOWN = tuple((row - 1, column) for row, column in _DOWN)
_FIRST_RIGHT = ((-1, -1), (-1, 0), (-1, 1), (0, -1))


class _Cache(NamedTuple):
    """Rows of the image and of the inputs of all windows, and of the current row what the down stream gives."""

    image: jax.Array
    down: tuple[jax.Array, ...]
    right: tuple[jax.Array, ...]
    links: tuple[jax.Array, ...]  # [B, W of its level, channels]
    terms: tuple[jax.Array, ...]


class PixelCNNPlusPlus(nn.Module):
    """PixelCNN++: a stream down the rows and one to the right, strided with shortcuts (figure 2), and dropout.

    At each of `levels` resolutions there are `blocks` gated residual layers on the way to the coarsest and as many on
    the way back, there with shortcuts. The parameters of a pixel have the shape `parameters`, (30,) or (100,) for ten
    logistics of grey or colour: the network is for `likelihood.logistic_mixture`. `condition_dim` is the number of
    classes or the size of a condition vector. In place of the authors' weight normalisation with data-dependent
    initialisation the layers have plain weights, and they enlarge by 2 x 2 in both streams.

    `column` computes the parameters of a whole pixel, `begin_row` the down stream of a row: see `sampling.raster_scan`
    with `event_shape` (C,). Coarse layers are computed at every pixel, which gives the same again between their own.
    """

    shape: tuple[int, int, int]
    channels: int = 32
    blocks: int = 2
    levels: int = 3
    parameters: tuple[int, ...] = (30,)
    dropout: float = 0.0
    condition_dim: int | None = None

    def setup(self) -> None:
        """Name the layers."""
        scale = 2 ** (self.levels - 1)
        if len(self.shape) != 3 or self.shape[0] % scale or self.shape[1] % scale:
            raise ValueError(f"a PixelCNN++ needs images [H, W, C] of multiples of {scale}, got {tuple(self.shape)}")
        ahead = [level for level in range(self.levels) for _ in range(self.blocks)]
        back = [level for level in range(self.levels) for _ in range(self.blocks + (level < self.levels - 1))]
        #: Resolution of each gated layer, in the order in which they are applied.
        self.level_of = (*ahead, *reversed(back))
        features = self.shape[2] + 1
        self.first_down = MaskedConv(features, self.channels, _FIRST_DOWN)
        self.first_right = MaskedConv(features, self.channels, _FIRST_RIGHT)
        self.down, self.right = (
            [_GatedLayer(self.channels, offsets) for _ in self.level_of] for offsets in (_DOWN, _RIGHT)
        )
        self.shrink_down, self.shrink_right = (
            [MaskedConv(self.channels, self.channels, offsets) for _ in range(self.levels - 1)]
            for offsets in (_DOWN, _RIGHT)
        )
        self.enlarge_down, self.enlarge_right = (
            [nn.Dense(4 * self.channels) for _ in range(self.levels - 1)] for _ in range(2)
        )
        self.condition = Condition(self.condition_dim, (2 * self.channels,) * len(self.level_of))
        self.head = nn.Dense(math.prod(self.parameters))

    def __call__(self, x: jax.Array, y: jax.Array | None = None, keys: jax.Array | None = None) -> jax.Array:
        """Parameters of every pixel given those before it: [B, H, W, C] -> `[B, H, W, *parameters]`.

        With `keys`, one for each example, there is dropout.
        """
        image, terms = _with_ones(x), [over_pixels(term) for term in self.condition(y)]
        at = Everywhere(self.dropout, keys)
        links = self._stream("down", at, self.first_down(image), itertools.repeat(None), terms)
        right = self._stream("right", at, self.first_right(image), links, terms)
        return self._head(right[-1])

    def start(self, num: int, y: jax.Array | None = None) -> _Cache:
        """The empty cache of `num` images."""
        width, terms = self.shape[1], self.condition(y)
        row = jnp.zeros((num, width, self.channels), jnp.float32)
        down, right = (Cached([], jnp.int32(0)) for _ in range(2))
        links = self._stream("down", down, row, itertools.repeat(None), [term[:, None] for term in terms])
        self._stream("right", right, row, links, [term[:, None] for term in terms])
        image = empty_rows(num, width, self.shape[2] + 1, _FIRST_DOWN)
        cache = _Cache(image, tuple(down.rows), tuple(right.rows), tuple(links), ())
        return jax.tree.map(jnp.zeros_like, cache)._replace(terms=terms)

    def begin_row(self, cache: _Cache, previous_pixel: jax.Array, position: jax.Array) -> _Cache:
        """Compute the down stream of the row that starts at `position`, in the cache."""
        width = self.shape[1]
        row = position // width
        image = _write_pixel(cache.image, previous_pixel, position - 1, width)
        first = self.first_down.apply_to_windows(window(image, _FIRST_DOWN, row, width=width))
        at = Cached(list(cache.down), row)
        links = self._stream("down", at, first, itertools.repeat(None), [term[:, None] for term in cache.terms])
        return cache._replace(image=image, down=tuple(at.rows), links=tuple(links))

    def column(self, cache: _Cache, previous_pixel: jax.Array, position: jax.Array) -> tuple[_Cache, jax.Array]:
        """Parameters `[B, *parameters]` of the pixel at `position`, given the previous one [B, C] and the cache."""
        width = self.shape[1]
        row, column = position // width, position % width
        image = _write_pixel(cache.image, previous_pixel, position - 1, width)
        first = self.first_right.apply_to_windows(window(image, _FIRST_RIGHT, row, column))
        at = Cached(list(cache.right), row, column)
        links = [
            lax.dynamic_slice_in_dim(link, column >> level, 1, axis=1)
            for link, level in zip(cache.links, self.level_of, strict=True)
        ]
        right = self._stream("right", at, first, links, [term[:, None] for term in cache.terms])
        return cache._replace(image=image, right=tuple(at.rows)), self._head(right[-1])[:, 0]

    def _stream(
        self,
        name: str,
        at: Everywhere | Cached,
        value: jax.Array,
        links: Iterable[jax.Array | None],
        terms: Sequence[jax.Array],
    ) -> list[jax.Array]:
        """What each gated layer of a stream gives; `links` are those of the other stream."""
        shrink, enlarge = getattr(self, f"shrink_{name}"), getattr(self, f"enlarge_{name}")
        layers: Iterator = zip(getattr(self, name), links, terms, strict=False)
        given: list[jax.Array] = []

        def apply(value: jax.Array, level: int, shortcut: jax.Array | None = None) -> jax.Array:
            layer, link, term = next(layers)
            seen = [part for part in (link, shortcut) if part is not None]
            given.append(layer(at, value, level, jnp.concatenate(seen, axis=-1) if seen else None, term))
            return given[-1]

        shortcuts = [value]
        for level in range(self.levels):
            if level > 0:
                value = at.shrink(shrink[level - 1], value, level - 1)
                shortcuts.append(value)
            for _ in range(self.blocks):
                value = apply(value, level)
                shortcuts.append(value)
        shortcuts.pop()
        for level in reversed(range(self.levels)):
            if level < self.levels - 1:
                value = at.enlarge(enlarge[level], value, level)
            for _ in range(self.blocks + (level < self.levels - 1)):
                value = apply(value, level, shortcuts.pop())
        return given

    def _head(self, right: jax.Array) -> jax.Array:
        return self.head(nn.elu(right)).reshape(*right.shape[:-1], *self.parameters)


class _GatedLayer(nn.Module):
    """A gated residual layer, with what it sees elsewhere at the same pixel (figure 2)."""

    channels: int
    offsets: Sequence[Offset]

    @nn.compact
    def __call__(
        self, at: Everywhere | Cached, value: jax.Array, level: int, link: jax.Array | None, term: jax.Array
    ) -> jax.Array:
        first = MaskedConv(2 * self.channels, self.channels, self.offsets, name="first")
        second = MaskedConv(2 * self.channels, 2 * self.channels, self.offsets, name="second")
        inner = at.see(first, _concat_elu(value), level)
        if link is not None:
            inner = inner + nn.Dense(self.channels, name="link")(_concat_elu(link))
        gated, gate = jnp.split(at.see(second, at.drop(_concat_elu(inner)), level) + term, 2, axis=-1)
        return value + gated * nn.sigmoid(gate)


def _concat_elu(x: jax.Array) -> jax.Array:
    return nn.elu(jnp.concatenate([x, -x], axis=-1))


def _with_ones(x: jax.Array) -> jax.Array:
    """Values in [-1, 1] and a channel of ones, which tells the image from the zeros around it."""
    return jnp.concatenate([2 * x - 1, jnp.ones_like(x[..., :1])], axis=-1)


def _write_pixel(image: jax.Array, pixel: jax.Array, position: jax.Array, width: int) -> jax.Array:
    """Write a pixel [B, C] into the cached rows; before the first there is none."""
    values = jnp.where(position >= 0, _with_ones(pixel), 0)[:, None]
    return write(image, values, _FIRST_DOWN, position // width, position % width)
