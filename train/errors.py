"""How the application ends when it cannot go on: one clear line and an exit code, no traceback for a slip."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

import jax


class InputError(Exception):
    """Something the user gave is wrong; the message names the option or file and what was expected. Exit code 2."""


class RunFailedError(RuntimeError):
    """The run itself failed: a metric that is not finite, a full disk. Exit code 1."""


def warn(message: str) -> None:
    """Print one line that does not stop the run; of several processes that train it, the first alone does."""
    if jax.distributed.is_initialized() and jax.process_index():
        return
    print(f"warning: {message}", file=sys.stderr, flush=True)


def first_line(error: Exception) -> str:
    """The type of an exception and the first line of what it says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def one_line(error: BaseException) -> str:
    """All that an exception says, on one line."""
    return " ".join(str(error).split())


class LenientStream:
    """A stream that drops what cannot be written: a closed or full pipe or a full disk behind it ends no run."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream` while that is possible."""
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """All else is the stream's own."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or drop."""
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or drop."""
        with self._dropping():
            self._stream.flush()

    @contextlib.contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except BlockingIOError:  # a pipe that is full for now
            pass
        except OSError:
            # What is still in the buffer would fail again when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


@contextlib.contextmanager
def one_line_failures() -> Iterator[None]:
    """Turn the two failures above, a disk or memory that is full, into a line on stderr and an exit code."""
    try:
        yield
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except (RunFailedError, OSError) as error:
        print(f"failed: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except (jax.errors.JaxRuntimeError, MemoryError) as error:  # such as memory that does not suffice
        print(f"failed: {first_line(error)}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("interrupted; the same command starts again from what is on disk", file=sys.stderr)
        raise SystemExit(130) from None
