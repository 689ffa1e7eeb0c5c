"""Runs: what a config makes of its data, and a run as it stands on disk."""

from train.runs.opened import (
    Run,
    describe_step,
    first_models,
    in_unit_interval,
    load,
    load_beside,
    open_beside,
    per_seed,
)
from train.runs.prepared import Prepared, epoch_of, in_steps, make_recipe, open_experiment_data, validation_metrics
from train.runs.reading import Reading, bind, open_run

__all__ = [
    "Prepared",
    "Reading",
    "Run",
    "bind",
    "describe_step",
    "epoch_of",
    "first_models",
    "in_steps",
    "in_unit_interval",
    "load",
    "load_beside",
    "make_recipe",
    "open_beside",
    "open_experiment_data",
    "open_run",
    "per_seed",
    "validation_metrics",
]
