"""Seconds that a person waits for: until the first call has ended, and of those in the compiler or its cache."""

import time

import jax

_COMPILED = "/jax/core/compile/backend_compile_duration"


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
