"""Categories that a model found without labels, as a classifier (Chen et al. 2016, section 7.2)."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linear_sum_assignment

from jaxgen.recipe import PyTree
from train.engine.compile import over_examples
from train.engine.validation import BATCH_SIZE, Examples
from train.evaluation.estimates import UNITS, Measured
from train.evaluation.subject import Subject


def applies(subject: Subject) -> bool:
    """True if the features of the recipe begin with categories, and the data has labels."""
    return subject.run.recipe.categories is not None and "y" in subject.run.dataset.test


def measure(subject: Subject) -> dict[str, Measured]:
    """1 for each test example whose most probable category is not matched to its class, else 0.

    Each category is matched to one class, and each class to one category, so that validation examples fit best.
    """
    y, y_test = subject.valid.prepared["y"], subject.test.prepared["y"]
    counts = np.zeros((subject.run.recipe.categories or 0, int(max(y.max(), y_test.max())) + 1), np.int64)
    np.add.at(counts, (categories(subject, subject.valid), y), 1)
    wrong = match(counts)[categories(subject, subject.test)] != y_test
    return {"matching_error": Measured(wrong.astype(np.float64), UNITS["matching_error"], most=1)}


def match(counts: np.ndarray) -> np.ndarray:
    """The class of each category, -1 for none, under which most examples are right: counts [K, C] -> [K]."""
    found = np.full(len(counts), -1)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    found[rows] = columns
    return found


def categories(subject: Subject, part: Examples) -> np.ndarray:
    """The most probable category of each example, [N]."""
    features, num = subject.run.recipe.features, subject.run.recipe.categories
    assert features is not None

    def most_probable(key: jax.Array, model: PyTree, batch: dict) -> jax.Array:
        del key
        return jnp.argmax(features(model, batch["x"])[:, :num], axis=1)

    return np.asarray(over_examples(most_probable, batch_size=BATCH_SIZE)(part.key, subject.model, part.prepared))
