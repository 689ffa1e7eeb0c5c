"""One run from a config to its report: open, check, compile, resume, train, evaluate."""

import dataclasses
import functools
import json
import math
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.recipe import PyTree, Recipe
from train import config as configs
from train import devices as available
from train import estimates, evaluate, features, keys, provenance, report, run_directory, stopping, trained
from train.checkpoint import Checkpoints
from train.collapse import CollapseWatch
from train.config import Config, RunOptions
from train.data import Dataset, batch_rows, directory_of
from train.experiment import Experiment
from train.failures import InputError, first_line, warn
from train.loop import Hooks, Plan, is_evaluated, train
from train.metrics_log import MetricsLog
from train.parallel import Steps, compile_steps
from train.progress import console, progress_bar
from train.timing import Timing
from train.trained import Trained

# Enough that the cost of a call vanishes, few enough that a request to stop is soon heard.
_STEPS_PER_CALL = {"cpu": 50}
_STEPS_PER_CALL_ON_ACCELERATORS = 200


class Job(NamedTuple):
    """A run that was found possible, before anything is written."""

    experiment: Experiment
    dataset: Dataset
    recipe: Recipe
    devices: list[jax.Device]
    steps: Steps
    record: dict  # for config.json


def run(config: Config, values: Mapping[str, Any], options: RunOptions, started: float) -> None:
    """Do what is left to do of a run, and say what it reached."""
    path = complete(config, values, options, started)
    if path is not None:
        for name, found in estimates.read(path).items():
            console.print(estimates.line(name, found))
        console.print(f"report {path / 'report.html'}")


def complete(config: Config, values: Mapping[str, Any], options: RunOptions, started: float) -> pathlib.Path | None:
    """Do what is left to do of a run: its directory, or None where it was asked to stop before its end.

    `started` is when the process did, by `time.perf_counter`.
    """
    path = pathlib.Path(options.run_dir or configs.default_run_dir(config))
    job = open_job(config, values, options, path)
    with run_directory.RunDirectory(path) as directory:
        directory.claim(job.record)
        if is_complete(path, job.experiment.steps):
            console.print(
                f"{path} is complete: {job.experiment.steps} steps; `python -m train.evaluate {path}` measures it anew"
            )
        else:
            data_dir = directory_of(job.experiment.data, options.data_dir)
            session = provenance.session(job.devices, job.record["steps_per_call"], data_dir)
            reached = train_job(job, path, session, started)
            if reached < job.experiment.steps:
                console.print(f"stopped and saved at step {reached}; the same command goes on from there")
                return None
            opened = trained.load(str(path), options.data_dir)
            report.write(opened, evaluate.write(opened, options.num_samples, options.features))
    return path


def train_beside(run: Trained, config: Config, path: pathlib.Path, data: str, *options: str) -> Trained:
    """Train another config on `data` at `path`, or complete it, for what is done with `run`; on one device."""
    batch_size = config.parameters["batch_size"].default
    num_train = trained.open_data(data, run.data_dir).spec.num_train
    values, run_options = configs.bind(
        config, ["--data", data, "--batch-size", str(min(batch_size, num_train)), *options]
    )
    cache = jax.config.jax_compilation_cache_dir or "off"  # type: ignore[attr-defined]
    run_options = dataclasses.replace(
        run_options, run_dir=str(path), data_dir=run.data_dir, devices=1, compilation_cache=cache
    )
    if complete(config, values, run_options, time.perf_counter()) is None:
        raise KeyboardInterrupt
    return trained.load(str(path), run.data_dir)


def open_job(config: Config, values: Mapping[str, Any], options: RunOptions, path: pathlib.Path) -> Job:
    """Check everything that a user could have got wrong: InputError, and nothing is written."""
    experiment = configs.build(config, values)
    overrides = {name: getattr(options, name) for name in ("evaluate_every", "checkpoint_every", "steps_per_call")}
    experiment = experiment._replace(**{name: value for name, value in overrides.items() if value is not None})
    devices = available.choose(options.platform, options.devices)
    available.use_compilation_cache(options.compilation_cache)
    dataset = trained.open_data_of(experiment, options.data_dir)
    features.check(options.features, dataset)
    recipe, _ = trained.make_recipe(config, experiment, dataset)
    try:
        steps = compile_steps(
            recipe, experiment.prepare, devices, batch_size=experiment.batch_size, seeds=experiment.seeds
        )
    except ValueError as error:
        raise InputError(str(error)) from error
    record = run_directory.record_of(config.recorded_path(), values, dataset.fingerprint)
    there = run_directory.of_same_run(path, record)
    steps_per_call = choose_steps_per_call(experiment, there["steps_per_call"] if there else None, devices[0].platform)
    record["steps_per_call"] = steps_per_call
    job = Job(experiment._replace(steps_per_call=steps_per_call), dataset, recipe, devices, steps, record)
    if not is_complete(path, experiment.steps):
        trace_steps(config, job)
    return job


