"""Whether a game of two players goes wrong, seen in the metrics of its steps."""

from collections.abc import Mapping

import numpy as np

from train.errors import warn

_PATIENCE = 1000  # steps
_NEVER = np.iinfo(np.int64).max
_SIGNS = {
    "discriminator_accuracy": (lambda value: value > 0.999, "the discriminator tells all examples apart"),
    "diversity": (lambda value: value < 0.01, "the generator gives nearly the same example again and again"),
}


class CollapseWatch:
    """Warns of a sign that has lasted for 1,000 steps, once for each seed."""

    def __init__(self, first_step: int) -> None:
        """Nothing is known of the steps before `first_step`."""
        self._healthy_at: dict[str, np.ndarray] = {}
        self._first_step = first_step

    def __call__(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
        """Look at the means over the steps up to `step`, [] or [S]."""
        for name, (is_sick, said) in _SIGNS.items():
            if name not in metrics:
                continue
            sick = is_sick(np.atleast_1d(metrics[name]))
            healthy_at = self._healthy_at.setdefault(name, np.full(sick.shape, self._first_step))
            healthy_at[~sick] = np.maximum(healthy_at[~sick], step)
            lasting = np.flatnonzero(healthy_at <= step - _PATIENCE)
            if len(lasting):
                which = f" (seed number {', '.join(str(seed + 1) for seed in lasting)})" if len(sick) > 1 else ""
                value = np.atleast_1d(metrics[name])[lasting[0]]
                warn(f"step {step}: {name} {value:.3g} for {_PATIENCE} steps{which}: {said}; the game has collapsed")
                healthy_at[lasting] = _NEVER
