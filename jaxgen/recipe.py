"""The contract between a family of models and whatever trains, evaluates or samples it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

PyTree = Any


class State(NamedTuple):
    """All that a family learns."""

    model: PyTree  # all that evaluate, sample, encode ... read: every player's params, batch statistics, counts
    train: PyTree  # what only step reads: optimizer states, counters; () where there is nothing


class Recipe(NamedTuple):
    """A family as a tuple of pure functions over one state.

    A batch is `{"x": [B, ...], "y": [B]}`, y where the data has labels; with `draws = k` its leaves are `[k, B, ...]`.
    `metrics` of a step hold `loss` and, where there is one, `learning_rate`. What a family cannot do is None. A family
    that completes keeps x where `mask` is true, and its `log_prob` takes `mask` too: the sum over the values where it
    is true, each given those that the family draws before it.
    """

    init: Callable[..., State]  # (key, batch) -> State
    step: Callable[..., tuple[State, dict]]  # (key, state, batch, *, axis_name=None) -> (State, float32 scalars)
    evaluate: Callable[..., dict]  # (key, model, batch) -> dict of [B]
    # (key, model, num, *, y=None) -> x [N, ...]: the mean where it has a latent, with `draw=True` of VAEs a draw of x
    sample: Callable[..., jax.Array] | None = None
    complete: Callable[..., jax.Array] | None = None  # (key, model, x, mask, *, y=None) -> x [B, ...]
    encode: Callable[..., jax.Array] | None = None  # (model, x, *, y=None) -> z [B, Z], the posterior mean
    draw_code: Callable[..., jax.Array] | None = None  # (key, model, x, *, y=None) -> z [B, Z], drawn from q(z | x)
    decode: Callable[..., jax.Array] | None = None  # (model, z, *, y=None) -> x [B, ...], the mean, in data units
    classify: Callable[..., jax.Array] | None = None  # (key, model, x) -> log-probabilities [B, K]
    features: Callable[..., jax.Array] | None = None  # (model, x) -> [B, F], for distances between sets
    log_prob: Callable[..., jax.Array] | None = None  # (key, model, x, *, y=None, num_samples=1) -> nats [B]
    log_prob_is: str | None = None  # "exact" or "lower bound"
    levels: int | None = None  # of how many values in [0, 1], equally far apart, log_prob is a mass; None: a density
    draws: int = 1  # independent batches that one step consumes


def mean_over(tree: PyTree, axis_name: str | None) -> PyTree:
    """The mean of every leaf over the devices of `axis_name`; the tree itself where there is one device (None)."""
    return tree if axis_name is None else jax.lax.pmean(tree, axis_name)
