"""Confidence intervals: over examples by the bootstrap, over seeds by Student's t."""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def bootstrap(values: np.ndarray, *, level: float = 0.95, num_resamples: int = 1000) -> tuple[float, float] | None:
    """Percentile interval of the mean of [N] values (Efron 1979), from the same resamples every time; None of one."""
    if len(values) < 2:
        return None
    low, high = stats.bootstrap(
        (values.astype(np.float64),), np.mean, n_resamples=num_resamples, confidence_level=level,
        method="percentile", batch=50, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    return float(low), float(high)


def student_t(values: Sequence[float], *, level: float = 0.95) -> tuple[float, float]:
    """Interval of the mean over seeds, S - 1 degrees of freedom."""
    half = stats.t.ppf(0.5 + level / 2, len(values) - 1) * stats.sem(values)
    return float(np.mean(values) - half), float(np.mean(values) + half)
