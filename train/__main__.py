"""The command line: `python -m train CONFIG [OPTIONS]` trains, `python -m train COMMAND [OPTIONS]` does the rest."""

import ast
import contextlib
import importlib
import os
import pathlib
import signal
import sys
import time
import warnings
from types import FrameType

from train import guard

STARTED = time.perf_counter()  # before the imports that a person waits for

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_COMMANDS = _ROOT / "train" / "commands"


def summaries(folder: pathlib.Path) -> dict[str, str]:
    """The first line of each module's docstring by its name, read without importing it."""
    files = sorted(folder.glob("[!_]*.py"))
    return {file.stem: (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0] for file in files}


def usage() -> str:
    """All configs and commands, a line each."""
    commands = summaries(_COMMANDS)
    lines = [
        "usage: python -m train CONFIG [OPTIONS]",
        "       python -m train COMMAND [OPTIONS]",
        "",
        commands.pop("train"),
        "--help behind a config or a command lists its options.",
    ]
    for title, listed in (("commands", commands), ("configs", summaries(_ROOT / "configs"))):
        lines += ["", f"{title}:", *(f"  {name:<28} {summary}" for name, summary in listed.items())]
    return "\n".join(lines)


def is_command(name: str) -> bool:
    """Whether a name is that of a command, and not of a config."""
    return name != "train" and not name.startswith("_") and name in {file.stem for file in _COMMANDS.glob("*.py")}


def main(arguments: list[str]) -> None:
    """Bind the command line and run."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        raise SystemExit(0 if arguments else 2)
    from train.errors import InputError, LenientStream, one_line_failures

    for name in ("stdout", "stderr"):
        if not isinstance(getattr(sys, name), LenientStream):
            setattr(sys, name, LenientStream(getattr(sys, name)))
    with one_line_failures():
        name, *options = arguments
        if name.startswith("-"):
            raise InputError(f"{name}: expected a config or a command first, as in python -m train vae_digits {name}")
        if is_command(name):
            importlib.import_module(f"train.commands.{name}").main(options)
        else:
            importlib.import_module("train.commands.train").main(arguments, STARTED)


def leave(number: int, frame: FrameType | None) -> None:
    """End at an interrupt that nothing waits for, as during imports or an evaluation, in one line.

    A KeyboardInterrupt would pass through libraries, which turn it into errors of their own or drop it.
    """
    del number, frame
    with contextlib.suppress(OSError, RuntimeError):  # RuntimeError: it came while this stream was being written
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        os.write(2, b"interrupted; the same command starts again from what is on disk\n")
    os._exit(130)


def start() -> None:
    """Run the command line of this process."""
    if not sys.warnoptions:  # those of libraries; the application's own are printed by train.errors
        warnings.simplefilter("ignore")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as under nohup
        signal.signal(signal.SIGINT, leave)
    try:
        main(sys.argv[1:])
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] in ("configs", "jaxgen", "train"):
            raise
        print(
            f"error: the package {missing.name} is not installed; expected: pip install -e {_ROOT}[train]",
            file=sys.stderr,
        )
        raise SystemExit(2) from None


if __name__ == "__main__":
    if guard.is_asked_for(sys.argv[2:]):
        raise SystemExit(guard.run(start))
    start()
