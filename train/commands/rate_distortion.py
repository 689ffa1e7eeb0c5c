"""Tabulate and plot rate and distortion of several runs, such as a sweep of beta.

    python -m train rate_distortion RUN RUN ... [--label beta] [--picture rate_distortion.png]

The rate is the KL term, the distortion the reconstruction term, both in nats; their sum is the negative ELBO (Alemi et
al. 2018, "Fixing a broken ELBO", section 2).
"""

import dataclasses
import pathlib

import tyro

from train import runs
from train.engine import run_directory
from train.errors import InputError
from train.evaluation import estimates
from train.report import results
from train.report.drawing import charts


@dataclasses.dataclass(kw_only=True)
class Options:
    """Which runs, and the hyper-parameter that labels them."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Directories of evaluated runs."""
    label: str = "beta"
    """Hyper-parameter that distinguishes the runs."""
    picture: str = "rate_distortion.png"
    """File of the plot; the numbers are written beside it, as .json."""


def read_point(path: str, label: str) -> tuple[str, float, float]:
    """(value of the hyper-parameter, rate, distortion) of a run; InputError where it has none."""
    run_dir = pathlib.Path(path)
    record = run_directory.read_config(run_dir)
    if label not in record["values"]:
        raise InputError(f"{path}: {record['config']} has no {label}; expected one of {', '.join(record['values'])}")
    if not (run_dir / "evaluation.json").exists():
        raise InputError(f"{path}: expected a run that was evaluated; it has no evaluation.json")
    found = estimates.read(run_dir)
    if not {"kl", "reconstruction"} <= found.keys():
        raise InputError(f"{path}: {record['config']} has no kl and reconstruction; expected a VAE")
    rate, distortion = found["kl"].value, found["reconstruction"].value
    if rate is None or distortion is None:
        raise InputError(f"{path}: expected a finite kl and reconstruction")
    return str(record["values"][label]), rate, distortion


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train rate_distortion", description=__doc__)
    picture = pathlib.Path(options.picture)
    if picture.suffix != ".png" or not picture.parent.is_dir():
        raise InputError(f"--picture {picture}: expected a file ending in .png in an existing directory")
    points = sorted((read_point(run, options.label) for run in options.runs), key=lambda point: point[1])
    if not points:
        raise InputError("expected at least one run")
    print(f"| {options.label} | rate (KL) | distortion (reconstruction) | negative ELBO |\n| --- | --- | --- | --- |")
    for value, rate, distortion in points:
        print(f"| {value} | {rate:.2f} | {distortion:.2f} | {rate + distortion:.2f} |")
    charts.save_rate_distortion(picture, points, options.label)
    numbers = picture.with_suffix(".json")
    names = (options.label, "rate", "distortion")
    found = {"points": [dict(zip(names, point, strict=True)) for point in points], "unit": "nats"}
    results.write_to(numbers, "rate_distortion", options, found)
    print(f"\n{picture}\n{numbers}")
