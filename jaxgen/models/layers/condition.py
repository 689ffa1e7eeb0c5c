"""Conditioning on a class, a vector or an image."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from jaxgen._checks import check
from jaxgen.models.layers.basic import Dtype, conv, conv_transpose


def condition_of(y: jax.Array | None, condition_dim: int | None) -> jax.Array | None:
    """Condition vectors: classes [B] in 0..condition_dim - 1 one-hot, vectors unchanged: -> [B, condition_dim].

    None for an unconditional model (`condition_dim` None), whatever y is. A class outside the range, which a compiled
    function cannot reject, becomes a vector of zeros. Raises ValueError where y is missing, or is neither integers [B]
    nor floats of that shape.
    """
    if condition_dim is None:
        return None
    if y is None:
        raise ValueError(f"this model is conditional: y must be given, classes below or vectors of {condition_dim}")
    y = jnp.asarray(y)
    if y.ndim == 1 and jnp.issubdtype(y.dtype, jnp.integer):
        return jax.nn.one_hot(y, condition_dim, dtype=jnp.float32)
    if y.ndim != 2 or y.shape[1] != condition_dim or not jnp.issubdtype(y.dtype, jnp.floating):
        raise ValueError(
            f"y must be integers [B] or floats [B, {condition_dim}], got {y.dtype} of shape {tuple(y.shape)}"
        )
    return y


def with_class(x: jax.Array, y: jax.Array, num_classes: int) -> jax.Array:
    """Append the one-hot class as K constant channels: [B, ..., C], [B] -> [B, ..., C + K].

    Mirza & Osindero 2014. For packs of m examples y is [B, m], and m K channels are appended. Those of a class outside
    0..K-1 are zeros. Raises AssertionError unless y is integers.
    """
    check("with_class", y=(y, "int [B, ...]"))
    one_hot = jax.nn.one_hot(y, num_classes, dtype=x.dtype).reshape(x.shape[0], *[1] * (x.ndim - 2), -1)
    return jnp.concatenate([x, jnp.broadcast_to(one_hot, (*x.shape[:-1], one_hot.shape[-1]))], axis=-1)


class Condition(nn.Module):
    """Conditioning terms of several layers, linear in the condition (van den Oord et al. 2016b, eq. 4).

    Of an image they are linear in a map of it, which has the `size` of the images that are modelled (eq. 5).
    """

    condition_dim: int | tuple[int, int, int] | None  # shape of an image; None: nothing, whatever y is
    widths: Sequence[int]  # of the layers
    size: tuple[int, int] = (1, 1)
    features: int = 32  # of the map
    dtype: Dtype = None

    @nn.compact
    def __call__(self, y: jax.Array | None) -> tuple[jax.Array, ...]:
        """y, as in `condition_of`, -> [B, width] for each layer; zeros [1, width] for an unconditional model.

        For an image [B, h, w, c] terms of each pixel, [B, H, W, width].
        """
        dim = self.condition_dim
        condition = self._map(y, dim) if isinstance(dim, tuple) else condition_of(y, dim)
        if condition is None:
            return tuple(jnp.zeros((1, width), self.dtype or jnp.float32) for width in self.widths)
        return tuple(nn.Dense(width, use_bias=False, dtype=self.dtype)(condition) for width in self.widths)

    def _map(self, y: jax.Array | None, shape: tuple[int, int, int]) -> jax.Array:
        """Three convolutions at the resolution of y, and a transposed one that enlarges: -> [B, H, W, features]."""
        scale = self.size[0] // shape[0]
        if (scale * shape[0], scale * shape[1]) != tuple(self.size):
            raise ValueError(f"condition_dim {shape} must divide images of size {tuple(self.size)}, alike both ways")
        if y is None or jnp.shape(y)[1:] != tuple(shape) or not jnp.issubdtype(y.dtype, jnp.floating):
            got = "None" if y is None else f"{y.dtype} of shape {jnp.shape(y)}"
            raise ValueError(f"this model is conditional: y must be images, floats [B, {str(shape)[1:-1]}], got {got}")
        for _ in range(3):
            y = nn.relu(conv(self.features, (3, 3), dtype=self.dtype)(y))
        return nn.relu(conv_transpose(self.features, (scale, scale), (scale, scale), dtype=self.dtype)(y))


def over_pixels(term: jax.Array) -> jax.Array:
    """A conditioning term that broadcasts to [B, H, W, width]."""
    return term if term.ndim == 4 else term[:, None, None]


def at_pixels(term: jax.Array, row: jax.Array, column: int | jax.Array = 0, width: int = 1) -> jax.Array:
    """A conditioning term that broadcasts to `width` pixels starting at (row, column), [B, width, F]."""
    if term.ndim == 2:
        return term[:, None]
    return lax.dynamic_slice(term, (0, row, column, 0), (len(term), 1, width, term.shape[-1]))[:, 0]
