"""MADE under many masks, as an ensemble of distributions (Germain et al. 2015, section 4.2)."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen.likelihood import Likelihood, bernoulli
from jaxgen.models import MADE, Masks
from jaxgen.optimize import Losses, check_optimizers, minimize
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.recipes.autoregressive.family import Model, count_labels, family, init_model
from jaxgen.sampling import raster_scan

_DRAWN_AT_ONCE = 25  # examples, each under its own mask


class Train(NamedTuple):
    """Training state, which only `step` reads."""

    #: The optimizer's state.
    opt_state: PyTree
    #: Steps so far, [], which select the next mask of the cycle.
    steps_taken: jax.Array


def made(
    network: MADE,
    optimizer: optax.GradientTransformation,
    *,
    likelihood: Likelihood = bernoulli,
    fresh_masks: bool = False,
    ensemble_size: int | None = None,
) -> Recipe:
    """MADE with order-agnostic and connectivity-agnostic training: minimise -log p(x | y) under a new mask each step.

    Germain et al. 2015, section 4.2. A step uses the next mask of the network's cycle of `num_masks` or, with
    `fresh_masks`, a new random one. Evaluation and sampling use the ensemble of `ensemble_size` masks from the seed of
    the cycle, by default the cycle itself: log p(x) is the log of the mean of p(x) over masks. There is no `complete`,
    since masks with several orders share no first value.
    """
    check_optimizers(optimizer=optimizer)

    def nll(params: PyTree, x: jax.Array, y: jax.Array | None, masks: Masks) -> jax.Array:
        return likelihood.nll(network.apply(params, x, y, masks), x)

    def init(key: jax.Array, batch: dict) -> State:
        model = init_model(key, network, batch, _select_mask(network.cycle(), 0))
        return State(model, Train(optimizer.init(model.params), jnp.int32(0)))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        (params, label_counts), (opt_state, steps_taken) = state
        index = 0 if fresh_masks else steps_taken % network.num_masks
        masks = _select_mask(network.draw_masks(key, 1) if fresh_masks else network.cycle(), index)

        def loss(params: PyTree) -> Losses:
            return nll(params, batch["x"], batch.get("y"), masks), {}, None

        params, opt_state, metrics, _ = minimize(optimizer, loss, params, opt_state, axis_name)
        label_counts = count_labels(label_counts, batch, axis_name)
        return State(Model(params, label_counts), Train(opt_state, steps_taken + 1)), metrics

    def ensemble_nll(params: PyTree, x: jax.Array, y: jax.Array | None) -> jax.Array:
        ensemble = network.cycle(ensemble_size)
        per_mask = jax.lax.map(lambda masks: nll(params, x, y, masks), ensemble)
        return math.log(len(per_mask)) - jax.nn.logsumexp(-per_mask, axis=0)

    def draw(key: jax.Array, params: PyTree, num: int, y: jax.Array | None) -> jax.Array:
        """Draw each example under a random mask: a draw from the mean of p(x) over masks."""
        ensemble = network.cycle(ensemble_size)
        key_masks, key_values = jax.random.split(key)
        index = jax.random.randint(key_masks, (num,), 0, len(ensemble.order))

        def one(example: tuple) -> jax.Array:
            number, index, y = example
            masks, y = _select_mask(ensemble, index), None if y is None else y[None]
            return raster_scan(
                jax.random.fold_in(key_values, number),
                functools.partial(network.apply, params, masks=masks, method="column"),
                network.apply(params, 1, y, masks, method="start"),
                shape=(1, *network.shape),
                draw=likelihood.draw,
                order=masks.order,
            )[0]

        examples = jnp.arange(num), index, y
        if not isinstance(num, int):  # of an exported program, whose N is symbolic
            return jax.vmap(one)(examples)
        return jax.lax.map(one, examples, batch_size=_DRAWN_AT_ONCE)

    return family(network, likelihood, init, step, ensemble_nll, draw)


def _select_mask(masks: Masks, index: int | jax.Array) -> Masks:
    return jax.tree.map(lambda leaf: leaf[index], masks)
