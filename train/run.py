"""Train one run to its end: resume, step, validate, save."""

import contextlib
import functools
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import jax
import numpy as np

from jaxgen.recipe import PyTree
from train import config as configs
from train import preflight, runs
from train.config import Config
from train.data import Dataset, are_images, find_data_directory
from train.engine import keys, run_directory, terminal
from train.engine.checkpoint import Checkpoints, has_ended, newest_step
from train.engine.collapse import CollapseWatch
from train.engine.compile import prepare_examples
from train.engine.devices import processes
from train.engine.loop import Hooks, Plan, is_evaluated, loop
from train.engine.record import environment, provenance, source
from train.engine.record.log import MetricsLog, NoLog
from train.engine.record.log import read as read_log
from train.engine.record.standing import Standing
from train.engine.selection import Selection
from train.engine.terminal import Timing, console, progress_bar
from train.engine.validation import compile_validation, prepare_set
from train.errors import warn
from train.preflight import Job, training_rows
from train.runs import Run

_SHOWN = 16  # samples at each evaluation


def train(job: Job, path: pathlib.Path, data_dir: str | None, started: float) -> bool:
    """Take the steps that a run lacks, in its locked directory: whether it reached its end.

    `data_dir` is the option of that name, `started` the process's start by `time.perf_counter`.
    """
    directory = find_data_directory(job.experiment.data, data_dir)
    session = provenance.session(job.config, job.devices, job.record["steps_per_call"], directory)
    reached, ended = _take_steps(job, path, session, started)
    if not ended:
        console.print(f"stopped and saved at step {reached}; the same command goes on from there")
    elif reached < job.experiment.steps:
        console.print(f"ended at step {reached} of {job.experiment.steps}: {job.experiment.select} improves no more")
    return ended


def train_beside(run: Run, config: Config, path: pathlib.Path, data: str, *options: str) -> Run:
    """Train another config on `data` at `path`, or open it where it was trained, for use with `run`; on one device.

    KeyboardInterrupt where it was asked to stop before its end.
    """
    batch_size = configs.build(config, {}).batch_size
    dataset = runs.open_beside(run, data)
    given = ["--data", data, "--batch-size", str(min(batch_size, dataset.spec.num_train)), *options]
    return train_or_open(config, path, run.data_dir, given, dataset=dataset)


def train_or_open(
    config: Config, path: pathlib.Path, data_dir: str | None, given: Sequence[str], *, dataset: Dataset | None = None
) -> Run:
    """Train a config with the options `given` at `path`, or open it where it was trained; on one device.

    A `dataset` that is open already serves where the config has no rows of its own to validate. KeyboardInterrupt
    where it was asked to stop before its end.
    """
    cache = jax.config.jax_compilation_cache_dir or "off"  # type: ignore[attr-defined]
    always = ["--devices", "1", "--compilation-cache", cache]
    bound = configs.bind(config, [*given, *always, *(["--data-dir", data_dir] if data_dir else [])])
    job = preflight.validate(config, bound, path, dataset=None if bound.experiment.valid_rows else dataset)
    load = functools.partial(runs.load, str(path), data_dir, data=job.dataset, config=config)
    if has_ended(path, job.experiment.steps):
        found = load()
        if found.trained == newest_step(path):  # unless its last checkpoint is broken
            return found
    with run_directory.RunDirectory(path) as directory:
        directory.claim(job.record, job.defaults)
        if not train(job, path, data_dir, time.perf_counter()):
            raise KeyboardInterrupt
    return load()


