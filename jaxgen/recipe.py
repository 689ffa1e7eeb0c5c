"""The contract between a family of models and whatever trains, evaluates or samples it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

PyTree = Any


class State(NamedTuple):
    """All that a family learns."""

    #: All that evaluate, sample, encode ... read (parameters, batch statistics, label counts).
    model: PyTree
    #: What only `step` reads (optimizer states, counters); () where there is nothing.
    train: PyTree


class Recipe(NamedTuple):
    """A family of models as pure functions over one state; built by keywords, and a function it lacks is None.

    A batch is `{"x": [B, ...], "y": ...}`, y where the data has labels. **y** is whatever x is conditioned on: a class,
    integers [B]; a vector [B, F]; an image [B, H, W, C]. A model that is not conditional ignores it. **z** is
    [B, ...]: a vector [B, Z] for most families, an image where a model translates between images.
    """

    #: ``(key, batch) -> State``. The first state; of the batch only shapes and dtypes matter.
    init: Callable[..., State]
    #: ``(key, state, batch, *, axis_name=None) -> (State, metrics)``. Train on one batch. Metrics are
    #: float32 scalars, with `loss` and, where the optimizer injects it, `learning_rate`. Under an `axis_name` the batch
    #: is this device's share, and gradients, counts and metrics are those of all devices. With `draws` k, leaves of the
    #: batch are [k, B, ...].
    step: Callable[..., tuple[State, dict[str, jax.Array]]]
    #: ``(key, model, batch) -> {name: [B]}``. Metrics of each example; of classifiers `accuracy` and `cross_entropy`.
    evaluate: Callable[..., dict[str, jax.Array]]
    #: ``(key, model, num, *, y=None) -> x [N, ...]``. Draws from p(x), or p(x | y) of y [N, ...]; the mean of x
    #: given the latent where there is one. A class that is not given is drawn from the training labels.
    sample: Callable[..., jax.Array] | None = None
    #: ``(key, model, x, mask, *, y=None) -> x [B, ...]``. Values of x where `mask` (booleans that broadcast
    #: to x) is true, and the rest drawn given them.
    complete: Callable[..., jax.Array] | None = None
    #: ``(model, x, *, y=None) -> z [B, ...]``. The code, the mean of q(z | x) where that is a distribution.
    encode: Callable[..., jax.Array] | None = None
    #: ``(key, model, x, *, y=None) -> z [B, ...]``. A draw from q(z | x); None where the code is deterministic.
    draw_code: Callable[..., jax.Array] | None = None
    #: ``(model, z, *, y=None) -> x [B, ...]``. The mean of x given z, in data units.
    decode: Callable[..., jax.Array] | None = None
    #: ``(key, model, x) -> [B, ..., K]``. Log-probabilities of classes; of each position where y is a sequence.
    classify: Callable[..., jax.Array] | None = None
    #: ``(model, x) -> [B, F]``. A representation in which sets of examples are compared.
    features: Callable[..., jax.Array] | None = None
    #: ``(key, model, x, *, y=None, num_samples=1) -> [B]``. Log p(x), or log p(x | y), in nats. Of a family with
    #: `complete` it takes `mask=None` too: the sum over the values where the mask is true, each given those drawn
    #: before it.
    log_prob: Callable[..., jax.Array] | None = None
    #: "exact" or "lower bound" (one that rises with `num_samples`); None without `log_prob`.
    log_prob_is: str | None = None
    #: Whether samples depend on y.
    conditional: bool = False
    #: The number of values in [0, 1], equally far apart, of which `log_prob` is a mass; None where it is a density.
    levels: int | None = None
    #: Independent batches that one step consumes.
    draws: int = 1


def mean_over(tree: PyTree, axis_name: str | None) -> PyTree:
    """The mean of every leaf over the devices of `axis_name`; the tree itself where there is one device (None)."""
    return tree if axis_name is None else jax.lax.pmean(tree, axis_name)


def own_copy(tree: PyTree, axis_name: str | None) -> PyTree:
    """A tree that is the same on all devices of `axis_name` as each device's own, whose gradient is of its examples.

    By default `jax.shard_map` tracks which values vary between devices and sums the gradient of one that does not.
    Where nothing is tracked, as under `pmap`, or there is one device (None), this is the tree itself.
    """
    if axis_name is None:
        return tree
    tracked = jax.typeof(jax.lax.axis_index(axis_name)).manual_axis_type.varying
    return jax.lax.pcast(tree, tuple(tracked), to="varying")
