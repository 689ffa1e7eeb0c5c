"""Autoregressive models: exact log p(x) = sum_i log p(x_i | x_1 ... x_{i-1}) (van den Oord et al. 2016a, eq. 1)."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen import labels
from jaxgen.likelihood import Likelihood, bernoulli
from jaxgen.metrics import bayes_posterior
from jaxgen.models import MADE, AutoregressiveNetwork, Masks
from jaxgen.optimize import Losses, check_optimizers, largest_divisor, minimize, minimize_in_parts
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.sampling import raster_scan

_MEASURED_AT_ONCE = 25  # examples whose activations and logits are held in memory
_DRAWN_AT_ONCE = 25  # examples, each under its own mask


class Model(NamedTuple):
    """The model: all that evaluation and sampling read."""

    #: The network's variables.
    params: PyTree
    #: Label counts of training, integers [K], the prior of y; None if y is not a class.
    label_counts: jax.Array | None


class Train(NamedTuple):
    """Training state, which only `step` reads."""

    #: The optimizer's state.
    opt_state: PyTree
    #: Steps so far, [], which select the next mask of the cycle.
    steps_taken: jax.Array


def autoregressive(
    network: AutoregressiveNetwork,
    optimizer: optax.GradientTransformation,
    *,
    likelihood: Likelihood = bernoulli,
    part_size: int = 8,
) -> Recipe:
    """Minimise -log p(x), or -log p(x | y) if the network is conditional; y are classes [B] or vectors [B, F].

    `likelihood`, of each value, must have the parameters of the network. On a CPU gradients are accumulated over
    microbatches of `part_size` examples, whose activations fit into the cache; the result is the same.
    """
    check_optimizers(optimizer=optimizer)
    order = getattr(network, "order", None)

    def nll(params: PyTree, x: jax.Array, y: jax.Array | None, rngs: dict | None = None) -> jax.Array:
        return likelihood.nll(network.apply(params, x, y, rngs=rngs), x)

    def init(key: jax.Array, batch: dict) -> State:
        model = _init(key, network, batch)
        return State(model, optimizer.init(model.params))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        params, label_counts = state.model

        def loss(params: PyTree, batch: dict) -> Losses:
            return nll(params, batch["x"], batch.get("y"), rngs={"masks": key}), {}, None

        params, opt_state, metrics, _ = minimize_in_parts(
            optimizer, loss, params, state.train, batch, part_size, axis_name
        )
        return State(Model(params, _count(label_counts, batch, axis_name)), opt_state), metrics

    def nll_where(params: PyTree, x: jax.Array, y: jax.Array | None, mask: jax.Array | None) -> jax.Array:
        """NLL of the values where the mask is true, all values without a mask: nats [B]."""
        if mask is None:
            return nll(params, x, y)
        output = network.apply(params, x, y)
        per_value = likelihood.nll(output.reshape(x.size, 1, *likelihood.parameters), x.reshape(x.size, 1))
        return jnp.sum(per_value.reshape(len(x), -1), axis=1, where=mask.reshape(len(x), -1))

    def nll_in_parts(params: PyTree, x: jax.Array, y: jax.Array | None, mask: jax.Array | None = None) -> jax.Array:
        """The same, in memory independent of B."""
        size = largest_divisor(len(x), _MEASURED_AT_ONCE)
        mask = None if mask is None else jnp.broadcast_to(mask, x.shape)
        parts = jax.tree.map(lambda leaf: leaf.reshape(-1, size, *leaf.shape[1:]), (x, y, mask))
        return jax.lax.map(lambda part: nll_where(params, *part), parts).reshape(-1)

    def scan(
        key: jax.Array,
        params: PyTree,
        num: int,
        y: jax.Array | None,
        given: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        column, begin_row = (functools.partial(network.apply, params, method=name) for name in ("column", "begin_row"))
        return raster_scan(
            key,
            column,
            network.apply(params, num, y, method="start"),
            shape=(num, *network.shape),
            draw=likelihood.draw,
            given=given,
            mask=mask,
            begin_row=begin_row if hasattr(network, "begin_row") else None,
            order=order,
        )

    def complete(
        key: jax.Array, model: Model, x: jax.Array, mask: jax.Array, *, y: jax.Array | None = None
    ) -> jax.Array:
        """Keep x where mask is true and draw the rest, from its exact conditional if the kept values come first."""
        return scan(key, model.params, len(x), y, x, mask)

    recipe = _family(network, likelihood, init, step, nll_in_parts, scan)
    joint_log_prob = recipe.log_prob
    assert joint_log_prob is not None

    def log_prob(
        key: jax.Array,
        model: Model,
        x: jax.Array,
        *,
        y: jax.Array | None = None,
        num_samples: int = 1,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        """log p(x | y), or for a class-conditional model without y log p(x), marginalised over classes.

        With a mask, booleans that broadcast to x, the sum over the values where it is true, each given y and all values
        before it: the log-probability of these values if they come first, and given the rest if they come last. Raises
        ValueError for a mask without y if the model is conditional on a class, since earlier values inform about it.
        """
        if mask is None:
            return joint_log_prob(key, model, x, y=y, num_samples=num_samples)
        if y is None and model.label_counts is not None:
            raise ValueError("this model is conditional: y must be given with a mask")
        return -nll_in_parts(model.params, x, y, mask)

    return recipe._replace(complete=complete, log_prob=log_prob)


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
        model = _init(key, network, batch, _select_mask(network.cycle(), 0))
        return State(model, Train(optimizer.init(model.params), jnp.int32(0)))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        (params, label_counts), (opt_state, steps_taken) = state
        index = 0 if fresh_masks else steps_taken % network.num_masks
        masks = _select_mask(network.draw_masks(key, 1) if fresh_masks else network.cycle(), index)

        def loss(params: PyTree) -> Losses:
            return nll(params, batch["x"], batch.get("y"), masks), {}, None

        params, opt_state, metrics, _ = minimize(optimizer, loss, params, opt_state, axis_name)
        label_counts = _count(label_counts, batch, axis_name)
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

        return jax.lax.map(one, (jnp.arange(num), index, y), batch_size=_DRAWN_AT_ONCE)

    return _family(network, likelihood, init, step, ensemble_nll, draw)


def _init(key: jax.Array, network: AutoregressiveNetwork, batch: dict, *masks: Masks) -> Model:
    y = batch.get("y")
    params = network.init(key, batch["x"], y, *masks)
    counted = network.condition_dim is not None and y is not None and y.ndim == 1
    return Model(params, jnp.zeros(network.condition_dim, jnp.int32) if counted else None)


def _count(label_counts: jax.Array | None, batch: dict, axis_name: str | None) -> jax.Array | None:
    return None if label_counts is None else labels.count(label_counts, batch["y"], axis_name)


def _select_mask(masks: Masks, index: int | jax.Array) -> Masks:
    return jax.tree.map(lambda leaf: leaf[index], masks)


def _family(
    network: AutoregressiveNetwork,
    likelihood: Likelihood,
    init: Callable[..., State],
    step: Callable[..., tuple[State, dict]],
    nll: Callable[[PyTree, jax.Array, jax.Array | None], jax.Array],  # (params, x, y) -> nats [B]
    draw: Callable[[jax.Array, PyTree, int, jax.Array | None], jax.Array],  # (key, params, num, y) -> x [N, ...]
) -> Recipe:
    def evaluate(key: jax.Array, model: Model, batch: dict) -> dict[str, jax.Array]:
        del key
        return {"nll": nll(model.params, batch["x"], batch.get("y"))}

    def sample(key: jax.Array, model: Model, num: int, *, y: jax.Array | None = None) -> jax.Array:
        key_label, key_values = jax.random.split(key)
        if y is None and model.label_counts is not None:
            y = labels.draw(key_label, model.label_counts, num)
        return draw(key_values, model.params, num, y)

    def class_likelihoods(model: Model, x: jax.Array) -> jax.Array:
        """log p(x | y) for every class, nats [B, K]."""
        given_class = lambda y: -nll(model.params, x, jnp.full(len(x), y))  # noqa: E731
        return jax.lax.map(given_class, jnp.arange(network.condition_dim)).T

    def classify(key: jax.Array, model: Model, x: jax.Array) -> jax.Array:
        del key
        return bayes_posterior(class_likelihoods(model, x), log_prior(model))

    def log_prob(
        key: jax.Array, model: Model, x: jax.Array, *, y: jax.Array | None = None, num_samples: int = 1
    ) -> jax.Array:
        """log p(x | y), or for a class-conditional model without y log p(x), marginalised over classes."""
        del key, num_samples
        if y is None and model.label_counts is not None:
            return jax.nn.logsumexp(class_likelihoods(model, x) + log_prior(model)[None], axis=1)
        return -nll(model.params, x, y)

    def log_prior(model: Model) -> jax.Array:
        if model.label_counts is None:
            raise ValueError("conditions that are vectors have no prior: y must be given")
        return labels.log_prior(model.label_counts)

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        classify=None if network.condition_dim is None else classify,
        log_prob=log_prob,
        log_prob_is="exact",
        levels=likelihood.levels,
        conditional=network.condition_dim is not None,
    )