def _take_steps(job: Job, path: pathlib.Path, session: dict, started: float) -> tuple[int, bool]:
    """Train from the newest checkpoint, or from the start: the step reached, and whether evaluation may follow.

    It may where no steps are left and no stop was asked for.
    """
    experiment, seeds = job.experiment, job.experiment.seeds
    run_keys = keys.make_seed_keys(experiment.seed, seeds)
    rows = functools.partial(training_rows, experiment, job.dataset.spec.num_train, job.recipe.draws)
    data = job.steps.put(job.dataset.train)
    first_rows = np.take(rows(0, 1).whole, 0, axis=int(seeds > 1))
    state = job.steps.put(job.steps.init(run_keys.init, processes.local(data), first_rows))
    steps_per_call = experiment.steps_per_call or 1
    key, first = run_keys.steps, 0
    if processes.are_joined():
        key = job.steps.put(key)  # as checkpoints of several processes need it
    selection = Selection(experiment.select, experiment.patience, seeds)
    with Checkpoints(path, selects=experiment.select is not None) as checkpoints:
        # The last call may be short: a longer run goes on from where that call began, so that its calls are whole.
        restored = checkpoints.restore(
            state, key, lambda step: step == experiment.steps or step % steps_per_call == 0, most_lost=steps_per_call
        )
        if restored is not None:
            first, state, key = restored.step, restored.state, restored.key
            if restored.seen is not None:
                selection.resume(restored.seen, restored.best)
            console.print(f"resumed at step {first} of {experiment.steps}")
        plan = Plan(first, experiment.steps, steps_per_call, experiment.evaluate_every, experiment.checkpoint_every)
        timing, watch = Timing(started), CollapseWatch(first)
        standing = Standing(plan.last, experiment.select)
        for line in read_log(path / "metrics.jsonl"):
            if line["step"] <= first:
                standing.see(line)
        standing.begin()
        with (
            _session(job, path, session, plan, timing, restored.log_digest if restored else None) as log,
            progress_bar(first, plan.last, standing, timing.seconds) as bar,
            terminal.stop_requests() as asked,
        ):

            def show(step: int, metrics: Mapping[str, np.ndarray]) -> None:
                timing.note_call()
                watch(step, metrics)
                bar(step, metrics)

            def stop() -> bool:
                return processes.any_of(asked())

            draw = compile_samples(job) if log.shows_samples else None
            hooks = Hooks(rows, _validation(job), show, timing.seconds, stop, draw)
            reached, _ = loop(job.steps, state, key, data, plan, log, checkpoints, selection, hooks)
            stopped = stop()  # also where the request came during the last call
        console.print("  ".join(f"{name} {value}" for name, value in timing.facts().items()))
    return reached, not stopped and (reached == experiment.steps or bool(selection.stopped.all()))


@contextlib.contextmanager
def _session(
    job: Job, path: pathlib.Path, session: dict, plan: Plan, timing: Timing, log_digest: int | None
) -> Iterator[MetricsLog | NoLog]:
    """The log of a session, which stands in the run's directory from its first step on; process 0 alone writes there.

    `log_digest` is that of the log at the checkpoint from which the session goes on.
    """
    if not processes.is_first():
        yield NoLog()
        return
    run_directory.continue_as(path, job.record)
    # Of fewer steps: nothing may take them for the end of these.
    for stale in (
        "evaluation.json",
        "evaluation.npz",
        "evaluation_valid.json",
        "evaluation_valid.npz",
        "report.html",
    ):
        (path / stale).unlink(missing_ok=True)
    sessions = run_directory.read_sessions(path)
    calls = [session["machinery"].get("steps_per_call") for session in sessions]
    longest_call = max(plan.steps_per_call, *(call for call in calls if isinstance(call, int)), 0)
    for before in sessions[-1:]:
        for difference in provenance.differences(before, session):
            warn(f"{path} may not end with the same bits as if it had never been stopped: {difference}")
    source.keep(path / "source", job.config.files)
    source.keep(path, environment.files())
    run_directory.append_session(path, session)
    with MetricsLog(path, plan.first, longest_call, functools.partial(is_evaluated, plan), log_digest) as log:
        yield log
    run_directory.complete_session(path, timing.facts())


def compile_samples(job: Job) -> Callable[[PyTree], np.ndarray] | None:
    """(model) -> 16 images of the first seed's model in [0, 1], from the same draws at each call; None for no images.

    A model that is conditioned on something made of x is given that of validation examples.
    """
    x = job.dataset.valid["x"][:_SHOWN]
    if job.recipe.sample is None or not are_images(x):
        return None
    sample, seed, y = jax.jit(job.recipe.sample, static_argnums=2), job.experiment.seed, None
    if job.prepare.condition is not None:
        y = prepare_examples(job.prepare, keys.make_keys(seed).validate, {"x": x})["y"]

    def draw(model: PyTree) -> np.ndarray:
        first = runs.per_seed(_on_one_device(job, model), job.experiment.seeds)[0]
        return np.asarray(job.prepare.to_unit(sample(keys.make_keys(seed).sample, first, len(x), y=y)))

    return draw


def _validation(job: Job) -> Callable[[PyTree], Mapping[str, np.ndarray]]:
    """(model) -> mean of each metric on the validation set; of several processes all hear what process 0 found."""
    first, seeds = job.experiment.seed, job.experiment.seeds
    valid = [
        prepare_set(keys.make_keys(seed).validate, job.prepare, job.dataset.valid)
        for seed in range(first, first + seeds)
    ]
    validate = compile_validation(job.recipe, valid)

    def on_one_device(model: PyTree) -> Mapping[str, np.ndarray]:
        return processes.as_first(validate(runs.per_seed(_on_one_device(job, model), seeds)))

    return on_one_device


def _on_one_device(job: Job, model: PyTree) -> PyTree:
    """A model on the first device of this process, where the training has it on all."""
    return processes.local(model) if processes.are_joined() else jax.device_put(model, job.devices[0])
