"""How a run stands while it trains, out of the lines of its log: what a person judges it by."""

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np

from train.engine.selection import LESS_IS_BETTER


class Standing:
    """Loss, validation with the best so far, speed and time left, as means over the seeds that train."""

    def __init__(self, last: int | None, select: str | None = None) -> None:
        """A run of `last` steps, None if not known, judged by `select`, else by the first metric that could select."""
        self._last = last
        self._judges = [f"valid_{name}" for name in ([select] if select else LESS_IS_BETTER)]
        self._step = 0
        self._seen: dict[str, float] = {}  # the latest value of each metric that is shown
        self._best: tuple[float, int] | None = None  # of the judge, and its step
        self._begun: tuple[int, float] | None = None  # step and seconds at the end of the session's first call
        self._seconds = 0.0

    def see(self, line: Mapping[str, Any]) -> None:
        """Take account of a line: its step, its seconds since the session began, and its metrics."""
        self._step, seconds = line["step"], line.get("seconds")
        if not isinstance(seconds, int | float):  # of a line of an evaluation, or a damaged one
            seconds = self._seconds
        if seconds < self._seconds:
            self.begin()
        self._begun = self._begun or (self._step, seconds)
        self._seconds = seconds
        for name, value in line.items():
            if name == "loss" or name.startswith("valid_"):
                numbers = np.array(value, float)  # null is NaN: of a seed that has stopped
                if np.isfinite(numbers).any():
                    self._seen[name] = float(np.nanmean(numbers))
        judge = self.judge
        if judge in line and self._is_better(self._seen[judge]):
            self._best = self._seen[judge], self._step

    def begin(self) -> None:
        """Begin another session, which compiles again: the speed is that of its lines."""
        self._begun = None

    @property
    def judge(self) -> str:
        """The validation metric that is told to have been best; "" before one was seen, or where none can be."""
        return next((name for name in self._judges if name in self._seen), "")

    @property
    def best(self) -> str:
        """The best value of the judge, and where; "" where there is none."""
        if self._best is None:
            return ""
        value, step = self._best
        return f"best {value:.4g} so far" if step == self._step else f"best {value:.4g} at step {step}"

    @property
    def speed(self) -> str:
        """Steps a second and the time left, validation included; "" before the second call."""
        if self._begun is None or self._step <= self._begun[0] or self._seconds <= self._begun[1]:
            return ""
        rate = (self._step - self._begun[0]) / (self._seconds - self._begun[1])
        if self._last is None:
            return f"{rate:.3g} steps/s"
        left = datetime.timedelta(seconds=round((self._last - self._step) / rate))
        return f"{rate:.3g} steps/s  {left} left"

    def line(self) -> str:
        """All of it."""
        judge, others = self.judge, {name: value for name, value in self._seen.items() if name != "loss"}
        parts = [f"step {self._step}" + ("" if self._last is None else f" of {self._last}")]
        parts += [f"loss {self._seen['loss']:.4g}"] if "loss" in self._seen else []
        parts += [f"{judge} {others.pop(judge):.4g}, {self.best}"] if judge else []
        return "  ".join(filter(None, [*parts, self.speed, *(f"{name} {value:.4g}" for name, value in others.items())]))

    def short(self) -> str:
        """What fits beside a bar."""
        loss = f"loss {self._seen['loss']:.4g}" if "loss" in self._seen else ""
        best = "" if self._best is None else f"best {self._best[0]:.4g}"
        return "  ".join(filter(None, [loss, best, self.speed]))

    def _is_better(self, value: float) -> bool:
        if self._best is None:
            return True
        less = LESS_IS_BETTER[self.judge.removeprefix("valid_")]
        return value < self._best[0] if less else value > self._best[0]
