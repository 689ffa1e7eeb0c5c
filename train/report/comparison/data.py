"""A comparison of runs as data to read on with: CSV and JSON."""

import csv
import io
import json

from train.evaluation.estimates import Estimate
from train.report.comparison.runs import Comparison

_FIELDS = ("value", "low", "high", "unit", "interval")


def as_csv(found: Comparison) -> str:
    """A line for each run and metric; `absent` says why there is no value."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    columns = [*_FIELDS, "absent"]
    writer.writerow(
        ["run", "config", "trained", "config_steps", "metric", *columns, *(f"difference_{name}" for name in columns)]
    )
    for label, run, differences in zip(found.labels, found.runs, found.differences, strict=True):
        for name in found.columns:
            other = None if run is found.runs[0] else differences.get(name)
            writer.writerow([label, run.record["config"], *run.steps, name, *_fields(run.get(name)), *_fields(other)])
    return file.getvalue()


def _fields(found: Estimate | str | None) -> list:
    if isinstance(found, Estimate):
        return [*(getattr(found, name) for name in _FIELDS), None]
    return [None] * len(_FIELDS) + [found]


def as_json(found: Comparison) -> str:
    """All of the comparison; the differences of the first run, to itself, are left out."""

    def entry(each: Estimate | str) -> dict:
        return each._asdict() if isinstance(each, Estimate) else {"absent": each}

    runs = [
        {
            "run": label,
            "path": str(run.path),
            "config": run.record["config"],
            "settings": settings,
            "seeds": run.seeds,
            "trained": run.steps[0],
            "config_steps": run.steps[1],
            "metrics": {name: entry(run.get(name)) for name in found.columns},
            "differences": {name: entry(each) for name, each in differences.items() if run is not found.runs[0]},
        }
        for label, run, settings, differences in zip(
            found.labels, found.runs, found.settings, found.differences, strict=True
        )
    ]
    return json.dumps({"reference": found.labels[0], "runs": runs}, indent=2, allow_nan=False) + "\n"
