"""The record of a benchmark: what it measured, with the versions, the machine and the commit."""

import importlib.metadata
import pathlib
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import jax

from train.engine import files
from train.engine.record import provenance

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "build" / "benchmarks"


def write(name: str, measured: Mapping[str, Any]) -> None:
    """Write what `python -m benchmarks.NAME` measured, in seconds unless it says otherwise, and print the file."""
    origin = provenance.origin(sys.argv[1:], jax.local_devices())
    origin["command"] = shlex.join(["python", "-m", f"benchmarks.{name}", *sys.argv[1:]])
    if "torch" in sys.modules:
        origin["machinery"]["torch"] = importlib.metadata.version("torch")
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    files.write_json(path, {"measured": measured, "provenance": origin})
    print(path)
