"""A run as it stands on disk, opened for whoever reads it: the evaluator, the sampler, the report."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from jaxgen.preprocess import Preparation
from jaxgen.recipe import PyTree, Recipe, State
from train import config as configs
from train.data import (
    Dataset,
    batch_rows,
    check_split,
    find_data_directory,
    open_data,
    steps_per_epoch,
    with_validation_rows,
)
from train.engine import devices, run_directory
from train.engine.checkpoint import ReadModel, newest_step, read_model, read_models
from train.engine.compile import first_state, prepare_batch
from train.engine.keys import Keys, make_keys
from train.engine.record import source
from train.errors import InputError, one_line, warn
from train.experiment import Experiment


@dataclasses.dataclass(kw_only=True)
class Reading:
    """Which run is read, and where."""

    run: tyro.conf.Positional[str]
    """Directory of the run."""
    step: Literal["best", "last"] | None = None
    """The model that was selected on validation data, or the newest; None: best where the run selects."""
    data: str | None = None
    """Where the data of the run is now, such as npz:PATH; None: as in training."""
    data_dir: str | None = None
    """Directory of data sets by name; None: JAXGEN_DATA, for tfds:NAME TFDS_DATA_DIR, else as in training."""
    platform: str | None = None
    """cpu, gpu or tpu; None: the best there is."""
    compilation_cache: str | None = None
    """Directory of compiled programs, or "off"; None: jaxgen in the user's cache directory."""
    config: str | None = None
    """The run's config; None: the file that it was trained with, which must not have changed since."""
    trust: bool = False
    """Where a run's config has changed or is gone, execute the source that the run's directory keeps of it."""


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


def open_experiment_data(experiment: Experiment, data_dir: str | None) -> Dataset:
    """The data of an experiment, split as it asks for; InputError for a split that takes a class out of training."""
    dataset = open_data(experiment.data, data_dir)
    if experiment.valid_rows is not None:
        dataset = with_validation_rows(dataset, *experiment.valid_rows)
    if "y" in dataset.train:
        check_split(dataset.source, dataset.valid_is, dataset.train["y"], dataset.valid["y"])
    return dataset


def open_beside(run: Run, data: str) -> Dataset:
    """A data set as it is without an experiment; that of the run, where it is the same, need not be held twice."""
    is_whole = run.experiment.valid_rows is None and run.dataset.test is not run.dataset.valid
    return run.dataset if is_whole and data == run.dataset.source else open_data(data, run.data_dir)


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
        spec = dataset.spec._replace(steps_per_epoch=epoch)
        prepare, recipe = experiment.preparation(spec), experiment.recipe(spec)
        rows = batch_rows(0, dataset.spec.num_train, experiment.batch_size, recipe.draws, 0, 1).whole[0]
        init = functools.partial(first_state, recipe, prepare)
        state = jax.eval_shape(init, key, dataset.train, rows)
        for part in (dataset.valid, dataset.test):
            _evaluated(recipe, prepare, part, state)
        return Prepared(recipe, prepare, state)
    except (ValueError, TypeError, AssertionError) as error:
        given = f"--data {dataset.source}, examples of shape {dataset.spec.shape}"
        raise InputError(
            f"{config.recorded_path()} with these options cannot take {given}: {one_line(error)[:300]}"
        ) from error


def validation_metrics(recipe: Recipe, prepare: Preparation, dataset: Dataset, state: State) -> list[str]:
    """Names of the metrics on the validation set."""
    return list(_evaluated(recipe, prepare, dataset.valid, state))


def _evaluated(recipe: Recipe, prepare: Preparation, part: Mapping[str, np.ndarray], state: State) -> dict:
    key, few = jax.random.key(0), {name: array[:2] for name, array in part.items()}
    batch = jax.eval_shape(functools.partial(prepare_batch, prepare, axis_name=None), key, few)
    return jax.eval_shape(recipe.evaluate, key, state.model, batch)


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


def in_unit_interval(run: Run, x: np.ndarray | jax.Array) -> np.ndarray:
    """Examples in the units of the run's model, as they are shown: images in [0, 1]."""
    return np.asarray(run.prepare.to_unit(jnp.asarray(x)))


def per_seed(tree: PyTree, seeds: int) -> list[PyTree]:
    """A tree with a leading axis of seeds, if there are several, as one tree for each."""
    return [tree] if seeds == 1 else [jax.tree.map(lambda leaf, seed=seed: leaf[seed], tree) for seed in range(seeds)]


def bind(options: Callable, arguments: Sequence[str], **described: str | None) -> Any:
    """The options of a command that reads a run; InputError in one line for a wrong one."""
    bound = configs.parse(options, arguments, **described)
    configs.check_bounds(vars(bound), get_type_hints(options, include_extras=True))
    return bound


def open_run(options: Reading) -> Run:
    """The run that the options name, on the device that they name."""
    devices.choose(options.platform, None)
    devices.use_compilation_cache(options.compilation_cache)
    if pathlib.Path(options.run).is_dir() and not os.access(options.run, os.W_OK):
        raise InputError(f"{options.run}: expected a directory that can be written, for what is found out of the run")
    run_directory.refuse_links_to_directories(options.run, pathlib.Path(options.run))
    config = None if options.config is None else configs.load(options.config)
    found = load(options.run, options.data_dir, options.step, data=options.data, config=config, trust=options.trust)
    for difference in source.differences(found.path, config) if config else ():
        warn(f"{options.run} is read with --config {options.config}: since it was trained, {difference}")
    return found


def load(
    path: str,
    data_dir: str | None = None,
    step: Literal["best", "last"] | None = None,
    *,
    data: str | None = None,
    beside: Dataset | None = None,
    config: configs.Config | None = None,
    dataset: Dataset | None = None,
    trust: bool = False,
    ways: str = "--config FILE or --trust",
) -> Run:
    """Open a run's selected model or its newest, its data and its recipe; InputError names what is missing.

    Programs of one's own use this too: `run = load("runs/x")`, then `run.recipe`, `run.models` (one for each seed),
    `run.dataset`, `run.prepare` and `run.experiment`.

    `data` says where the run's data is now; so does the data of a run `beside` it, if its content is the same. A
    `dataset` that is open already is not opened again. Without a `config` it is that of the run; `source.open_config`
    says what `trust` and `ways` are for.
    """
    run_dir = pathlib.Path(path)
    record = run_directory.read_config(run_dir)
    config = config or source.open_config(run_dir, record, trust=trust, ways=ways)
    experiment = configs.recorded(config, record["values"])
    if beside is not None and beside.fingerprint == record["data_fingerprint"]:
        data = beside.source
    experiment = experiment._replace(data=data or experiment.data)
    if run_directory.has_damaged_sessions(run_dir):
        warn(f"{run_dir / 'provenance.json'} cannot be read; where the run comes from is not known")
    trained_from = [session.get("data_dir") for session in run_directory.read_sessions(run_dir)]
    directory = find_data_directory(experiment.data, data_dir) or next(reversed(trained_from), None)
    dataset = dataset or open_experiment_data(experiment, directory)
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
        found = load(path, data_dir, beside=dataset, trust=trust, ways="--trust")
    except InputError as error:
        raise InputError(f"{option}: {error}") from error
    of = found.dataset.spec.shape
    if of != shape:
        raise InputError(f"{option} {path}: expected a run on examples of shape {shape}, not {of}")
    return found


def _with_seeds(leaf: jax.ShapeDtypeStruct, seeds: int) -> jax.ShapeDtypeStruct:
    sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    shape = (seeds, *leaf.shape) if seeds > 1 else leaf.shape
    return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=sharding)
