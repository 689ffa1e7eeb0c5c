"""Where a session's numbers come from: versions, device, threads, commit, command."""

import datetime
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence

import jax

from train.config import ROOT

# What the bits of a run depend on.
_PACKAGES = ("jaxgen", "jax", "jaxlib", "flax", "optax", "chex", "orbax-checkpoint", "numpy")


def session(devices: Sequence[jax.Device], steps_per_call: int, data_dir: str | None) -> dict:
    """What is known as a session starts. Under `machinery` stands all that the bits of a run depend on."""
    found = origin(sys.argv[1:], devices)
    return {
        **found,
        "data_dir": os.path.abspath(data_dir) if data_dir else None,
        "machinery": {**found["machinery"], "steps_per_call": steps_per_call},
    }


def origin(arguments: Sequence[str], devices: Sequence[jax.Device]) -> dict:
    """When, by `python -m train` with which arguments, from which code and on which devices a number was measured."""
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "train", *arguments]),
        "commit": _commit(),
        "machinery": {
            "python": platform.python_version(),
            **{name: _version(name) for name in _PACKAGES},
            "platform": devices[0].platform,
            "device_kind": devices[0].device_kind,
            "devices": len(devices),
            "cpu_threads": len(os.sched_getaffinity(0)),
        },
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str | None:
    """The checkout's commit, with "+" where files differ from it; None outside git."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
