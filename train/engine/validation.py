"""Metrics on the validation set, between two calls of the training loop."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.preprocess import Preparation
from jaxgen.recipe import PyTree, Recipe
from train.engine.compile import over_examples, prepare_examples

BATCH_SIZE = 500


class Examples(NamedTuple):
    """A set prepared for one seed, and the key under which that seed is measured on it."""

    key: jax.Array
    prepared: dict[str, np.ndarray]


def prepare_set(key: jax.Array, prepare: Preparation, examples: Mapping[str, np.ndarray]) -> Examples:
    """Prepare a set once, so that every metric, and every evaluation of the run, sees the same draw of it."""
    key_prepare, key_measure = jax.random.split(key)
    return Examples(key_measure, prepare_examples(prepare, key_prepare, examples))


def compile_validation(recipe: Recipe, valid: list[Examples]) -> Callable[[list[PyTree]], dict[str, np.ndarray]]:
    """(models), one a seed -> mean of each metric on the validation set, [] or [S]."""
    evaluate = over_examples(recipe.evaluate, batch_size=BATCH_SIZE)

    def validate(models: list[PyTree]) -> dict[str, np.ndarray]:
        values = [evaluate(key, model, seen) for model, (key, seen) in zip(models, valid, strict=True)]
        means = {name: np.array([value[name].mean(dtype=np.float64) for value in values]) for name in values[0]}
        return means if len(models) > 1 else {name: mean[0] for name, mean in means.items()}

    return validate
