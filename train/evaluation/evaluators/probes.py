"""Accuracies of simple classifiers on a model's features or codes, where they are asked for."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.recipe import PyTree, Recipe
from train.engine.compile import over_examples
from train.engine.validation import BATCH_SIZE, Examples
from train.evaluation.estimates import UNITS, Measured
from train.evaluation.probing import Labelled, probe
from train.evaluation.subject import Subject


def applies(subject: Subject) -> bool:
    """True if it is asked for, the data has labels, and the model represents an example without its label."""
    asked = subject.options.extra.probes is not None and subject.run.dataset.spec.num_classes is not None
    return asked and representation(subject.run.recipe) is not None


def measure(subject: Subject) -> dict[str, Measured]:
    """1 for each test example that a linear probe, or a nearest neighbour, classifies rightly, else 0."""
    assert subject.options.extra.probes is not None
    parts = subject.train(subject.options.extra.probes), subject.valid, subject.test
    train, valid, test = (represent(subject, part) for part in parts)
    return as_shares(probe(train, valid, test))


def as_shares(right: dict[str, np.ndarray]) -> dict[str, Measured]:
    """Shares of the test examples that are classified rightly, from 0 to 1 for each, [N]."""
    return {name: Measured(values, UNITS["accuracy"], most=1) for name, values in right.items()}


def representation(recipe: Recipe) -> Callable[[PyTree, jax.Array], jax.Array] | None:
    """(model, x) -> features [B, F], or else codes [B, ...]; None where there are none or codes depend on y."""
    if recipe.features is not None:
        return recipe.features
    return None if recipe.conditional else recipe.encode


def represent(subject: Subject, part: Examples) -> Labelled:
    """The representation of each example as a vector, and its label."""
    represented = representation(subject.run.recipe)
    assert represented is not None

    def on_batch(key: jax.Array, model: PyTree, batch: dict) -> jax.Array:
        del key
        return jnp.reshape(represented(model, batch["x"]), (len(batch["x"]), -1))

    z = over_examples(on_batch, batch_size=BATCH_SIZE)(part.key, subject.model, part.prepared)
    return Labelled(z, part.prepared["y"])
