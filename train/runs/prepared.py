"""A config on its data: the recipe and the preparation that it makes, and its steps."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.preprocess import Preparation
from jaxgen.recipe import PyTree, Recipe, State
from train import config as configs
from train.data import Dataset, batch_rows, check_split, open_data, steps_per_epoch, with_validation_rows
from train.engine.compile import first_state, prepare_batch
from train.errors import InputError, one_line
from train.experiment import Experiment


def open_experiment_data(experiment: Experiment, data_dir: str | None) -> Dataset:
    """The data of an experiment, split as it asks for; InputError for a split that takes a class out of training."""
    dataset = open_data(experiment.data, data_dir)
    if experiment.valid_rows is not None:
        dataset = with_validation_rows(dataset, *experiment.valid_rows)
    if "y" in dataset.train:
        check_split(dataset.source, dataset.valid_is, dataset.train["y"], dataset.valid["y"])
    return dataset


class Prepared(NamedTuple):
    """What a config makes of its data."""

    recipe: Recipe
    prepare: Preparation
    state: State  # shapes of one seed's


def make_recipe(config: configs.Config, experiment: Experiment, dataset: Dataset) -> Prepared:
    """The recipe and the preparation for this data; InputError where its model cannot take the data."""
    key = jax.random.key(0)
    try:
        epoch = steps_per_epoch(dataset.spec.num_train, experiment.batch_size, draws=1, drop_last=experiment.drop_last)
        spec = dataset.spec._replace(steps_per_epoch=epoch, dtype=jnp.dtype(experiment.precision))
        prepare, recipe = experiment.preparation(spec), experiment.recipe(spec)
        rows = batch_rows(0, dataset.spec.num_train, experiment.batch_size, recipe.draws, 0, 1).whole[0]
        init = functools.partial(first_state, recipe, prepare)
        state = jax.eval_shape(init, key, dataset.train, rows)
        for part in (dataset.valid, dataset.test):
            _evaluated(recipe, prepare, part, state)
        if experiment.precision != "float32":
            _require_use_of_dtype(recipe, prepare, dataset.valid, state)
        return Prepared(recipe, prepare, state)
    except (ValueError, TypeError, AssertionError) as error:
        given = f"--data {dataset.source}, examples of shape {dataset.spec.shape}"
        raise InputError(
            f"{config.recorded_path()} with these options cannot take {given}: {one_line(error)[:300]}"
        ) from error


def _require_use_of_dtype(recipe: Recipe, prepare: Preparation, part: Mapping[str, np.ndarray], state: State) -> None:
    """ValueError where no value is of half precision: the config has not passed `spec.dtype` on."""
    program = jax.make_jaxpr(functools.partial(_evaluate, recipe, prepare))(state.model, _few(part))
    if "bf16" not in str(program):
        raise ValueError("--precision bfloat16: expected a config that passes dtype=spec.dtype to its networks")


def validation_metrics(recipe: Recipe, prepare: Preparation, dataset: Dataset, state: State) -> list[str]:
    """Names of the metrics on the validation set."""
    return list(_evaluated(recipe, prepare, dataset.valid, state))


def _evaluated(recipe: Recipe, prepare: Preparation, part: Mapping[str, np.ndarray], state: State) -> dict:
    return jax.eval_shape(functools.partial(_evaluate, recipe, prepare), state.model, _few(part))


def _evaluate(recipe: Recipe, prepare: Preparation, model: PyTree, batch: Mapping[str, jax.Array]) -> dict:
    key_prepare, key_evaluate = jax.random.split(jax.random.key(0))
    return recipe.evaluate(key_evaluate, model, prepare_batch(prepare, key_prepare, batch, None))


def _few(part: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array[:2] for name, array in part.items()}


def epoch_of(experiment: Experiment, dataset: Dataset, recipe: Recipe) -> int:
    """Optimizer steps in an epoch."""
    sizes = (len(dataset.train["x"]), experiment.batch_size, recipe.draws)
    return steps_per_epoch(*sizes, drop_last=experiment.drop_last)


def in_steps(experiment: Experiment, dataset: Dataset, recipe: Recipe) -> Experiment:
    """The experiment with its steps and intervals in optimizer steps."""
    if experiment.unit == "step":
        return experiment
    epoch = epoch_of(experiment, dataset, recipe)
    return experiment._replace(
        unit="step",
        steps=experiment.steps * epoch,
        evaluate_every=experiment.evaluate_every * epoch,
        checkpoint_every=experiment.checkpoint_every * epoch,
    )
