"""Train, evaluate and report an experiment; repeat the command to resume it.

python -m train CONFIG [OPTIONS]
"""

import pathlib

from train import config as configs
from train import preflight, runs
from train.config import Bound, Config
from train.engine import run_directory
from train.engine.checkpoint import has_ended, newest_step
from train.engine.devices import processes
from train.engine.record import provenance
from train.engine.terminal import console, open_page
from train.errors import InputError, warn
from train.evaluation import estimates, evaluate, features
from train.evaluation.subject import Extra
from train.experiment import Experiment
from train.preflight import Job
from train.report import html
from train.run import train


def main(arguments: list[str], started: float) -> None:
    """Run the command line; `started` is the start of the process by `time.perf_counter`."""
    path, *options = arguments
    config = configs.load(path)
    complete(config, configs.bind(config, options), started)


def complete(config: Config, bound: Bound, started: float) -> None:
    """Do whatever remains of training, evaluation and report, and print the estimates."""
    options = bound.options
    several = (options.coordinator, options.num_processes, options.process_id)
    if options.distributed or any(given is not None for given in several):
        if options.open:
            raise InputError("--open: expected of a process that trains alone")
        processes.join(*several)
    path = pathlib.Path(options.run_dir or configs.default_run_dir(config))
    job = preflight.validate(config, bound, path)
    features.check(options.features, job.dataset, trust=options.trust)
    processes.require_same(preflight.parts(job))
    if processes.is_first():
        with run_directory.RunDirectory(path) as directory:
            directory.claim(job.record, job.defaults)
            _complete(job, bound, path, started)
    elif not processes.as_first(values=True):  # whether process 0, which has the directory, finds the run complete
        if not (path / "config.json").is_file():
            raise InputError(f"--run-dir {path}: expected a directory that all processes share")
        train(job, path, options.data_dir, started)
    processes.part()


def _complete(job: Job, bound: Bound, path: pathlib.Path, started: float) -> None:
    """Do what remains of a run in its directory; after training, what process 0 does alone."""
    config, options = job.config, bound.options
    if processes.as_first(is_complete(path, job.experiment)):
        processes.go_on_alone()
        steps = newest_step(path) or job.experiment.steps
        console.print(f"{path} is complete: {steps} steps; to re-evaluate: `python -m train evaluate {path}`")
        for before in run_directory.read_sessions(path)[-1:]:
            for difference in provenance.code_differences(before, provenance.code(config)):
                warn(f"{path} was trained with other code: {difference}")
    else:
        ended = train(job, path, options.data_dir, started)
        processes.go_on_alone()
        if not ended:
            return
        run = runs.load(str(path), options.data_dir, data=job.dataset, config=config, trust=options.trust)
        html.write(run, evaluate.write(run, options.num_samples, options.features, Extra()))
    for name, found in estimates.read(path).items():
        console.print(estimates.line(name, found))
    console.print(f"report {path / 'report.html'}")
    if options.open:
        open_page(path / "report.html")


def is_complete(path: pathlib.Path, experiment: Experiment) -> bool:
    """Whether the run was trained to its end, and the model that it is known by was evaluated and reported."""
    try:
        evaluated = estimates.read_evaluation(path)
    except InputError:
        return False
    trained = evaluated.get("trained", evaluated["step"])
    ended = trained == experiment.steps or (has_ended(path, experiment.steps) and trained == newest_step(path))
    return ended and evaluated.get("selected_by") == experiment.select and html.is_whole(path)
