"""What all recipes of autoregressive models share, out of their -log p(x | y) and their draws."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen import labels
from jaxgen.likelihood import Likelihood
from jaxgen.metrics import bayes_posterior
from jaxgen.models import AutoregressiveNetwork, Masks
from jaxgen.recipe import PyTree, Recipe, State


class Model(NamedTuple):
    """The model: all that evaluation and sampling read."""

    #: The network's variables.
    params: PyTree
    #: Label counts of training, integers [K], the prior of y; None if y is not a class.
    label_counts: jax.Array | None


def init_model(key: jax.Array, network: AutoregressiveNetwork, batch: dict, *masks: Masks) -> Model:
    """The model before its first step, of MADE under this mask."""
    y = batch.get("y")
    params = network.init(key, batch["x"], y, *masks)
    counted = isinstance(network.condition_dim, int) and y is not None and y.ndim == 1
    return Model(params, jnp.zeros(network.condition_dim, jnp.int32) if counted else None)


def count_labels(label_counts: jax.Array | None, batch: dict, axis_name: str | None) -> jax.Array | None:
    """The label counts with those of a batch, where they are counted."""
    return None if label_counts is None else labels.count(label_counts, batch["y"], axis_name)


def family(
    network: AutoregressiveNetwork,
    likelihood: Likelihood,
    init: Callable[..., State],
    step: Callable[..., tuple[State, dict]],
    nll: Callable[[PyTree, jax.Array, jax.Array | None], jax.Array],  # (params, x, y) -> nats [B]
    draw: Callable[[jax.Array, PyTree, int, jax.Array | None], jax.Array],  # (key, params, num, y) -> x [N, ...]
) -> Recipe:
    """A recipe but for what needs the values of one x in an order."""

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
        given_class = lambda y: -nll(model.params, x, jnp.full(x.shape[0], y))  # noqa: E731
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
            raise ValueError("conditions that are no classes have no prior: y must be given")
        return labels.log_prior(model.label_counts)

    return Recipe(
        init=init,
        step=step,
        evaluate=evaluate,
        sample=sample,
        classify=classify if isinstance(network.condition_dim, int) else None,
        log_prob=log_prob,
        log_prob_is="exact",
        levels=likelihood.levels,
        conditional=network.condition_dim is not None,
    )
