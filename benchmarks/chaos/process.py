"""Start `python -m train` in a fork of this process, whose imports are then paid for once.

Nothing here starts a thread or JAX's backend before it forks: each child starts its own, as a process of its own does.
"""

import atexit
import json
import os
import pathlib
import runpy
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

# What a run imports sooner or later, in the middle of evaluation and report too.
import matplotlib.pyplot  # noqa: F401
import orbax.checkpoint as ocp  # noqa: F401
import scipy.stats  # noqa: F401
import sklearn.datasets
import sklearn.decomposition
import sklearn.mixture  # noqa: F401

import train.commands.evaluate
import train.commands.train  # noqa: F401

_LONGEST = 600  # seconds; a run that takes longer has hung


class Ended(NamedTuple):
    """How a process ended; a negative code is that of a signal."""

    code: int
    err: str
    cpu_seconds: float

    @property
    def warned(self) -> bool:
        """Whether it said nothing but warnings, and at least one."""
        return bool(self.err) and all(line.startswith("warning: ") for line in self.err.splitlines())

    @property
    def is_one_line(self) -> bool:
        """Whether it ended with one error, after warnings if any."""
        *others, last = self.err.splitlines() or [""]
        return (
            self.code in (1, 2)
            and last.startswith(("error: ", "failed: "))
            and all(line.startswith("warning: ") for line in others)
        )


class Process:
    """A child, which can be waited for and sent signals."""

    def __init__(self, pid: int, err: pathlib.Path) -> None:
        """`err` is the file of its stderr."""
        self.pid, self._err = pid, err
        self._ended: Ended | None = None

    def end(self) -> Ended:
        """Wait for its end; TimeoutError, and it is killed, where that does not come."""
        deadline = time.monotonic() + _LONGEST
        while not self._is_over():
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise TimeoutError(f"still running after {_LONGEST} seconds: {self._err.read_text()[-300:]!r}")
            time.sleep(0.01)
        assert self._ended is not None
        return self._ended

    def wait_for_cpu(self, seconds: float) -> None:
        """Wait until it has taken so much CPU time, a measure of its progress that no load changes, or has ended."""
        clock = (~self.pid << 3) | 2  # Linux: the CPU clock of another process
        while not self._is_over() and time.clock_gettime(clock) < seconds:
            time.sleep(0.002)

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if not self._is_over():
            os.kill(self.pid, number)

    def _is_over(self) -> bool:
        if self._ended is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                said = self._err.read_text(errors="replace")
                self._ended = Ended(os.waitstatus_to_exitcode(status), said, usage.ru_utime + usage.ru_stime)
        return self._ended is not None


def start(arguments: Sequence[str], err: pathlib.Path, prepare: Callable[[], object] = lambda: None) -> Process:
    """`python -m train` with these arguments, stderr into a file, after `prepare()` in the child."""

    def run() -> int:
        prepare()
        sys.argv = ["train", *arguments]
        try:
            runpy.run_module("train", run_name="__main__", alter_sys=True)
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return _fork(run, err)


def call(function: Callable[[], Any], folder: pathlib.Path) -> Any:
    """The value, as JSON has it, of a function that needs JAX and is called in a child."""
    result = folder / f"result{os.getpid()}"
    ended = _fork(lambda: result.write_text(json.dumps(function())) and 0, result.with_suffix(".err")).end()
    if ended.code:
        raise RuntimeError(ended.err)
    return json.loads(result.read_text())


def _fork(function: Callable[[], int], err: pathlib.Path) -> Process:
    """A child that ends as an interpreter does, with the code that the function returns."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    pid = os.fork()
    if pid:
        return Process(pid, err)
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        try:
            code = function()
        except BaseException:
            traceback.print_exc()
        threading._shutdown()  # as the interpreter does: wait for threads, then call what waits for its end
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
