"""Negative log-likelihood of the test set, exact or importance-weighted, and bits per dimension."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import losses
from jaxgen.preprocess import Preparation
from jaxgen.recipe import PyTree, Recipe
from train.engine.compile import over_examples
from train.evaluation.estimates import UNITS, Measured
from train.evaluation.subject import Subject
from train.runs import Run

_BATCH_SIZE = 100  # times the recipe's chunk of samples, this bounds the memory of importance sampling


def applies(subject: Subject) -> bool:
    """True if the recipe has log p(x)."""
    return subject.run.recipe.log_prob is not None


def measure(subject: Subject) -> dict[str, Measured]:
    """NLL, taken from the recipe's own metrics if they have it, and bits per dimension of discrete data.

    `marginal_nll` is -log p(x) of an exact class-conditional model, over all classes.
    """
    recipe, x = subject.run.recipe, subject.test.prepared["x"]
    found: dict[str, np.ndarray] = {}
    nll = subject.example_metrics.get("nll")
    if nll is None:
        on_test = over_examples(measure_nll(recipe, subject.options.num_samples), batch_size=_BATCH_SIZE)
        found = on_test(subject.key(1), subject.model, subject.test.prepared)
        (nll,) = found.values()
    if recipe.classify is not None and recipe.log_prob_is == "exact" and "marginal_nll" not in subject.example_metrics:
        marginal = over_examples(_measure_marginal(recipe), batch_size=_BATCH_SIZE)
        found |= marginal(subject.key(1), subject.model, {"x": x})
    nats = to_discrete(recipe, subject.run.prepare, x)
    if nats is not None:
        found["bits_per_dim"] = np.asarray(losses.bits_per_dim(jnp.asarray(nll + nats), x[0].size))
    return {name: Measured(values, UNITS[name]) for name, values in found.items()}


def measure_nll(recipe: Recipe, num_samples: int) -> Callable[[jax.Array, PyTree, dict], dict[str, jax.Array]]:
    """(key, model, batch) -> {"nll": [B]}, or {"importance_weighted_nll": [B]} where log_prob is a lower bound."""
    log_prob = recipe.log_prob
    assert log_prob is not None
    if recipe.log_prob_is == "exact":
        return lambda key, model, batch: {"nll": -log_prob(key, model, batch["x"], y=batch.get("y"))}
    sampled = functools.partial(log_prob, num_samples=num_samples)
    return lambda key, model, batch: {"importance_weighted_nll": -sampled(key, model, batch["x"], y=batch.get("y"))}


def _measure_marginal(recipe: Recipe) -> Callable[[jax.Array, PyTree, dict], dict[str, jax.Array]]:
    log_prob = recipe.log_prob
    assert log_prob is not None
    return lambda key, model, batch: {"marginal_nll": -log_prob(key, model, batch["x"])}


def to_discrete(recipe: Recipe, prepare: Preparation, x: np.ndarray) -> np.ndarray | None:
    """Nats [N] that turn -log p(x), x [N, ...], into an NLL of the 8-bit data; None where that is impossible."""
    blocks = (x[first : first + 1000] for first in range(0, len(x), 1000))  # for the memory that a set of x takes
    if recipe.levels is not None:
        indices = (block * (recipe.levels - 1) for block in blocks)
        whole = all(np.allclose(index, np.round(index), rtol=0, atol=1e-3) for index in indices)
        return np.zeros(len(x)) if whole else None
    return (
        None if prepare.log_det is None else np.concatenate([prepare.log_det(jnp.asarray(block)) for block in blocks])
    )


def describe_units(reader: Run) -> str:
    """Describe the units of log p(x); likelihoods of two models are comparable where this is the same."""
    black, white = reader.prepare.to_unit(jnp.array([0.0, 1.0]))
    levels = f"{reader.recipe.levels} values" if reader.recipe.levels else "a density"
    return f"{levels} in units whose 0 is the grey value {black:g} and whose 1 is {white:g}"
