"""LSTM layers over images (van den Oord et al. 2016a, section 3), for a whole image or pixel by pixel.

Each maps [B, H, W, F] to states [B, H, W, features]. `start`, `begin_row` and `step` compute the same from a cache of
the states that the next pixel depends on. State-to-state convolutions are matrix products of shifted states, since the
gradient of a convolution inside a scan is slow on a CPU.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from jaxgen.models.layers.masked import MaskedConv, Offset, rows_above, to_the_left
from jaxgen.models.layers.row_cache import empty_rows, window, write

Cache = Any

_LEFT, _ABOVE = to_the_left(3, centre=True), rows_above(3)  # of the Row LSTM, whose convolutions are 3 x 1
_BEFORE = ((-1, 0), (0, -1))  # of the Diagonal BiLSTM: the pixels of the diagonal before


class Gates(nn.Module):
    """The input-to-state convolution and the state-to-state kernel of an LSTM (eq. 3).

    The four gates of a feature are neighbours, so that all belong to the same colour.
    """

    in_features: int
    features: int
    num_states: int  # that a pixel sees
    colours: int = 1
    offsets: tuple[Offset, ...] = ((0, 0),)

    def setup(self) -> None:
        """Create the parameters."""
        self.convolution = MaskedConv(self.in_features, 4 * self.features, self.offsets, self.colours, per_value=4)
        shape = self.num_states * self.features, 4 * self.features
        self.kernel = self.param("kernel", nn.initializers.lecun_normal(), shape, jnp.float32)

    def __call__(self, x: jax.Array) -> jax.Array:
        """What the input adds to the gates of every pixel: [B, H, W, in_features] -> [B, H, W, 4 features]."""
        return self.convolution(x)

    def at(self, windows: jax.Array) -> jax.Array:
        """The same, of given windows."""
        return self.convolution.apply_to_windows(windows)


def advance(kernel: jax.Array, gates: jax.Array, seen: jax.Array, carry: jax.Array) -> tuple[jax.Array, jax.Array]:
    """One step of an LSTM: gates [..., 4 F], seen states [..., S F], carry [..., F] -> state and carry [..., F]."""
    gates = (gates + seen @ kernel).reshape(*carry.shape, 4)
    output, forget, update = (nn.sigmoid(gates[..., gate]) for gate in range(3))
    carry = forget * carry + update * jnp.tanh(gates[..., 3])
    return output * jnp.tanh(carry), carry


class RowLSTM(nn.Module):
    """A row given the row above, all its pixels at once: a triangle above a pixel, and its left (section 3.1)."""

    in_features: int
    features: int
    colours: int = 1

    def setup(self) -> None:
        """Name the gates."""
        self.gates = Gates(self.in_features, self.features, len(_ABOVE), self.colours, _LEFT)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Apply to whole images: [B, H, W, in_features] -> [B, H, W, features]."""
        gates = jnp.moveaxis(self.gates(x), 1, 0)
        kernel, zeros = self.gates.kernel, jnp.zeros((*gates.shape[1:3], self.features), jnp.float32)

        def row(states: tuple, gates: jax.Array) -> tuple[tuple, jax.Array]:
            state, carry = states
            padded = jnp.pad(state, [(0, 0), (1, 1), (0, 0)])
            seen = jnp.concatenate([padded[:, :-2], state, padded[:, 2:]], axis=-1)
            states = advance(kernel, gates, seen, carry)
            return states, states[0]

        return jnp.moveaxis(lax.scan(row, (zeros, zeros), gates)[1], 0, 1)

    def start(self, num: int, width: int) -> Cache:
        """The empty cache: rows of inputs, states and carries."""
        states = (empty_rows(num, width, self.features, _ABOVE) for _ in range(2))
        return empty_rows(num, width, self.in_features, _LEFT), *states

    def begin_row(self, cache: Cache, row: jax.Array) -> Cache:
        """Nothing."""
        del row
        return cache

    def step(self, cache: Cache, value: jax.Array, row: jax.Array, column: jax.Array) -> tuple[Cache, jax.Array]:
        """The state of a pixel whose input is `value` [B, 1, in_features]."""
        inputs, states, carries = cache
        inputs = write(inputs, value, _LEFT, row, column)
        gates = self.gates.at(window(inputs, _LEFT, row, column))
        # The carry is padded as the states are: the middle one of three.
        seen, carry = (window(rows, _ABOVE, row, column) for rows in (states, carries))
        state, carry = advance(self.gates.kernel, gates, seen, jnp.split(carry, 3, axis=-1)[1])
        states, carries = (write(rows, new, _ABOVE, row, column) for rows, new in ((states, state), (carries, carry)))
        return (inputs, states, carries), state


