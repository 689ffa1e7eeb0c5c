"""Autoregressive models: log p(x) = sum of log p(x_i | x_1 .. x_i-1), exactly (van den Oord et al. 2016a, eq. 1)."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgen import labels
from jaxgen.likelihood import Likelihood, bernoulli
from jaxgen.metrics import bayes_posterior
from jaxgen.models import MADE, GatedPixelCNN, PixelCNN
from jaxgen.optimize import Losses, largest_divisor, minimize_in_parts
from jaxgen.recipe import PyTree, Recipe, State
from jaxgen.sampling import raster_scan

_MEASURED_AT_ONCE = 25  # examples, whose activations and logits are in memory


class Model(NamedTuple):
    """What readers of a trained model need."""

    #: The network's variables.
    params: PyTree
    #: Labels counted in training, integers [K], the prior of y; None where y is not a class.
    label_counts: jax.Array | None


def autoregressive(
    network: PixelCNN | GatedPixelCNN | MADE,
    optimizer: optax.GradientTransformation,
    *,
    likelihood: Likelihood = bernoulli,
    part_size: int = 8,
) -> Recipe:
    """Minimise -log p(x), or -log p(x | y) where the network is conditional: y is a class [B], or vectors [B, F].

    Each value has a `likelihood` whose parameters are those of the network. On a CPU the gradient of a batch is
    computed `part_size` examples at a time, whose activations stay in the cache; the result is the same.
    """
    shape, condition_dim = network.shape, network.condition_dim

    def nll(params: PyTree, x: jax.Array, y: jax.Array | None, rngs: dict | None = None) -> jax.Array:
        return likelihood.nll(network.apply(params, x, y, rngs=rngs), x)

    def init(key: jax.Array, batch: dict) -> State:
        y = batch.get("y")
        params = network.init(key, batch["x"], y)
        counted = condition_dim is not None and y is not None and y.ndim == 1
        label_counts = jnp.zeros(condition_dim, jnp.int32) if counted else None
        return State(Model(params, label_counts), optimizer.init(params))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        params, label_counts = state.model

        def loss(params: PyTree, batch: dict) -> Losses:
            return nll(params, batch["x"], batch.get("y"), rngs={"masks": key}), {}, None

        params, opt_state, metrics, _ = minimize_in_parts(
            optimizer, loss, params, state.train, batch, part_size, axis_name
        )
        if label_counts is not None:
            label_counts = labels.count(label_counts, batch["y"], axis_name)
        return State(Model(params, label_counts), opt_state), metrics

    def nll_where(params: PyTree, x: jax.Array, y: jax.Array | None, mask: jax.Array | None) -> jax.Array:
        """The same, of the values where the mask is true."""
        if mask is None:
            return nll(params, x, y)
        output = network.apply(params, x, y)
        of_values = likelihood.nll(output.reshape(x.size, 1, *likelihood.parameters), x.reshape(x.size, 1))
        return jnp.sum(of_values.reshape(len(x), -1), axis=1, where=mask.reshape(len(x), -1))

    def nll_in_parts(params: PyTree, x: jax.Array, y: jax.Array | None, mask: jax.Array | None = None) -> jax.Array:
        """The same, in memory that does not grow with B."""
        size = largest_divisor(len(x), _MEASURED_AT_ONCE)
        mask = None if mask is None else jnp.broadcast_to(mask, x.shape)
        parts = jax.tree.map(lambda leaf: leaf.reshape(-1, size, *leaf.shape[1:]), (x, y, mask))
        return jax.lax.map(lambda part: nll_where(params, *part), parts).reshape(-1)

    def evaluate(key: jax.Array, model: Model, batch: dict) -> dict[str, jax.Array]:
        del key
        return {"nll": nll_in_parts(model.params, batch["x"], batch.get("y"))}

    def sample(key: jax.Array, model: Model, num: int, *, y: jax.Array | None = None) -> jax.Array:
        key_label, key_values = jax.random.split(key)
        if y is None and model.label_counts is not None:
            y = labels.draw(key_label, model.label_counts, num)
        return scan(key_values, model, num, y)

    def complete(
        key: jax.Array, model: Model, x: jax.Array, mask: jax.Array, *, y: jax.Array | None = None
    ) -> jax.Array:
        """X where mask is true, else drawn given what comes before: the exact conditional where the rest comes last."""
        return scan(key, model, len(x), y, x, mask)

    def scan(
        key: jax.Array,
        model: Model,
        num: int,
        y: jax.Array | None,
        given: jax.Array | None = None,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        column, begin_row = (
            functools.partial(network.apply, model.params, method=name) for name in ("column", "begin_row")
        )
        return raster_scan(
            key,
            column,
            network.apply(model.params, num, y, method="start"),
            shape=(num, *shape),
            draw=likelihood.draw,
            given=given,
            mask=mask,
            begin_row=begin_row if hasattr(network, "begin_row") else None,
        )

    def class_likelihoods(model: Model, x: jax.Array) -> jax.Array:
        """Log p(x | y) of every class, nats [B, K]."""

        def of_class(y: jax.Array) -> jax.Array:
            return -nll_in_parts(model.params, x, jnp.full(len(x), y))

        return jax.lax.map(of_class, jnp.arange(condition_dim)).T

    def classify(key: jax.Array, model: Model, x: jax.Array) -> jax.Array:
        del key
        return bayes_posterior(class_likelihoods(model, x), log_prior(model))

    def log_prob(
        key: jax.Array,
        model: Model,
        x: jax.Array,
        *,
        y: jax.Array | None = None,
        num_samples: int = 1,
        mask: jax.Array | None = None,
    ) -> jax.Array:
        """Log p(x | y); of a class-conditional model without y log p(x), the sum over all classes.

        With a mask, booleans that broadcast to x, the sum over the values where it is true, each given y and all values
        before it: where these come first their log p, where they come last their log p given the rest. Raises
        ValueError for a mask without y where the model is conditional on a class: values then tell of the class.
        """
        del key, num_samples
        if y is None and model.label_counts is not None:
            if mask is not None:
                raise ValueError("this model is conditional: y must be given with a mask")
            return jax.nn.logsumexp(class_likelihoods(model, x) + log_prior(model)[None], axis=1)
        return -nll_in_parts(model.params, x, y, mask)

    def log_prior(model: Model) -> jax.Array:
        if model.label_counts is None:
            raise ValueError("conditions that are vectors have no prior: y must be given")
        return labels.log_prior(model.label_counts)

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        complete=complete,
        classify=None if condition_dim is None else classify,
        log_prob=log_prob,
        log_prob_is="exact",
        levels=likelihood.levels,
        conditional=condition_dim is not None,
    )
