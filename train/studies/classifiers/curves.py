"""Error curves over the number of training examples: means over subsets, and where two curves cross."""

from collections.abc import Mapping, Sequence

import numpy as np

from train.evaluation import estimates
from train.evaluation.estimates import Estimate


def mean(values: np.ndarray, unit: str = "of 1") -> Estimate:
    """Mean and interval of a value for each subset: [R]."""
    return estimates.estimate(unit, list(values.astype(np.float64)[:, None]))


def crossings(sizes: Sequence[int], errors: Mapping[str, Sequence[float]]) -> list[dict]:
    """Crossings of two named error curves, interpolated on logarithmic axes as plotted, and who is ahead after each."""
    (first, second), (first_errors, second_errors) = errors.keys(), errors.values()
    # An error of 0 has no logarithm; it is replaced by one far below the resolution of a test set.
    lead = np.log(np.maximum(first_errors, 1e-9)) - np.log(np.maximum(second_errors, 1e-9))
    at, found = np.log(sizes), []
    for i in range(len(sizes) - 1):
        if (lead[i] > 0) != (lead[i + 1] > 0):
            m = float(np.exp(at[i] + lead[i] / (lead[i] - lead[i + 1]) * (at[i + 1] - at[i])))
            found.append({"m": m, "ahead_from_there": second if lead[i + 1] > 0 else first})
    return found


def tell(found: list[dict]) -> str:
    """Say where curves cross."""
    where = [f"m = {crossing['m']:.0f}, ahead from there {crossing['ahead_from_there']}" for crossing in found]
    return f"cross at {'; '.join(where)}" if where else "do not cross"
