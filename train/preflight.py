"""Validate a run completely before writing anything."""

import functools
import json
import math
import pathlib
from collections.abc import Iterable
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.preprocess import Preparation
from jaxgen.recipe import Recipe
from train import runs
from train.config import Bound, Config, RunOptions, source
from train.data import Dataset, Rows, absent_classes, batch_rows, check_layout, short_size
from train.engine import devices as available
from train.engine import keys, run_directory
from train.engine.checkpoint import check_path, has_ended
from train.engine.compile import Steps, compile_steps
from train.engine.record import provenance
from train.engine.selection import LESS_IS_BETTER, Selection
from train.errors import InputError, first_line, warn
from train.experiment import Experiment

# Enough that the cost of a call vanishes, few enough that a request to stop is soon heard.
_STEPS_PER_CALL = {"cpu": 50}
_STEPS_PER_CALL_ON_ACCELERATORS = 200


class Job(NamedTuple):
    """A validated run: all that training needs."""

    config: Config
    experiment: Experiment
    dataset: Dataset
    recipe: Recipe
    prepare: Preparation
    devices: list[jax.Device]
    steps: Steps
    record: dict  # for config.json
    defaults: dict  # of values that an older config.json may lack


def validate(config: Config, bound: Bound, path: pathlib.Path, *, dataset: Dataset | None = None) -> Job:
    """Check everything that a user could have got wrong: InputError, and nothing is written.

    A `dataset` that is open already, split as the experiment asks, is not opened again.
    """
    experiment, options = bound.experiment, bound.options
    check_path(path)
    devices = available.choose(options.platform, options.devices)
    available.use_compilation_cache(options.compilation_cache)
    dataset = dataset or runs.open_experiment_data(experiment, options.data_dir)
    _check_data(dataset, options)
    recipe, prepare, state = runs.make_recipe(config, experiment, dataset)
    check_selection(experiment, runs.validation_metrics(recipe, prepare, dataset, state))
    epoch = short_epoch(experiment, dataset, recipe, len(devices))
    experiment = runs.in_steps(experiment, dataset, recipe)
    try:
        steps = compile_steps(
            recipe,
            prepare,
            devices,
            batch_size=experiment.batch_size,
            seeds=experiment.seeds,
            accumulate=experiment.accumulate,
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    record = run_directory.make_record(config.recorded_path(), bound.values, dataset.fingerprint)
    there = run_directory.read_same_run(path, record, bound.defaults)
    recorded = there["steps_per_call"] if there else None
    steps_per_call = choose_steps_per_call(experiment, recorded, devices[0].platform, epoch)
    record["steps_per_call"] = steps_per_call
    experiment = experiment._replace(steps_per_call=steps_per_call)
    job = Job(config, experiment, dataset, recipe, prepare, devices, steps, record, bound.defaults)
    if not has_ended(path, experiment.steps):  # a finished run takes no step
        trace_steps(config, job)
    return job


def parts(job: Job) -> dict[str, str]:
    """All that a run is made of, by name, as text: what must be the same in all processes that train it."""
    content = {
        "data": job.dataset.fingerprint,
        "config and options": job.record,
        "source of the config": source.digests(job.config.files),
        "versions of Python and packages": provenance.versions(),
    }
    return {name: json.dumps(part, sort_keys=True) for name, part in content.items()}


def _check_data(dataset: Dataset, options: RunOptions) -> None:
    if options.layout is None:
        check_layout(dataset.source, dataset.spec.shape)
    absent = absent_classes(dataset.train["y"], dataset.valid["y"]) if "y" in dataset.train else []
    if absent:
        named = ", ".join(map(str, absent))
        warn(f"{dataset.source}: validation is {dataset.valid_is}, without examples of class {named}")


def trace_steps(config: Config, job: Job) -> None:
    """InputError where the first call, or that with a short batch, cannot be traced; else they need not be again."""
    experiment = job.experiment
    run_keys, data = keys.make_seed_keys(experiment.seed, experiment.seeds), job.dataset.train
    num = min(experiment.steps_per_call or 1, experiment.steps)
    rows = functools.partial(training_rows, experiment, job.dataset.spec.num_train, job.recipe.draws)
    epoch = short_epoch(experiment, job.dataset, job.recipe, len(job.devices))
    calls = [rows(0, num)] + ([rows(epoch - num, num)] if epoch else [])
    try:
        first = np.take(calls[0].whole, 0, axis=int(experiment.seeds > 1))
        state = jax.eval_shape(job.steps.init, run_keys.init, data, first)
        running = Selection(experiment.select, experiment.patience, experiment.seeds).running
        for taken in calls:
            jax.eval_shape(job.steps.call, run_keys.steps, state, data, 0, taken, running)
    except (ValueError, TypeError, AssertionError) as error:
        raise InputError(f"{config.recorded_path()} cannot be trained so: {first_line(error)}") from error


def check_selection(experiment: Experiment, metrics: Iterable[str]) -> None:
    """InputError where no model, or not the one that is meant, can be selected by what is measured in validation."""
    if experiment.select is None:
        if experiment.patience is not None:
            raise InputError(f"--patience {experiment.patience}: expected --select, the metric that is to improve")
        return
    there = sorted(LESS_IS_BETTER.keys() & set(metrics))
    if experiment.select not in there:
        raise InputError(f"--select {experiment.select}: expected one of {', '.join(there) or 'none, for this model'}")
    if experiment.steps % experiment.evaluate_every:  # else a longer run would select among other models
        raise InputError(
            f"--steps {experiment.steps}: expected a multiple of --evaluate-every {experiment.evaluate_every}, "
            "as a model is selected"
        )


def short_epoch(experiment: Experiment, dataset: Dataset, recipe: Recipe, num_devices: int) -> int | None:
    """The steps in an epoch that ends with a short step; None where no epoch does.

    InputError where the short step does not divide over its batches and the devices.
    """
    left = short_size(len(dataset.train["x"]), experiment.batch_size, recipe.draws)
    if experiment.drop_last or not left:
        return None
    shares = {"batches": recipe.draws, "devices": num_devices, "microbatches": experiment.accumulate}
    if left % math.prod(shares.values()):
        over = [f"{num} {name}" for name, num in shares.items() if num > 1]
        raise InputError(
            f"--no-drop-last: the last step of an epoch has {left} examples, which do not divide over the "
            f"{' and the '.join(over)}; expected another --batch-size, or --drop-last"
        )
    return runs.epoch_of(experiment, dataset, recipe)


def choose_steps_per_call(experiment: Experiment, recorded: int | None, platform: str, epoch: int | None = None) -> int:
    """What was asked for, else what the run began with, else a divisor of both intervals that suits the device.

    It divides `epoch` as well, the steps in an epoch that ends with a short one, so that a call ends there.
    """
    intervals = {"evaluate-every": experiment.evaluate_every, "checkpoint-every": experiment.checkpoint_every}
    common = math.gcd(*intervals.values(), epoch or 0)
    most = _STEPS_PER_CALL.get(platform, _STEPS_PER_CALL_ON_ACCELERATORS)
    fitting = max(size for size in range(1, most + 1) if common % size == 0)
    chosen = experiment.steps_per_call or recorded or fitting
    for name, interval in intervals.items():
        if interval % chosen and experiment.steps_per_call:
            raise InputError(f"--steps-per-call {chosen}: expected a divisor of --{name} {interval}")
        if interval % chosen:
            raise InputError(f"--{name} {interval}: expected a multiple of the {chosen} steps in a call")
    if epoch and epoch % chosen:
        raise InputError(
            f"--steps-per-call {chosen}: expected a divisor of the {epoch} steps in an epoch, whose last one is short"
        )
    return chosen


def training_rows(experiment: Experiment, num_train: int, draws: int, first: int, num: int) -> Rows:
    """Rows of the training data for `num` steps from `first` on; of several seeds with a leading axis [S]."""
    seeds = range(experiment.seed, experiment.seed + experiment.seeds)
    sizes = (num_train, experiment.batch_size, draws)
    rows_of = functools.partial(batch_rows, order=experiment.order, drop_last=experiment.drop_last)
    rows = [rows_of(seed, *sizes, first, num) for seed in seeds]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *rows) if len(rows) > 1 else rows[0]
