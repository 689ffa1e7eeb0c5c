"""One run from a config to its report: resume, train, evaluate."""

import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from jaxgen.recipe import PyTree
from train import config as configs
from train import estimates, evaluate, keys, provenance, report, run_directory, stopping, trained
from train.checkpoint import Checkpoints
from train.collapse import CollapseWatch
from train.config import Config, RunOptions
from train.data import directory_of
from train.failures import warn
from train.job import Job, is_complete, open_job, rows_of_seeds
from train.loop import Hooks, Plan, is_evaluated, train
from train.metrics_log import MetricsLog
from train.progress import console, progress_bar
from train.timing import Timing
from train.trained import Trained


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
