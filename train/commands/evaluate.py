"""Evaluate a run on its test set again, and update its report.

    python -m train evaluate RUN [--num-samples 500] [--features RUN] [--part valid]

Metrics are computed per example, then averaged once over the whole set; each mean has a 95 % interval. For a protocol
that reports them, `--part valid` measures on validation data, writes evaluation_valid.json and leaves the report alone.
"""

import dataclasses
from typing import Literal

from train import runs
from train.evaluation import estimates, evaluate
from train.experiment import Size
from train.report import html


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


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train evaluate", description=__doc__)
    run = runs.open_run(options)
    print(f"{run.path}: {runs.describe_step(run)}")
    if options.part == "valid":
        run = run._replace(dataset=run.dataset._replace(test=run.dataset.valid))
    found = evaluate.write(run, options.num_samples, options.features, options.part)
    if options.part == "test":
        html.write(run, found)
    for name, estimate in found.items():
        print(estimates.line(name, estimate))
