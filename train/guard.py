"""Guard one of several processes that train together: end when another is lost, and say which one it was.

JAX ends a process whose peer is lost by SIGABRT, after pages of its own. So a parent that does nothing else, and so
cannot be ended that way, reads what the training process says and has the last word. Nothing here imports JAX, which
must not have started when the process forks.
"""

import contextlib
import ctypes
import functools
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, NoReturn

_OPTIONS = {"--distributed", "--coordinator", "--num-processes", "--process-id"}
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
# Seconds in which a process that failed would be told that another had been lost first: beyond a missing heartbeat.
_VERDICT = 20
_FATAL = re.compile(rb"[EF]\d{4} .*(coordination_service|client\.h)")
_LOST = re.compile(r"unhealthy \(stopped sending heartbeats\):\n((?:\d+\n)+)")
_NO_COORDINATOR = "Failed to send RPC to coordination service"


def is_asked_for(arguments: Sequence[str]) -> bool:
    """Whether a command line trains with other processes."""
    return any(word.partition("=")[0].replace("_", "-") in _OPTIONS for word in arguments)


def run(function: Callable[[], Any]) -> int:
    """Call `function` in a child that a signal to this process reaches, and that ends with it: the exit code."""
    read, write = os.pipe()
    parent, child = os.getpid(), os.fork()
    if not child:
        _train(function, parent, write)
    os.close(write)
    for number in _FORWARDED:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, functools.partial(_forward, child))
    said = _pass_on(read)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 0:
        _write(said)
    elif code < 0 or said:
        _write(f"failed: {_verdict(said.decode(errors='replace'), code)}\n".encode())
    return 1 if code == -signal.SIGABRT else 128 - code if code < 0 else code


def _train(function: Callable[[], Any], parent: int, write: int) -> NoReturn:
    """What the child does."""
    os.setpgid(0, 0)  # a terminal's interrupt comes through the parent, once
    with contextlib.suppress(OSError, AttributeError):  # Linux has it
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(1)
    os.dup2(write, 2)
    _leave(_exit_code(function))


def _exit_code(function: Callable[[], Any]) -> int:
    try:
        function()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def _leave(code: int) -> NoReturn:
    """End this process, without the barrier at which JAX would wait for the others where it ends early."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    if code == 1:
        time.sleep(_VERDICT)
    os._exit(code)


def _pass_on(read: int) -> bytes:
    """Pass on what the child says until its end, but what JAX says of the loss of another, which is returned."""
    kept, fatal = bytearray(), False
    with open(read, "rb", buffering=0) as lines:
        for line in iter(lines.readline, b""):
            fatal = fatal or _FATAL.match(line) is not None
            if fatal:
                kept += line
            else:
                _write(line)
    return bytes(kept)


def _write(said: bytes) -> None:
    with contextlib.suppress(OSError):
        os.write(2, said)


def _forward(child: int, number: int, frame: FrameType | None) -> None:
    del frame
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, number)


def _verdict(said: str, code: int) -> str:
    """What ended the child, from what JAX said and how it ended."""
    unhealthy = _LOST.search(said)
    if unhealthy:
        lost = unhealthy[1].split()
    elif _NO_COORDINATOR in said:
        lost = ["0"]
    elif said:
        return f"another process was lost: {said.splitlines()[0]}"
    else:
        return f"this process was ended by {signal.Signals(-code).name}"
    which = f"process {lost[0]} was" if len(lost) == 1 else f"processes {', '.join(lost)} were"
    return f"{which} lost; the same command goes on from the last checkpoint"
