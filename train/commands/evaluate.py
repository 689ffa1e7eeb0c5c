"""Evaluate a run on its test set again, and update its report.

    python -m train evaluate RUN [--num-samples 500] [--features RUN] [--part valid]
    python -m train evaluate RUN --annealed 100 --against fashion_mnist
    python -m train evaluate RUN --probes 10000

Metrics are computed per example, then averaged once over the whole set; each mean has a 95 % interval. For a protocol
that reports them, `--part valid` measures on validation data, writes evaluation_valid.json and leaves the report alone.
"""

import dataclasses
from typing import Literal

from train import runs
from train.commands import detect
from train.data import Dataset
from train.errors import InputError
from train.evaluation import absence, estimates, evaluate
from train.evaluation.evaluators.likelihood import measure_nll
from train.evaluation.subject import Extra
from train.experiment import Size
from train.report import html
from train.runs import Run


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which run, and how to evaluate it."""

    num_samples: Size = 500
    """Importance samples per test example."""
    features: str | None = None
    """Features in which samples are compared with data: the run of a classifier, "x" for raw values, or "none" for no
    comparison; None: for images with labels, a classifier that is trained once per data set."""
    part: Literal["test", "valid"] = "test"
    """The part of the data on which to measure."""
    annealed: Size | None = None
    """Test examples on which to check the importance-weighted bound by annealed importance sampling, with 16 chains
    each; minutes to hours."""
    annealed_steps: Size = 1000
    """Steps of these chains from the prior to the posterior."""
    probes: Size | None = None
    """Training examples on which simple classifiers of the model's features or codes are trained."""
    against: str | None = None
    """Data set whose test examples are out-of-distribution, for an AUROC by likelihood; of the same shape."""


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train evaluate", description=__doc__)
    run = runs.open_run(options)
    against = None if options.against is None else open_against(run, options)
    if options.annealed is not None and run.recipe.log_likelihood is None:
        raise InputError(f"--annealed {options.annealed}: expected a run of a family with p(x | z) and prior N(0, I)")
    if options.probes is not None and (reason := absence.of_probes(run)) is not None:
        raise InputError(f"--probes {options.probes}: {options.run} has {reason}")
    if options.probes is not None and options.part == "valid":
        raise InputError(f"--probes {options.probes}: expected --part test, since validation data chooses the penalty")
    print(f"{run.path}: {runs.describe_step(run)}")
    if options.part == "valid":
        run = run._replace(dataset=run.dataset._replace(test=run.dataset.valid))
    extra = Extra(options.annealed, options.annealed_steps, against, options.part, options.probes)
    found = evaluate.write(run, options.num_samples, options.features, extra)
    if options.part == "test":
        html.write(run, found)
    for name, estimate in found.items():
        print(estimates.line(name, estimate))


def open_against(run: Run, options: Options) -> Dataset:
    """Open the out-of-distribution data; InputError unless the run has log p(x) and takes examples of its shape."""
    assert options.against is not None
    against = detect.open_against(run, options.against, options.data_dir)
    detect.check_accepts(options.run, run, measure_nll(run.recipe, options.num_samples), against)
    return against
