"""Confidence intervals: the bootstrap over examples, Student's t over seeds."""

from collections.abc import Callable, Sequence

import numpy as np


def bootstrap(values: np.ndarray, *, level: float = 0.95, num_resamples: int = 1000) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the mean of [N] values (Efron 1979), with a fixed seed; None for one value."""
    if len(values) < 2:
        return None
    from scipy import stats

    low, high = stats.bootstrap(
        (values.astype(np.float64),), np.mean, n_resamples=num_resamples, confidence_level=level,
        method="percentile", batch=50, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return float(low), float(high)


def bootstrap_two_sets(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    first: np.ndarray,
    second: np.ndarray,
    *,
    level: float = 0.95,
    num_resamples: int = 1000,
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a two-sample statistic of [N], [M], resampled apart; None if N or M is 1."""
    if min(len(first), len(second)) < 2:
        return None
    random = np.random.default_rng(0)
    found = [
        float(statistic(random.choice(first, len(first)), random.choice(second, len(second))))
        for _ in range(num_resamples)
    ]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def student_t(values: Sequence[float], *, level: float = 0.95) -> tuple[float, float]:
    """Student's t interval of the mean over S seeds, with S - 1 degrees of freedom."""
    from scipy import stats

    half = stats.t.ppf(0.5 + level / 2, len(values) - 1) * stats.sem(values)
    return float(np.mean(values) - half), float(np.mean(values) + half)
