"""A request to stop that is honoured between two calls, not within one."""

import signal
from collections.abc import Callable
from types import FrameType


def watch_signals() -> Callable[[], bool]:
    """Whether SIGTERM or an interrupt has come since now; a second one ends the process as usual."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        came.append(number)
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    return lambda: bool(came)
