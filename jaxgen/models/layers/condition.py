"""Conditioning on a class or a vector."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from jaxgen._checks import check


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
    one_hot = jax.nn.one_hot(y, num_classes, dtype=x.dtype).reshape(len(x), *[1] * (x.ndim - 2), -1)
    return jnp.concatenate([x, jnp.broadcast_to(one_hot, (*x.shape[:-1], one_hot.shape[-1]))], axis=-1)


class Condition(nn.Module):
    """Conditioning terms of several layers, linear in the condition (van den Oord et al. 2016b, eq. 4)."""

    condition_dim: int | None  # None: nothing, whatever y is
    widths: Sequence[int]  # of the layers

    @nn.compact
    def __call__(self, y: jax.Array | None) -> tuple[jax.Array, ...]:
        """y, as in `condition_of`, -> [B, width] for each layer; zeros [1, width] for an unconditional model."""
        condition = condition_of(y, self.condition_dim)
        if condition is None:
            return tuple(jnp.zeros((1, width), jnp.float32) for width in self.widths)
        return tuple(nn.Dense(width, use_bias=False)(condition) for width in self.widths)
