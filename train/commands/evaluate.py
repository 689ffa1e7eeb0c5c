"""Evaluate a run on its test set again, and renew its report.

    python -m train evaluate RUN [--num-samples 500] [--features RUN]

Per example first, then averaged once over exactly the examples there are; an interval stands beside each mean.
"""

import dataclasses

from train import runs
from train.evaluation import estimates, evaluate
from train.experiment import Size
from train.report import html


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which run, and how thoroughly."""

    num_samples: Size = 500
    """Importance samples for each test example."""
    features: str | None = None
    """Run of a classifier in whose features samples are compared with data, "x" for x itself, or "none" not to compare
    them; None: a classifier of images with labels, trained once for a data set."""


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train evaluate", description=__doc__)
    run = runs.open_run(options)
    print(f"{run.path}: {runs.describe_step(run)}")
    found = evaluate.write(run, options.num_samples, options.features)
    html.write(run, found)
    for name, estimate in found.items():
        print(estimates.line(name, estimate))
