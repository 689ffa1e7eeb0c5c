"""What a generator of points does wrong: points off the support, copies of training points, land it never reaches."""

from typing import NamedTuple

import numpy as np

from train.evaluation import estimates
from train.evaluation.estimates import Estimate
from train.studies.world import land

Array = np.ndarray


class Training(NamedTuple):
    """Training points, and how near to one of them a point is a copy."""

    points: Array  # unit vectors [M, 3]
    copy_within: float  # radians


def of_training(points: Array) -> Training:
    """Points [M, 3]; a copy is nearer to one than the 5th percentile of their own distances to their nearest."""
    return Training(points, float(np.percentile(land.nearest_of_each_other(points), 5)))


def is_copy(training: Training, points: Array) -> Array:
    """Whether each of the points [N, 3] is a copy of a training point: booleans [N]."""
    return land.nearest(points, training.points) < training.copy_within


def measure(training: Training, points: Array) -> dict[str, Estimate]:
    """The three rates of samples [N, 3], intervals by the bootstrap over samples, of coverage over cells."""
    cells = land.land_cells()
    found = {
        "off_support": ~land.is_land(points),
        "memorization": is_copy(training, points),
        "coverage": np.isin(cells, land.cells_of(points)),
    }
    return {name: estimates.estimate("of 1", [values.astype(np.float64)], most=1) for name, values in found.items()}
