"""One network of p(x_i | x_1 ... x_{i-1}) (van den Oord et al. 2016a, eq. 1)."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen.likelihood import Likelihood, bernoulli
from jaxgen.models import AutoregressiveNetwork
from jaxgen.optimize import Losses, check_optimizers, chunk_size, minimize_in_parts
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.recipes.autoregressive.family import Model, count_labels, family, init_model
from jaxgen.sampling import example_keys, raster_scan

_MEASURED_AT_ONCE = 25  # examples whose activations and logits are held in memory


def autoregressive(
    network: AutoregressiveNetwork,
    optimizer: optax.GradientTransformation,
    *,
    likelihood: Likelihood = bernoulli,
    part_size: int = 8,
) -> Recipe:
    """Minimise -log p(x), or -log p(x | y) if the network is conditional.

    y are classes [B], vectors [B, F] or images [B, h, w, c]. `likelihood`, of each value or pixel, must have
    the parameters of the network. On a CPU gradients are accumulated over microbatches of `part_size` examples, whose
    activations fit into the cache; the result is the same.
    """
    check_optimizers(optimizer=optimizer)
    order = getattr(network, "order", None)
    has_dropout = getattr(network, "dropout", 0.0) > 0
    first_event_axis = len(network.shape) - likelihood.event_dims
    positions, event_shape = network.shape[:first_event_axis], network.shape[first_event_axis:]

    def check_mask(mask: jax.Array) -> None:
        """ValueError if a mask tells values apart that are drawn together."""
        if event_shape and math.prod(jnp.shape(mask)[-len(event_shape) :]) > 1:
            raise ValueError(f"mask must be the same for all channels of a pixel, got shape {jnp.shape(mask)}")

    def nll(
        params: PyTree, x: jax.Array, y: jax.Array | None, mask: jax.Array | None = None, **noise: Any
    ) -> jax.Array:
        """NLL of the values where the mask is true, all values without a mask: nats [B]."""
        return likelihood.nll(network.apply(params, x, y, **noise), x, where=mask)

    def init(key: jax.Array, batch: dict) -> State:
        model = init_model(key, network, batch)
        return State(model, optimizer.init(model.params))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        params, label_counts = state.model

        def loss(params: PyTree, batch: dict) -> Losses:
            dropout = {"keys": batch["keys"]} if has_dropout else {}
            return nll(params, batch["x"], batch.get("y"), rngs={"masks": key}, **dropout), {}, None

        if has_dropout:
            batch = {**batch, "keys": example_keys(key, len(batch["x"]), axis_name)}
        params, opt_state, metrics, _ = minimize_in_parts(
            optimizer, loss, params, state.train, batch, part_size, axis_name
        )
        return State(Model(params, count_labels(label_counts, batch, axis_name)), opt_state), metrics

    def nll_in_parts(params: PyTree, x: jax.Array, y: jax.Array | None, mask: jax.Array | None = None) -> jax.Array:
        """The same, in memory independent of B; of an exported program, whose B is symbolic, all at once."""
        if not isinstance(x.shape[0], int):
            return nll(params, x, y, mask)
        size = chunk_size(len(x), _MEASURED_AT_ONCE)
        mask = None if mask is None else jnp.broadcast_to(mask, x.shape)
        leaves, missing = (x, y, mask), -len(x) % size
        if missing:  # the last example again, so that the last part is full
            leaves = jax.tree.map(lambda leaf: jnp.concatenate([leaf, jnp.stack([leaf[-1]] * missing)]), leaves)
        parts = jax.tree.map(lambda leaf: leaf.reshape(-1, size, *leaf.shape[1:]), leaves)
        return jax.lax.map(lambda part: nll(params, *part), parts).reshape(-1)[: len(x)]

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
            shape=(num, *positions),
            draw=likelihood.draw,
            given=given,
            mask=mask,
            begin_row=begin_row if hasattr(network, "begin_row") else None,
            order=order,
            event_shape=event_shape,
        )

    def complete(
        key: jax.Array, model: Model, x: jax.Array, mask: jax.Array, *, y: jax.Array | None = None
    ) -> jax.Array:
        """Keep x where mask is true and draw the rest, from its exact conditional if the kept values come first."""
        check_mask(mask)
        return scan(key, model.params, len(x), y, x, mask)

    recipe = family(network, likelihood, init, step, nll_in_parts, scan)
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
        check_mask(mask)
        return -nll_in_parts(model.params, x, y, mask)

    return recipe._replace(
        complete=complete, log_prob=log_prob, order=None if order is None else tuple(map(int, order))
    )
