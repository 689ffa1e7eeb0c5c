"""Per-example keys and noise, and samplers that take a model as a function."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

PyTree = Any


def example_keys(key: jax.Array, num_local: int, axis_name: str | None = None) -> jax.Array:
    """One key per example of the global batch, independent of the number of devices: -> [num_local] keys.

    Row j of the global batch has `fold_in(key, j)`, so that one device and N devices draw the same noise. Under
    `axis_name` this device holds the rows starting at `axis_index * num_local`.

    This needs a threefry key, JAX's default. Under `vmap` the generators rbg and unsafe_rbg draw everything from the
    first key: their noise differs between numbers of devices.
    """
    first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * num_local
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, first + jnp.arange(num_local))


def standard_normal(
    key: jax.Array, num_local: int, shape: tuple[int, ...], *, axis_name: str | None = None
) -> jax.Array:
    """Draws from N(0, I) of `shape`, each under its example's key: -> `[num_local, *shape]`."""
    keys = example_keys(key, num_local, axis_name)
    return jax.vmap(lambda key: jax.random.normal(key, shape, jnp.float32))(keys)


def from_prior(key: jax.Array, decode: Callable[[jax.Array], jax.Array], num: int, latent_dim: int) -> jax.Array:
    """decode(z) with z ~ N(0, I), `decode: [N, Z] -> [N, ...]`: -> x [N, ...].

    Ancestral sampling (Kingma & Welling 2014, section 2.1). The first n of N samples are the same for every N.
    """
    return decode(standard_normal(key, num, (latent_dim,)))


def raster_scan(
    key: jax.Array,
    column: Callable[[PyTree, jax.Array, jax.Array], tuple[PyTree, jax.Array]],
    cache: PyTree,
    *,
    shape: tuple[int, ...],
    draw: Callable[[jax.Array, jax.Array], jax.Array],
    given: jax.Array | None = None,
    mask: jax.Array | None = None,
    begin_row: Callable[[PyTree, jax.Array, jax.Array], PyTree] | None = None,
    order: jax.Array | None = None,
    event_shape: tuple[int, ...] = (),
) -> jax.Array:
    """Sample an autoregressive model value by value, in one compiled scan: -> x of `shape`, [B, H, ...].

    Ancestral sampling (van den Oord et al. 2016a, section 2) with cached activations (Ramachandran et al. 2017). The
    i-th value is drawn under `fold_in(key, i)`, so that a sampler without a cache draws the same values.

    Args:
        key: Key of all draws.
        column: (cache, previous value [B], position) -> (cache, logits [B, ...] of the value at position). Positions
            count values in the order of `shape`; before the first value the previous one is 0.
        cache: Initial cache of `column`.
        shape: Shape of the samples, [B, H, ...].
        draw: (key, logits [B, ...]) -> values [B], converted to float32.
        given: Values of `shape` to keep where `mask` is true; each other value is drawn given those before it.
        mask: Booleans that broadcast to `shape`.
        begin_row: Like `column` without logits, called before each of the H rows to compute what the row shares.
        order: Positions [D] in the order in which they are drawn; None for the order of `shape`.
        event_shape: Shape of what is drawn at a position: () for a value, (C,) for a whole pixel. Values are then
            `[B, *event_shape]`, and `given` and x `[*shape, *event_shape]`.

    Raises:
        ValueError: If only one of `given` and `mask` is given.
    """
    if (given is None) != (mask is None):
        raise ValueError("given and mask belong together; expected both or neither")
    num, height = shape[:2]
    size = math.prod(shape[2:])
    steps = jnp.arange(height * size)
    positions = steps if order is None else order

    def in_order(values: jax.Array) -> jax.Array:
        values = jnp.broadcast_to(values, (*shape, *event_shape)).reshape(num, -1, *event_shape)
        values = values if order is None else values[:, order]
        return jnp.moveaxis(values.reshape(num, height, size, *event_shape), 0, 2)

    known = () if given is None or mask is None else (in_order(given), in_order(mask))

    def value(carry: tuple, now: tuple) -> tuple[tuple, jax.Array]:
        cache, previous = carry
        step, position, *known = now
        cache, logits = column(cache, previous, position)
        drawn = draw(jax.random.fold_in(key, step), logits).astype(jnp.float32)
        if known:
            drawn = jnp.where(known[1], known[0], drawn)
        return (cache, drawn), drawn

    def row(carry: tuple, now: tuple) -> tuple[tuple, jax.Array]:
        cache, previous = carry
        if begin_row is not None:
            cache = begin_row(cache, previous, now[1][0])
        return jax.lax.scan(value, (cache, previous), now)

    rows = (steps.reshape(height, size), positions.reshape(height, size), *known)
    first = jnp.zeros((num, *event_shape), jnp.float32)
    x = jnp.moveaxis(jax.lax.scan(row, (cache, first), rows)[1], 2, 0).reshape(num, -1, *event_shape)
    x = x if order is None else jnp.zeros_like(x).at[:, order].set(x)
    return x.reshape(*shape, *event_shape)
