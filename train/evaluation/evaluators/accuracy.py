"""Test accuracy, by Bayes' rule for class-conditional densities."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxgen.recipe import PyTree, Recipe
from train.engine.compile import over_examples
from train.evaluation.estimates import UNITS, Measured
from train.evaluation.subject import Subject

_BATCH_SIZE = 100


def applies(subject: Subject) -> bool:
    """True if the recipe classifies, the data has labels and the recipe's own metrics lack the accuracy."""
    labelled = "y" in subject.run.dataset.test
    return subject.run.recipe.classify is not None and labelled and "accuracy" not in subject.example_metrics


def measure(subject: Subject) -> dict[str, Measured]:
    """1 for each test example whose most probable class is its label, else 0."""
    on_test = over_examples(accuracy(subject.run.recipe), batch_size=_BATCH_SIZE)
    correct = on_test(subject.key(2), subject.model, subject.test.prepared)
    return {"accuracy": Measured(correct, UNITS["accuracy"], most=1)}


def accuracy(recipe: Recipe) -> Callable[[jax.Array, PyTree, dict], jax.Array]:
    """(key, model, batch) -> 1.0 where the most probable class is y, else 0.0, [B]."""
    classify = recipe.classify
    assert classify is not None

    def on_batch(key: jax.Array, model: PyTree, batch: dict) -> jax.Array:
        chosen = jnp.argmax(classify(key, model, batch["x"]), axis=-1)
        return (chosen == batch["y"]).astype(jnp.float32)

    return on_batch
