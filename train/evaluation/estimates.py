"""Means with intervals and units, and how a person reads them."""

import json
import math
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from train.errors import InputError
from train.evaluation import intervals

# In the order in which they are printed, others behind them in nats; a compiled function returns its dictionary sorted.
UNITS = {
    "negative_elbo": "nats",
    "reconstruction": "nats",
    "kl": "nats",
    "nll": "nats",
    "importance_weighted_nll": "nats",
    "bits_per_dim": "bits/dim",
    "cost": "weighted, an example",
    "squared_error": "an example",
    "cross_entropy": "nats",
    "accuracy": "of 1",
    "real_logit": "logit or score",
    "fake_logit": "logit or score",
}


class Estimate(NamedTuple):
    """A mean, where it comes from and how far it can be trusted."""

    value: float | None  # None where no seed has one
    unit: str
    low: float | None  # None where a single value gives no interval
    high: float | None
    interval: str  # how low and high were found, at 95 %
    seeds: list[float | None]  # the mean of each seed


class Measured(NamedTuple):
    """What an evaluator measures for one seed: a value of the whole set [1], or one for each of its members [N]."""

    values: np.ndarray
    unit: str
    is_p_value: bool = False  # several seeds then have a median, since the mean of p-values says nothing


def single(found: jax.typing.ArrayLike, unit: str) -> Measured:
    """One value of a whole set."""
    return Measured(np.asarray(found, np.float64).reshape(1), unit)


def over_seeds(measured: list[Measured]) -> Estimate:
    """The estimate of what one evaluator measured for each seed."""
    summarize = median if measured[0].is_p_value else estimate
    return summarize(measured[0].unit, [found.values for found in measured])


def estimate(unit: str, values: list[np.ndarray]) -> Estimate:
    """The mean of [N] values a seed, with Student's t over several seeds or the bootstrap over one seed's examples."""
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
    of = (
        f"{len(means)} seeds" if len(finite) == len(means) else f"{len(finite)} of {len(means)} seeds, others have none"
    )
    seeds = [_or_none(mean) for mean in means]
    if len(finite) < 2:
        return Estimate(finite[0] if finite else None, unit, None, None, of, seeds)
    return Estimate(float(np.mean(finite)), unit, *intervals.student_t(finite), f"Student t, {of}", seeds)


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def median(unit: str, values: list[np.ndarray]) -> Estimate:
    """The median over seeds, without an interval: for p-values, whose mean says nothing."""
    seeds = [float(value.item()) for value in values]
    return Estimate(float(np.median(seeds)), unit, None, None, f"median of {len(seeds)}", [*seeds])


def line(name: str, found: Estimate) -> str:
    """`name value unit`, then the interval."""
    if found.value is None:
        return f"{name} none, {found.interval}"
    value = f"{name} {number(found.value, found.unit)} {found.unit}"
    if found.low is None or found.high is None:
        return f"{value}  no interval, {found.interval}"
    return f"{value}  95 % [{number(found.low, found.unit)}, {number(found.high, found.unit)}], {found.interval}"


def number(value: float, unit: str) -> str:
    """Nats to a hundredth, small ones and all else to four digits."""
    return f"{value:{'.2f' if unit.startswith('nats') and abs(value) >= 0.1 else '.4g'}}"


def read(path: pathlib.Path) -> dict[str, Estimate]:
    """The estimates of a run's evaluation.json; InputError where it cannot be read."""
    file = path / "evaluation.json"
    try:
        return {name: Estimate(**found) for name, found in json.loads(file.read_text())["metrics"].items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} cannot be read; expected what `python -m train evaluate {path}` writes") from error
