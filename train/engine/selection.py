"""Select the best model of each seed by a validation metric, and stop a seed that no longer improves."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgen.recipe import PyTree

#: Validation metrics that can select a model, and whether less is better. A KL alone or a critic's score cannot.
LESS_IS_BETTER = {
    "negative_elbo": True,
    "reconstruction": True,
    "nll": True,
    "marginal_nll": True,
    "cost": True,
    "squared_error": True,
    "cross_entropy": True,
    "accuracy": False,
}


class Seen(NamedTuple):
    """What the evaluations so far have shown, [] or [S] each."""

    value: np.ndarray  # the best; NaN before the first evaluation
    step: np.ndarray  # at which it was reached; 0 before the first evaluation
    since: np.ndarray  # evaluations since then
    stopped: np.ndarray  # whether the seed trains no more


def after(seen: Seen, step: int, value: np.ndarray, less_is_better: bool, patience: int | None) -> Seen:  # noqa: FBT001
    """What is known after one more evaluation, [] or [S] values; those of seeds that have stopped change nothing."""
    running = ~seen.stopped
    better = running & (np.isnan(seen.value) | (value < seen.value if less_is_better else value > seen.value))
    since = np.where(better, 0, seen.since + running)
    stopped = seen.stopped if patience is None else seen.stopped | (since >= patience)
    return Seen(np.where(better, value, seen.value), np.where(better, step, seen.step), since, stopped)


class Selection:
    """The best model of each seed so far, held in the host's memory: training donates its own."""

    def __init__(self, metric: str | None, patience: int | None, seeds: int) -> None:
        """Nothing is selected where `metric` is None, and no seed stops where `patience` is None."""
        shape = (seeds,) if seeds > 1 else ()
        self._metric, self._patience = metric, patience
        self._seen = Seen(np.full(shape, np.nan), np.zeros(shape, int), np.zeros(shape, int), np.zeros(shape, bool))
        self.best: PyTree | None = None

    def resume(self, seen: Mapping[str, Any], best: PyTree | None) -> None:
        """Go on from what a checkpoint holds."""
        self._seen = Seen(**{name: np.asarray(value) for name, value in seen.items()})
        self.best = None if best is None else jax.tree.map(np.array, best)

    def seen_as_json(self) -> dict | None:
        """For a checkpoint."""
        return None if self._metric is None else {name: value.tolist() for name, value in self._seen._asdict().items()}

    @property
    def newest(self) -> int:
        """The latest step at which a model was selected."""
        return int(self._seen.step.max())

    @property
    def stopped(self) -> np.ndarray:
        """Whether each seed has stopped, [] or [S]."""
        return self._seen.stopped

    @property
    def running(self) -> np.ndarray | None:
        """Which seeds [S] a compiled call trains; None where no seed is ever frozen: one alone ends its run."""
        return None if self._patience is None or not self.stopped.ndim else ~self.stopped

    def mark(self, metrics: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The metrics [] or [S], NaN where the seed has stopped."""
        return {name: np.where(self.stopped, np.nan, value) for name, value in metrics.items()}

    def look(self, step: int, metrics: Mapping[str, np.ndarray], model: PyTree) -> None:
        """Take account of the validation metrics of the model after `step` steps."""
        if self._metric is None:
            return
        less_is_better = LESS_IS_BETTER[self._metric]
        self._seen = after(self._seen, step, np.asarray(metrics[self._metric]), less_is_better, self._patience)
        better = self._seen.step == step
        if better.all():
            self.best = jax.tree.map(np.array, model)  # copies: a view would be of a buffer that is donated
        elif better.any():
            self.best = jax.tree.map(lambda new, old: _where(better, np.asarray(new), old), model, self.best)


def _where(seeds: np.ndarray, new: np.ndarray, old: np.ndarray) -> np.ndarray:
    return np.where(seeds.reshape(-1, *[1] * (new.ndim - 1)), new, old)
