"""What surrounds a run: the installed distributions, the CPU, and changes of the checkout that are in no commit."""

import importlib.metadata
import pathlib
import platform
import re
import subprocess

from train.config.source import ROOT
from train.errors import warn

_LARGEST_PATCH = 2**20  # bytes


def files() -> dict[str, bytes]:
    """The files that a run keeps: environment.txt, and source.patch where the checkout has uncommitted changes."""
    found = {"environment.txt": "".join(f"{line}\n" for line in distributions()).encode()}
    patch = changes()
    if len(patch) > _LARGEST_PATCH:
        warn(f"uncommitted changes of {len(patch)} bytes are not kept; expected at most {_LARGEST_PATCH}")
    elif patch:
        found["source.patch"] = patch
    return found


def distributions() -> list[str]:
    """All installed distributions as name==version, sorted; of two of one name the one that is imported."""
    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = distribution.metadata["Name"]
        if name:  # a broken installation has none
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), distribution.version)
    return sorted(f"{name}=={version}" for name, version in found.items())


def cpu_model() -> str:
    """The name of the CPU, or its architecture where the system gives no name."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    described = cpuinfo.read_text() if cpuinfo.exists() else ""
    named = re.search(r"^model name\s*:\s*(.+)$", described, re.MULTILINE)
    return named[1].strip() if named else platform.processor() or platform.machine()


def changes() -> bytes:
    """How the tracked Python files differ from the commit, as git prints it; empty where they do not."""
    return git("diff", "HEAD", "--", "*.py") or b""


def git(*arguments: str) -> bytes | None:
    """What git says of the checkout; None outside git."""
    command = ["git", *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        return None
