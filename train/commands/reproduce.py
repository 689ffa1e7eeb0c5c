"""Reproduce rows of the table of published numbers, docs/results/rows.toml.

    python -m train reproduce --list
    python -m train reproduce [ROW ...] [--table TEXT] [--seeds 5] [--budget cpu --hours 2] [--time]

Seeds are trained one at a time, each in a process of its own that resumes where it was stopped, and evaluated under the
protocol of the row. The record of a seed is kept in docs/results/rows/ROW/SEED.json as soon as it is there; with all of
them the row gets its value, interval and verdict. `--budget cpu` cuts the steps of each seed to its share of the hours.
"""

import dataclasses
import pathlib
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any, Literal

import jax
import numpy as np
import tyro

from train import config as configs
from train import preflight, runs
from train.engine import files, keys, run_directory
from train.errors import InputError, RunFailedError
from train.experiment import Experiment, Rate, Size
from train.preflight import Job
from train.report import rows as table
from train.report.rows import Row

RESULTS = configs.ROOT / "docs" / "results"


@dataclasses.dataclass(kw_only=True)
class Options:
    """Which rows, and for how long."""

    rows: tyro.conf.Positional[tuple[str, ...]] = ()
    """Rows by their id; none: all that are missing."""
    table: str | None = None
    """Only rows whose paper or table contains this text."""
    seeds: Size | None = None
    """Seeds of each row; None: those of the row."""
    budget: Literal["paper", "cpu"] = "paper"
    """paper: the protocol's steps; cpu: as many as fit into --hours."""
    hours: Rate | None = None
    """Hours for all chosen rows together, with --budget cpu."""
    list: bool = False
    """Print the rows, their state and the hours that their missing seeds take here, and stop."""
    time: bool = False
    """With --list: measure the time of a step of each row that lacks seeds, half a minute each."""
    results: str = str(RESULTS)
    """Directory of rows.toml and of the records."""
    run_dir: str = "runs/rows"
    """Directory of the runs."""