class DiagonalBiLSTM(nn.Module):
    """A diagonal given the one before, from both upper corners: all pixels before a pixel (section 3.2).

    Skewing an image by a pixel a row makes its diagonals columns. What comes from the upper right is shifted down by a
    row, so that it sees no pixel to the right.
    """

    in_features: int
    features: int
    colours: int = 1

    def setup(self) -> None:
        """Name the gates."""
        sizes = self.in_features, self.features, len(_BEFORE), self.colours
        self.from_left, self.from_right = Gates(*sizes), Gates(*sizes)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Apply to whole images: [B, H, W, in_features] -> [B, H, W, features]."""
        from_left = _diagonals(self.from_left.kernel, self.from_left(x))
        from_right = _diagonals(self.from_right.kernel, self.from_right(x)[:, :, ::-1])[:, :, ::-1]
        return from_left + jnp.pad(from_right, [(0, 0), (1, 0), (0, 0), (0, 0)])[:, :-1]

    def start(self, num: int, width: int) -> Cache:
        """The empty cache: from the left, rows of states and the carry; the last row of inputs; states from the right.

        Those from the right are of the whole row above.
        """
        left = (empty_rows(num, width, self.features, offsets) for offsets in (_BEFORE, _BEFORE[1:]))
        row = (jnp.zeros((num, width, features), jnp.float32) for features in (self.in_features, self.features))
        return *left, *row

    def begin_row(self, cache: Cache, row: jax.Array) -> Cache:
        """Compute the states from the right of the row before this one, whose inputs are cached."""
        states, carries, inputs, above = cache
        kernel, gates = self.from_right.kernel, self.from_right.at(inputs)

        def pixel(states: tuple, now: tuple) -> tuple[tuple, jax.Array]:
            (state, carry), (gates, above) = states, now
            states = advance(kernel, gates, jnp.concatenate([above, state], axis=-1), carry)
            return states, states[0]

        zeros = jnp.zeros_like(above[:, 0])
        columns = (gates.swapaxes(0, 1), above.swapaxes(0, 1))
        before = lax.scan(pixel, (zeros, zeros), columns, reverse=True)[1].swapaxes(0, 1)
        return states, carries, inputs, jnp.where(row > 0, before, 0)

    def step(self, cache: Cache, value: jax.Array, row: jax.Array, column: jax.Array) -> tuple[Cache, jax.Array]:
        """The state of a pixel whose input is `value` [B, 1, in_features]."""
        states, carries, inputs, above = cache
        seen = window(states, _BEFORE, row, column)
        carry = window(carries, _BEFORE[1:], row, column)
        state, carry = advance(self.from_left.kernel, self.from_left.at(value), seen, carry)
        states = write(states, state, _BEFORE, row, column)
        carries = write(carries, carry, _BEFORE[1:], row, column)
        inputs = lax.dynamic_update_slice_in_dim(inputs, value, column, axis=1)
        return (states, carries, inputs, above), state + lax.dynamic_slice_in_dim(above, column, 1, axis=1)


class PixelLSTM(nn.Module):
    """An LSTM over the pixels in raster order, each given the one before: without any structure of an image."""

    in_features: int
    features: int
    colours: int = 1

    def setup(self) -> None:
        """Name the gates."""
        self.gates = Gates(self.in_features, self.features, 1, self.colours)

    def __call__(self, x: jax.Array) -> jax.Array:
        """Apply to whole images: [B, H, W, in_features] -> [B, H, W, features]."""
        num, height, width, _ = x.shape
        gates = self.gates(x).reshape(num, height * width, -1).swapaxes(0, 1)
        kernel, zeros = self.gates.kernel, jnp.zeros((num, self.features), jnp.float32)

        def pixel(states: tuple, gates: jax.Array) -> tuple[tuple, jax.Array]:
            states = advance(kernel, gates, *states)
            return states, states[0]

        states = lax.scan(pixel, (zeros, zeros), gates)[1]
        return states.swapaxes(0, 1).reshape(num, height, width, -1)

    def start(self, num: int, width: int) -> Cache:
        """The empty cache: states and carries of the last W pixels, by column."""
        empty = jnp.zeros((num, width, self.features), jnp.float32)
        return empty, empty

    def begin_row(self, cache: Cache, row: jax.Array) -> Cache:
        """Nothing."""
        del row
        return cache

    def step(self, cache: Cache, value: jax.Array, row: jax.Array, column: jax.Array) -> tuple[Cache, jax.Array]:
        """The state of a pixel whose input is `value` [B, 1, in_features]."""
        del row
        before = (column - 1) % cache[0].shape[1]  # at the first column the last one, of the row above
        seen, carry = (lax.dynamic_slice_in_dim(states, before, 1, axis=1) for states in cache)
        new = advance(self.gates.kernel, self.gates.at(value), seen, carry)
        states, carries = (
            lax.dynamic_update_slice_in_dim(states, one, column, axis=1) for states, one in zip(cache, new, strict=True)
        )
        return (states, carries), new[0]


def _diagonals(kernel: jax.Array, gates: jax.Array) -> jax.Array:
    """States from the upper left corner: gates [B, H, W, 4 F] -> [B, H, W, F]."""
    num, height, _, features = gates.shape
    zeros = jnp.zeros((num, height, features // 4), jnp.float32)

    def diagonal(states: tuple, gates: jax.Array) -> tuple[tuple, jax.Array]:
        state, carry = states
        above = jnp.pad(state, [(0, 0), (1, 0), (0, 0)])[:, :-1]
        states = advance(kernel, gates, jnp.concatenate([above, state], axis=-1), carry)
        return states, states[0]

    # Before the first pixel of a row the gates are 0, of a new value too, and so states stay 0.
    columns = jnp.moveaxis(_skew(gates), 2, 0)
    return _unskew(jnp.moveaxis(lax.scan(diagonal, (zeros, zeros), columns)[1], 0, 2))


def _skew(image: jax.Array) -> jax.Array:
    """Shift row i to the right by i pixels: [B, H, W, F] -> [B, H, W + H - 1, F] (figure 3)."""
    num, height, width, features = image.shape
    rows = jnp.pad(image, [(0, 0), (0, 0), (0, height), (0, 0)]).reshape(num, -1, features)
    return rows[:, :-height].reshape(num, height, width + height - 1, features)


def _unskew(image: jax.Array) -> jax.Array:
    """The inverse of `_skew`."""
    num, height, width, features = image.shape
    rows = jnp.pad(image.reshape(num, -1, features), [(0, 0), (0, height), (0, 0)])
    return rows.reshape(num, height, width + 1, features)[:, :, : width + 1 - height]
