"""Means with intervals and units, and how a person reads them."""

from typing import NamedTuple

import numpy as np

from train import intervals

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

    value: float
    unit: str
    low: float | None  # None where a single value gives no interval
    high: float | None
    interval: str  # how low and high were found, at 95 %
    seeds: list[float]  # the mean of each seed


def estimate(unit: str, values: list[np.ndarray]) -> Estimate:
    """The mean of [N] values a seed, with Student's t over several seeds or the bootstrap over one seed's examples."""
    means = [float(value.mean(dtype=np.float64)) for value in values]
    if len(means) > 1:
        return Estimate(
            float(np.mean(means)), unit, *intervals.student_t(means), f"Student t, {len(means)} seeds", means
        )
    interval = intervals.bootstrap(values[0])
    if interval is None:
        return Estimate(means[0], unit, None, None, "a single value", means)
    return Estimate(means[0], unit, *interval, f"bootstrap, {len(values[0])} examples", means)


def line(name: str, found: Estimate) -> str:
    """`name value unit`, then the interval."""
    digits = 2 if found.unit == "nats" else 4
    value = f"{name} {found.value:.{digits}f} {found.unit}"
    if found.low is None or found.high is None:
        return f"{value}  no interval, {found.interval}"
    return f"{value}  95 % [{found.low:.{digits}f}, {found.high:.{digits}f}], {found.interval}"