def trace_steps(config: Config, job: Job) -> None:
    """InputError where the first call cannot be traced; where it can, that call need not trace it again."""
    experiment = job.experiment
    run_keys, data = keys.of_seeds(experiment.seed, experiment.seeds), job.dataset.train
    num = min(experiment.steps_per_call or 1, experiment.steps)
    rows = rows_of_seeds(experiment, job.dataset.spec.num_train, job.recipe.draws, 0, num)
    try:
        state = jax.eval_shape(job.steps.init, run_keys.init, data, np.take(rows, 0, axis=int(experiment.seeds > 1)))
        jax.eval_shape(job.steps.call, run_keys.steps, state, data, 0, rows)
    except (ValueError, TypeError, AssertionError) as error:
        raise InputError(f"{config.recorded_path()} cannot be trained so: {first_line(error)}") from error


def choose_steps_per_call(experiment: Experiment, recorded: int | None, platform: str) -> int:
    """What was asked for, else what the run began with, else a divisor of both intervals that suits the device."""
    intervals = {"evaluate-every": experiment.evaluate_every, "checkpoint-every": experiment.checkpoint_every}
    common = math.gcd(*intervals.values())
    most = _STEPS_PER_CALL.get(platform, _STEPS_PER_CALL_ON_ACCELERATORS)
    fitting = max(size for size in range(1, most + 1) if common % size == 0)
    chosen = experiment.steps_per_call or recorded or fitting
    for name, interval in intervals.items():
        if interval % chosen and experiment.steps_per_call:
            raise InputError(f"--steps-per-call {chosen}: expected a divisor of --{name} {interval}")
        if interval % chosen:
            raise InputError(f"--{name} {interval}: expected a multiple of the {chosen} steps in a call")
    return chosen


def is_complete(path: pathlib.Path, steps: int) -> bool:
    """Whether the run was trained for these steps, evaluated and reported."""
    try:
        estimates.read(path)
        evaluated = json.loads((path / "evaluation.json").read_text())["step"]
    except (InputError, KeyError):
        return False
    return evaluated == steps and (path / "report.html").exists()


def rows_of_seeds(experiment: Experiment, num_train: int, draws: int, first: int, num: int) -> np.ndarray:
    """The rows of `num` steps from `first` on: [K, (draws,) B], with several seeds [S, K, (draws,) B]."""
    seeds = range(experiment.seed, experiment.seed + experiment.seeds)
    rows = [batch_rows(seed, num_train, experiment.batch_size, draws, first, num) for seed in seeds]
    return np.stack(rows) if len(rows) > 1 else rows[0]


def train_job(job: Job, path: pathlib.Path, session: dict, started: float) -> int:
    """Train from the newest checkpoint, or from the start: the step that was reached."""
    experiment, seeds = job.experiment, job.experiment.seeds
    run_keys = keys.of_seeds(experiment.seed, seeds)
    rows = functools.partial(rows_of_seeds, experiment, job.dataset.spec.num_train, job.recipe.draws)
    data = job.steps.put(job.dataset.train)
    state = job.steps.put(job.steps.init(run_keys.init, data, np.take(rows(0, 1), 0, axis=int(seeds > 1))))
    steps_per_call = experiment.steps_per_call or 1
    key, first = run_keys.steps, 0
    with Checkpoints(path) as checkpoints:
        # The last call may be short: a longer run goes on from where that call began, so that its calls are whole.
        restored = checkpoints.restore(
            state, key, lambda step: step == experiment.steps or step % steps_per_call == 0, most_lost=steps_per_call
        )
        if restored is not None:
            first, state, key = restored
            console.print(f"resumed at step {first} of {experiment.steps}")
        run_directory.continue_as(path, job.record)
        for stale in ("evaluation.json", "report.html"):  # of fewer steps: nothing may take them for the end of these
            (path / stale).unlink(missing_ok=True)
        for difference in run_directory.append_session(path, session):
            warn(f"{path} may not end with the same bits as if it had never been stopped: {difference}")
        plan = Plan(first, experiment.steps, steps_per_call, experiment.evaluate_every, experiment.checkpoint_every)
        timing, watch = Timing(started), CollapseWatch(first)
        with (
            MetricsLog(path, first, evaluated=functools.partial(is_evaluated, plan)) as log,
            progress_bar(first, plan.last) as bar,
            stopping.stop_requests() as stop,
        ):

            def show(step: int, metrics: Mapping[str, np.ndarray]) -> None:
                timing.note_call()
                watch(step, metrics)
                bar(step, metrics)

            hooks = Hooks(rows, validation(job), show, timing.seconds, stop)
            reached, _ = train(job.steps, state, key, data, plan, log, checkpoints, hooks)
        run_directory.complete_session(path, timing.facts())
        console.print("  ".join(f"{name} {value}" for name, value in timing.facts().items()))
    return reached


def validation(job: Job) -> Callable[[PyTree], Mapping[str, np.ndarray]]:
    """(model) -> mean of each metric on the validation set."""
    first, seeds = job.experiment.seed, job.experiment.seeds
    valid = [
        evaluate.examples_of(keys.of_seed(seed).validate, job.experiment.prepare, job.dataset.valid)
        for seed in range(first, first + seeds)
    ]
    validate = evaluate.compile_validation(job.recipe, valid)
    return lambda model: validate(trained.per_seed(jax.device_put(model, job.devices[0]), seeds))
