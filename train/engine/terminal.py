"""A run as a person at the terminal sees and stops it: progress bar, clock and requests to stop."""

import contextlib
import pathlib
import signal
import time
import webbrowser
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from train.engine.record.standing import Standing
from train.errors import warn

_COMPILED = "/jax/core/compile/backend_compile_duration"

console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)


@contextlib.contextmanager
def progress_bar(
    first: int, last: int, standing: Standing, seconds: Callable[[], float]
) -> Iterator[Callable[[int, Mapping[str, np.ndarray]], None]]:
    """A bar with the loss, the best so far and the speed; each validation is a line above it, also in a log file.

    `seconds` is the time since the session began.
    """
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=last, completed=first)

        def show(step: int, metrics: Mapping[str, np.ndarray]) -> None:
            standing.see({"step": step, "seconds": seconds(), **metrics})
            if "loss" in metrics:
                progress.update(task, completed=step, description=standing.short())
            else:
                progress.console.print(standing.line())

        yield show


def open_page(path: pathlib.Path) -> None:
    """Open a page in the user's browser, where there is one."""
    if not webbrowser.open(path.resolve().as_uri()):
        warn(f"no browser could be started; {path} is the page")


class Timing:
    """A clock that knows when the process started and how long it has spent compiling since."""

    def __init__(self, started: float) -> None:
        """`started` is a reading of `time.perf_counter`."""
        self._started = started
        self._compiling = 0.0
        self._first_call: dict[str, float] = {}
        jax.monitoring.register_event_duration_secs_listener(self._listen)

    def seconds(self) -> float:
        """Since the start."""
        return round(time.perf_counter() - self._started, 3)

    def note_call(self) -> None:
        """A compiled call has ended; the first one is what a person waited for."""
        if not self._first_call:
            self._first_call = {"seconds_to_first_call": self.seconds(), "of_it_compiling": round(self._compiling, 3)}

    def facts(self) -> dict[str, float]:
        """For provenance.json: seconds until the first call had ended, of them compiling, and until now."""
        return {**self._first_call, "seconds": self.seconds()}

    def _listen(self, event: str, duration_secs: float, **kwargs: str | int) -> None:
        del kwargs
        if event == _COMPILED:
            self._compiling += duration_secs


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Whether SIGTERM, SIGHUP or an interrupt has come since; another one, a second later, ends the process as usual.

    Within a second it is the same request: who stops all processes of a job reaches a child twice, by its parent too.
    """
    came: list[float] = []
    all_usual = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    # What is ignored stays so, as under nohup.
    usual = {number: handler for number, handler in all_usual.items() if handler != signal.SIG_IGN}

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        if came and time.monotonic() - came[0] > 1:
            signal.signal(number, usual[signal.Signals(number)])
            signal.raise_signal(number)
        came.append(time.monotonic())

    for number in usual:
        signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
