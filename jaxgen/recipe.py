"""The contract between a model family and its users: training loop, evaluation, sampling."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

PyTree = Any
#: The axis of the devices; None for one. A tuple under `optimize.in_microbatches`.
AxisName = str | tuple[str, ...] | None


class State(NamedTuple):
    """The state of a model family."""

    #: All that `evaluate`, `sample`, `encode` ... read: parameters, batch statistics, label counts.
    model: PyTree
    #: All that only `step` reads: optimizer states, counters; () if there is nothing.
    train: PyTree


class Recipe(NamedTuple):
    """A model family as pure functions over one state, built by keywords; functions it does not have are None.

    A batch is `{"x": [B, ...], "y": ...}`, with y if the data has labels. **y** is whatever x is conditioned on:
    classes, integers [B]; vectors [B, F]; images [B, H, W, C]. Unconditional models ignore it. **z** is [B, ...]:
    vectors [B, Z] for most families, images for image-to-image translation.
    """

    #: ``(key, batch) -> State``. Initial state. Only shapes and dtypes of the batch matter, except for what is
    #: initialised with its values (`models.ActNorm`, `FlowBatchNorm`, `recipes.bernoulli_mixture`); it is the global
    #: batch.
    init: Callable[..., State]
    #: ``(key, state, batch, *, axis_name=None) -> (State, metrics)``. Train on one batch. Metrics are
    #: float32 scalars: `loss` and, if the optimizer injects it, `learning_rate`. Under an `axis_name` the batch is this
    #: device's share, and gradients, counts and metrics are reduced over all devices. With `draws` k, leaves of the
    #: batch are [k, B, ...].
    step: Callable[..., tuple[State, dict[str, jax.Array]]]
    #: ``(key, model, batch) -> {name: [B]}``. Metrics of each example; for classifiers `accuracy` and `cross_entropy`.
    evaluate: Callable[..., dict[str, jax.Array]]
    #: ``(key, model, num, *, y=None) -> x [N, ...]``. Draws from p(x), or from p(x | y) for y [N, ...]; in
    #: latent variable models the mean of x given a drawn latent. Without y, classes are drawn from the training prior.
    sample: Callable[..., jax.Array] | None = None
    #: ``(key, model, x, mask, *, y=None) -> x [B, ...]``. Keep x where `mask` (booleans that broadcast to x)
    #: is true, and draw the rest given it.
    complete: Callable[..., jax.Array] | None = None
    #: Positions of the values of x in the order in which `complete` draws them; None: in the order of x.
    order: tuple[int, ...] | None = None
    #: ``(model, x, *, y=None) -> z [B, ...]``. The code, or the mean of q(z | x).
    encode: Callable[..., jax.Array] | None = None
    #: ``(key, model, x, *, y=None) -> z [B, ...]``. A draw from q(z | x); None for a deterministic encoder.
    draw_code: Callable[..., jax.Array] | None = None
    #: ``(model, z, *, y=None) -> x [B, ...]``. The mean of x given z, in data units.
    decode: Callable[..., jax.Array] | None = None
    #: Shape of one z, in families that decode and do not encode.
    code_shape: tuple[int, ...] | None = None
    #: ``(key, model, z, *, y=None) -> x [B, ...]``. A draw from p(x | z), in families whose z has the prior
    #: N(0, I) and whose p(x | z) is a likelihood.
    draw_x: Callable[..., jax.Array] | None = None
    #: ``(model, x, z, *, y=None) -> [B]``. log p(x | z) in nats, in the same families.
    log_likelihood: Callable[..., jax.Array] | None = None
    #: ``(key, model, x) -> [B, ..., K]``. Log-probabilities of the classes; at each position if y is a sequence.
    classify: Callable[..., jax.Array] | None = None
    #: ``(model, x) -> [B, F]``. Features in which sets of examples are compared.
    features: Callable[..., jax.Array] | None = None
    #: Number of leading features that are log-probabilities of categories found without labels.
    categories: int | None = None
    #: ``(key, model, x, *, y=None, num_samples=1) -> [B]``. log p(x), or log p(x | y), in nats. With `complete`
    #: it also takes `mask=None`: the sum over the values where the mask is true, each given the values that precede it.
    log_prob: Callable[..., jax.Array] | None = None
    #: "exact" or "lower bound" (which tightens with `num_samples`); None without `log_prob`.
    log_prob_is: str | None = None
    #: Whether samples depend on y.
    conditional: bool = False
    #: Number of equally spaced values in [0, 1] on which `log_prob` is a probability mass; None for a density.
    levels: int | None = None
    #: Number of independent batches that one step consumes.
    draws: int = 1


def mean_over(tree: PyTree, axis_name: AxisName) -> PyTree:
    """The mean of every leaf over the devices of `axis_name`; None for a single device."""
    return tree if axis_name is None else jax.lax.pmean(tree, axis_name)


def own_copy(tree: PyTree, axis_name: AxisName) -> PyTree:
    """A tree that is the same on all devices of `axis_name` as each device's own, whose gradient is of its examples.

    By default `jax.shard_map` tracks which values vary between devices and sums the gradient of one that does not.
    Where nothing is tracked, as under `pmap`, or there is one device (None), this is the tree itself.
    """
    if axis_name is None:
        return tree
    tracked = jax.typeof(jax.lax.axis_index(axis_name)).manual_axis_type.varying
    return jax.lax.pcast(tree, tuple(tracked), to="varying")