def main(arguments: Sequence[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train reproduce", description=__doc__)
    if (options.budget == "cpu") != (options.hours is not None):
        raise InputError("--budget cpu and --hours: expected both or neither")
    if options.time and not options.list:
        raise InputError("--time: expected --list, for which steps are timed")
    results = pathlib.Path(options.results)
    rows = table.read(results / "rows.toml")
    chosen = choose(rows, options.rows, options.table)
    if options.list:
        for row in chosen:
            print(state(row, results, options))
        print("\n" + table.summary(rows), end="")
        return
    for row in chosen:
        if options.rows and not missing(row, results, options):
            print(state(row, results, options))
    chosen = [row for row in chosen if missing(row, results, options)]
    lacking = sum(len(missing(row, results, options)) for row in chosen)
    hours = None if options.hours is None else options.hours / max(1, lacking)
    for row in chosen:
        reproduce(row, results, options, hours)


def choose(rows: Sequence[Row], names: Sequence[str], text: str | None) -> list[Row]:
    """The rows of these ids, or all; of these, those whose paper or table contains the text."""
    unknown = set(names) - {row.id for row in rows}
    if unknown:
        raise InputError(f"row {sorted(unknown)[0]!r}: expected one of {', '.join(row.id for row in rows)}")
    found = [row for row in rows if not names or row.id in names]
    found = [row for row in found if text is None or text.lower() in f"{row.paper} {row.table}".lower()]
    if not found:
        raise InputError(f"--table {text!r}: no row's paper or table contains it")
    return found


def seeds_of(row: Row, options: Options) -> range:
    """The seeds that a row needs."""
    return range(options.seeds or row.seeds)


def missing(row: Row, results: pathlib.Path, options: Options) -> list[int]:
    """The seeds without a record, those of cut protocols only under that budget.

    None where a single file holds a record of the whole protocol.
    """
    if row.file.endswith(".json") and row.verdict != "budget":
        return []
    there = {seed: results / "rows" / row.id / f"{seed}.json" for seed in seeds_of(row, options)}
    whole = options.budget == "paper"
    return [seed for seed, file in there.items() if not file.exists() or (whole and table.is_cut(file))]


def state(row: Row, results: pathlib.Path, options: Options) -> str:
    """One line: the row, its numbers, and what is missing."""
    ours = f"{row.value} [{row.low}, {row.high}]" if row.value else "-"
    lacking = missing(row, results, options)
    left = f"{len(lacking)} of {len(seeds_of(row, options))} seeds missing" if lacking else "complete"
    if lacking and options.time:
        seconds, job, _ = time_step(row)
        hours = seconds * job.experiment.steps * len(lacking) / 3600
        left += f", {hours:.2g} hours here at {1000 * seconds:.3g} ms a step"
    records = ", ".join(filter(None, [left, row.file]))
    return f"{row.id:<32} {row.published:>9} {row.unit:<10} {ours:<32} {row.verdict:<11} {records}"


def reproduce(row: Row, results: pathlib.Path, options: Options, hours: float | None) -> None:
    """Train and evaluate the seeds that a row lacks, then write its value and verdict into rows.toml."""
    cut = [] if hours is None else cut_steps(row, 3600 * hours)
    folder = run_directory.make_directory("--results", str(results / "rows" / row.id))
    for seed in missing(row, results, options):
        run = pathlib.Path(options.run_dir) / row.id / str(seed)
        command = [*shlex.split(row.command.format(seed=seed)), "--seed", str(seed), "--seeds", "1"]
        _call([*command, *cut, "--run-dir", str(run)])
        if not (run / "evaluation.json").exists():
            raise RunFailedError(f"{run} was stopped; the same command goes on from there")
        if row.part != "test":
            _call(["evaluate", str(run), "--part", row.part, "--features", "none"])
        name = "evaluation.json" if row.part == "test" else f"evaluation_{row.part}.json"
        record = files.read_json(run / name, dict[str, Any], f"the evaluation of {run}")
        files.write_json(folder / f"{seed}.json", {**record, "budget": "cpu" if cut else "paper"})
    row = dataclasses.replace(row, file=f"rows/{row.id}")
    is_cut = any(map(table.is_cut, folder.glob("*.json")))
    done = table.with_measurement(row, table.measured(row, results), cut=is_cut)
    # Read again: other rows may have been written since.
    others = table.read(results / "rows.toml")
    rows = [done if other.id == row.id else other for other in others]
    table.write(results / "rows.toml", rows)
    files.write_text(results / "published.md", table.page(rows))
    print(f"{row.id}: {done.value} [{done.low}, {done.high}] {row.unit}, published {row.published}: {done.verdict}")


def cut_steps(row: Row, seconds: float) -> list[str]:
    """The option that cuts a seed's training to so many seconds here; none where it fits."""
    seconds_a_step, job, asked = time_step(row)
    unit = job.experiment.steps // asked.steps  # steps in an epoch, or 1
    fitting = int(seconds / (seconds_a_step * unit))
    # A selected model needs a last evaluation.
    fitting = max(asked.evaluate_every, fitting - fitting % asked.evaluate_every)
    return ["--steps", str(fitting)] if fitting < asked.steps else []


def time_step(row: Row) -> tuple[float, Job, Experiment]:
    """Seconds of a step on this machine, from the second compiled call; the job, and the experiment in its own unit."""
    name, *arguments = shlex.split(row.command.format(seed=0))
    config = configs.load(name)
    bound = configs.bind(config, [*arguments, "--seeds", "1"])
    job = preflight.validate(config, bound, pathlib.Path("runs") / "rows" / row.id / "timed")
    experiment, run_keys = job.experiment, keys.make_seed_keys(job.experiment.seed, 1)
    num = min(experiment.steps_per_call or 1, experiment.steps)
    rows = preflight.training_rows(experiment, job.dataset.spec.num_train, job.recipe.draws, 0, num)
    data = job.steps.put(job.dataset.train)
    model = job.steps.put(job.steps.init(run_keys.init, data, rows.whole[0]))
    for _ in range(2):
        started = time.perf_counter()
        model, metrics = job.steps.call(run_keys.steps, model, data, np.int32(0), rows)
        jax.block_until_ready(metrics)
    return (time.perf_counter() - started) / num, job, bound.experiment


def _call(arguments: Sequence[str]) -> None:
    """Run the application in a process of its own; InputError or RunFailedError where it fails."""
    command = [sys.executable, "-m", "train", *arguments]
    ended = subprocess.run(command, check=False)
    if ended.returncode:
        kind = InputError if ended.returncode == 2 else RunFailedError
        raise kind(f"`python -m train {shlex.join(arguments)}` ended with exit status {ended.returncode}")
