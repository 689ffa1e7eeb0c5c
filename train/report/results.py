"""The records of commands: the numbers that one printed, with its options and all that they depend on."""

import dataclasses
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from train.engine import files, run_directory
from train.engine.record import provenance
from train.runs import Run

# Of this machine and of no meaning elsewhere.
_UNRECORDED = ("data_dir", "compilation_cache")


def write(run: Run, command: str, options: Any, found: Mapping[str, Any]) -> pathlib.Path:
    """Write what a command `found` out of a run to RUN/results/COMMAND.json, in place of its last; returns the file."""
    latest = run_directory.read_sessions(run.path)[-1:]
    of_run = {
        "config": run.record["config"],
        "values": run.record["values"],
        "data_fingerprint": run.record["data_fingerprint"],
        "step": run.step,
        "provenance": next(map(provenance.shown, latest), {}),
    }
    path = run.path / "results" / f"{command}.json"
    path.parent.mkdir(exist_ok=True)
    write_to(path, command, options, found, run=of_run)
    return path


def write_to(path: pathlib.Path, command: str, options: Any, found: Mapping[str, Any], **facts: Any) -> None:
    """Write what a command `found` to a file of its own; `options` is the dataclass of its options."""
    given = dataclasses.asdict(options)
    result = {
        "command": command,
        "options": {name: value for name, value in given.items() if name not in _UNRECORDED},
        "results": found,
        **facts,
        "evaluated_by": provenance.origin(sys.argv[1:], jax.local_devices()),
    }
    files.write_json(path, plain(result))


def plain(value: Any) -> Any:
    """A value as JSON has it: named tuples, such as estimates, are dictionaries, and arrays are lists."""
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
