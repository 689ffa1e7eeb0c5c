"""A run as it stands on disk, opened for whoever reads it: the evaluator, the sampler, the report."""

import pathlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.preprocess import Preparation
from jaxgen.recipe import PyTree, Recipe
from train import config as configs
from train.data import Dataset, find_data_directory, open_data
from train.engine import run_directory
from train.engine.checkpoint import ReadModel, newest_step, read_model, read_models
from train.engine.keys import Keys, make_keys
from train.engine.record import source
from train.errors import InputError, warn
from train.experiment import Experiment
from train.runs.prepared import in_steps, make_recipe, open_experiment_data


class Run(NamedTuple):
    """Everything about a run that does not change any more. `models` and `keys` hold one entry for each seed."""

    path: pathlib.Path
    record: Mapping[str, Any]  # config.json
    experiment: Experiment
    dataset: Dataset
    recipe: Recipe
    step: int | list[int]  # of the models; one a seed where they differ
    trained: int  # the step that training has reached
    selected_by: str | None  # the validation metric; None: the models are the newest
    models: list[PyTree]
    keys: list[Keys]
    data_dir: str | None  # where the data was found
    prepare: Preparation
    config_steps: int  # the optimizer steps of its config where no --steps is given
    trust: bool = False  # whether its reader executes what runs keep of their configs


def load(
    path: str,
    data_dir: str | None = None,
    step: Literal["best", "last"] | None = None,
    *,
    data: str | Dataset | None = None,
    config: configs.Config | None = None,
    trust: bool = False,
    ways: str = "--config FILE or --trust",
) -> Run:
    """Open a run's selected model or its newest, its data and its recipe; InputError names what is missing.

    Programs of one's own use this too: `run = load("runs/x")`, then `run.recipe`, `run.models` (one for each seed),
    `run.dataset`, `run.prepare` and `run.experiment`.

    `data` says where the run's data is now, or is that data, split as in training, where it is open already. Without a
    `config` it is that of the run; `source.open_config` says what `trust` and `ways` are for.
    """
    run_dir = pathlib.Path(path)
    record = run_directory.read_config(run_dir)
    config = config or source.open_config(run_dir, record, trust=trust, ways=ways)
    experiment = configs.recorded(config, record["values"])
    experiment = experiment._replace(data=data.source if isinstance(data, Dataset) else data or experiment.data)
    if run_directory.has_damaged_sessions(run_dir):
        warn(f"{run_dir / 'provenance.json'} cannot be read; where the run comes from is not known")
    trained_from = [session.get("data_dir") for session in run_directory.read_sessions(run_dir)]
    directory = find_data_directory(experiment.data, data_dir) or next(reversed(trained_from), None)
    dataset = data if isinstance(data, Dataset) else open_experiment_data(experiment, directory)
    if dataset.fingerprint != record["data_fingerprint"]:
        raise InputError(
            f"{path}: expected the data that it was trained on; --data {experiment.data} has other content"
        )
    recipe, prepare, state = make_recipe(config, experiment, dataset)
    like = jax.tree.map(lambda leaf: _with_seeds(leaf, experiment.seeds), state.model)
    if step == "best" and experiment.select is None:
        raise InputError(f"--step best: expected a run that was trained with --select, not {path}")
    selected_by = None if step == "last" else experiment.select
    of_step, model = _read(run_dir, selected_by, like)
    trained = of_step if isinstance(of_step, int) and selected_by is None else newest_step(run_dir) or 0
    keys = [make_keys(seed) for seed in range(experiment.seed, experiment.seed + experiment.seeds)]
    models, experiment = per_seed(model, experiment.seeds), in_steps(experiment, dataset, recipe)
    own = {name: value for name, value in record["values"].items() if name in config.parameters and name != "steps"}
    by_default = configs.recorded(config, own)._replace(batch_size=experiment.batch_size)
    return Run(
        run_dir, record, experiment, dataset, recipe, of_step, trained, selected_by, models, keys, directory, prepare,
        in_steps(by_default, dataset, recipe).steps, trust,
    )  # fmt: skip


def load_beside(
    option: str,
    path: str,
    data_dir: str | None,
    shape: tuple[int, ...],
    *,
    trust: bool,
    dataset: Dataset | None = None,
) -> Run:
    """Another run, on examples of this shape, that an option names; InputError, which names the option, for others.

    Where it was trained on the content of `dataset`, that is its data, wherever it was read from in training.
    """
    try:
        trained_on = None if dataset is None else run_directory.read_config(pathlib.Path(path))["data_fingerprint"]
        data = dataset.source if dataset is not None and dataset.fingerprint == trained_on else None
        found = load(path, data_dir, data=data, trust=trust, ways="--trust")
    except InputError as error:
        raise InputError(f"{option}: {error}") from error
    of = found.dataset.spec.shape
    if of != shape:
        raise InputError(f"{option} {path}: expected a run on examples of shape {shape}, not {of}")
    return found


def open_beside(run: Run, data: str) -> Dataset:
    """A data set as it is without an experiment; that of the run, where it is the same, need not be held twice."""
    is_whole = run.experiment.valid_rows is None and run.dataset.test is not run.dataset.valid
    return run.dataset if is_whole and data == run.dataset.source else open_data(data, run.data_dir)


def _read(run_dir: pathlib.Path, selected_by: str | None, like: PyTree) -> ReadModel:
    if not (run_dir / "checkpoints").is_dir():
        raise InputError(f"{run_dir} holds no checkpoint; expected a run that was trained")
    if selected_by and not (run_dir / "best").is_dir():
        raise InputError(
            f"{run_dir} has selected no model yet; expected --step last, or a run that was trained further"
        )
    return read_model(run_dir / ("best" if selected_by else "checkpoints"), like)


def first_models(run: Run) -> dict[int, PyTree]:
    """The first seed's model at each step whose checkpoint is kept and can be read."""
    like = jax.tree.map(
        lambda leaf: _with_seeds(jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), len(run.models)), run.models[0]
    )
    found = read_models(run.path / "checkpoints", like)
    return {step: per_seed(model, len(run.models))[0] for step, model in found.items()}


def describe_step(run: Run) -> str:
    """Which step's models are read, for a person: several where the seeds differ."""
    steps = ", ".join(map(str, run.step)) if isinstance(run.step, list) else str(run.step)
    chosen = f", selected by validation {run.selected_by}" if run.selected_by else ""
    return f"step {steps} of {run.trained if run.selected_by else run.experiment.steps}{chosen}"


def in_unit_interval(run: Run, x: np.ndarray | jax.Array) -> np.ndarray:
    """Examples in the units of the run's model, as they are shown: images in [0, 1]."""
    return np.asarray(run.prepare.to_unit(jnp.asarray(x)))


def per_seed(tree: PyTree, seeds: int) -> list[PyTree]:
    """A tree with a leading axis of seeds, if there are several, as one tree for each."""
    return [tree] if seeds == 1 else [jax.tree.map(lambda leaf, seed=seed: leaf[seed], tree) for seed in range(seeds)]


def _with_seeds(leaf: jax.ShapeDtypeStruct, seeds: int) -> jax.ShapeDtypeStruct:
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    shape = (seeds, *leaf.shape) if seeds > 1 else leaf.shape
    return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=sharding)
