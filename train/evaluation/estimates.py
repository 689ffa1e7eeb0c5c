"""Means with intervals and units, and their printed form."""

import math
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple, NotRequired, TypedDict

import jax
import numpy as np

from train.engine import files
from train.evaluation import intervals

# In the order of printing; others follow, in nats. (A compiled function returns its dictionary sorted.)
UNITS = {
    "negative_elbo": "nats",
    "reconstruction": "nats",
    "kl": "nats",
    "nll": "nats",
    "marginal_nll": "nats",
    "importance_weighted_nll": "nats",
    "annealed_nll": "nats",
    "importance_weighted_excess": "nats",
    "annealed_gap": "nats",
    "bits_per_dim": "bits/dim",
    "cost": "weighted, an example",
    "squared_error": "an example",
    "translation_error": "an example",
    "cross_entropy": "nats",
    "accuracy": "of 1",
    "linear_probe_accuracy": "of 1",
    "nearest_neighbour_accuracy": "of 1",
    "probe_accuracy_10": "of 1",
    "probe_accuracy_100": "of 1",
    "probe_accuracy_1000": "of 1",
    "matching_error": "of 1",
    "mutual_information": "nats",
    "real_logit": "logit or score",
    "fake_logit": "logit or score",
}


class Estimate(NamedTuple):
    """A mean over examples and seeds, with its unit and interval."""

    value: float | None  # None where no seed has a finite one
    unit: str
    low: float | None  # None for a single value, which has no interval
    high: float | None
    interval: str  # how the 95 % interval was computed
    seeds: list[float | None]  # the mean of each seed


class Measured(NamedTuple):
    """The result of an evaluator for one seed: a value of the whole set [1], or one per example [N]."""

    values: np.ndarray
    unit: str
    is_p_value: bool = False  # several seeds then have a median: a mean of p-values is meaningless
    most: float | None = None  # of a count, or 1 for a share; the least is 0


def single(found: jax.typing.ArrayLike, unit: str, *, most: float | None = None) -> Measured:
    """A single value of a whole set; `most` is that of a count, or 1 for a share."""
    return Measured(np.asarray(found, np.float64).reshape(1), unit, most=most)


def over_seeds(measured: list[Measured]) -> Estimate:
    """The estimate from the results of one evaluator for each seed."""
    first, values = measured[0], [found.values for found in measured]
    return median(first.unit, values) if first.is_p_value else estimate(first.unit, values, most=first.most)


def estimate(unit: str, values: list[np.ndarray], *, most: float | None = None) -> Estimate:
    """Mean of [N] values per seed, with Student's t over several seeds or the bootstrap over one seed's examples.

    A share lies between 0 and 1, a count between 0 and `most`. Where all values are equal both intervals have no width,
    and where counts reach `most`, rare ones far below it may not have been seen: there the interval is
    `intervals.bounded`. That of a share is cut at the ends of its range.
    """
    found = _estimate(unit, values)
    if most is None or found.low is None or found.high is None:
        return found
    means = [mean for mean in found.seeds if mean is not None] if len(values) > 1 else values[0].tolist()
    if found.low < found.high and (most == 1 or (most not in means and found.low >= 0 and found.high <= most)):
        return found._replace(low=max(found.low, 0.0), high=min(found.high, most))
    low, high = intervals.bounded(means, most)
    what = found.interval.removeprefix("Student t, ").removeprefix("bootstrap, ")
    return found._replace(low=low, high=high, interval=f"Gaffke, values from 0 to {most:g}, {what}")


def _estimate(unit: str, values: list[np.ndarray]) -> Estimate:
    means = [float(value.mean(dtype=np.float64)) for value in values]
    if len(means) == 1:
        interval = intervals.bootstrap(values[0])
        if interval is None:
            return Estimate(_or_none(means[0]), unit, None, None, "a single value", [_or_none(means[0])])
        low, high = map(_or_none, interval)
        return Estimate(
            _or_none(means[0]), unit, low, high, f"bootstrap, {len(values[0])} examples", [_or_none(means[0])]
        )
    finite = [mean for mean in means if math.isfinite(mean)]
    origin = (
        f"{len(means)} seeds" if len(finite) == len(means) else f"{len(finite)} of {len(means)} seeds, others have none"
    )
    seeds = [_or_none(mean) for mean in means]
    if len(finite) < 2:
        return Estimate(finite[0] if finite else None, unit, None, None, origin, seeds)
    return Estimate(float(np.mean(finite)), unit, *intervals.student_t(finite), f"Student t, {origin}", seeds)


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def median(unit: str, values: list[np.ndarray]) -> Estimate:
    """Median over seeds, without an interval, for p-values: their mean is meaningless."""
    seeds = [float(value.item()) for value in values]
    return Estimate(float(np.median(seeds)), unit, None, None, f"median of {len(seeds)}", [*seeds])


def line(name: str, found: Estimate) -> str:
    """Format an estimate as `name value unit` and its interval."""
    if found.value is None:
        return f"{name} none, {found.interval}"
    value = f"{name} {number(found.value, found.unit)} {found.unit}"
    if found.low is None or found.high is None:
        return f"{value}  no interval, {found.interval}"
    return f"{value}  95 % [{number(found.low, found.unit)}, {number(found.high, found.unit)}], {found.interval}"


def number(value: float, unit: str) -> str:
    """Format a value: nats with two decimals, small values and other units with four significant digits."""
    return f"{value:{'.2f' if unit.startswith('nats') and abs(value) >= 0.1 else '.4g'}}"


class Evaluation(TypedDict):
    """evaluation.json; older ones lack what came later."""

    metrics: dict[str, Estimate]  # as dictionaries
    costs: NotRequired[dict[str, Estimate]]
    step: int | list[int]
    trained: NotRequired[int]
    steps: NotRequired[int]
    config_steps: NotRequired[int]
    log_prob_of: NotRequired[str | None]
    absent: NotRequired[dict[str, str]]
    selected_by: NotRequired[str | None]
    provenance: NotRequired[dict[str, Any]]
    evaluated_by: NotRequired[dict[str, Any]]


def read_evaluation(path: pathlib.Path) -> dict[str, Any]:
    """evaluation.json of a run, its metrics and costs as estimates; InputError where it cannot be read."""
    expected = f"the output of `python -m train evaluate {path}`"
    found = files.read_json(path / "evaluation.json", Evaluation, expected)
    named = {"metrics": found["metrics"], "costs": found.get("costs", {})}
    return {**found, **{of: {name: _as_estimate(each) for name, each in them.items()} for of, them in named.items()}}


def _as_estimate(found: Mapping[str, Any]) -> Estimate:
    return Estimate(*(found[field] for field in Estimate._fields))


def read(path: pathlib.Path) -> dict[str, Estimate]:
    """Read the estimates in evaluation.json of a run; InputError where it cannot be read."""
    return read_evaluation(path)["metrics"]
