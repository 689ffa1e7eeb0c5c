"""Confidence intervals: the bootstrap over examples, Student's t over seeds, Gaffke's for bounded values."""

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


def bounded(values: Sequence[float], most: float, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of the mean of values in [0, most] that assumes nothing else of them (Gaffke 2005).

    Under weights that are uniform on the simplex: the lower quantile of the mean of the values and one more at 0, and
    the upper one with one more at `most`. For values that are all 0 or `most` it is Clopper & Pearson's (1934), and it
    stays wide where all values are equal: N seeds rule out no event whose probability is below 1 - 0.025^(1 / N).
    """
    found, counts = np.unique(values, return_counts=True)
    weights = np.random.default_rng(0).dirichlet([*counts, 1], 20_000)
    mean, tail = weights[:, :-1] @ found, (1 - level) / 2
    return float(np.quantile(mean, tail)), min(most, float(np.quantile(mean + weights[:, -1] * most, 1 - tail)))
