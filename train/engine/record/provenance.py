"""Where a session's numbers come from: source, commit, versions, device, threads, settings, command."""

import datetime
import hashlib
import importlib.metadata
import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from train.config import Config, source
from train.config.source import ROOT
from train.engine.record import environment, settings

# What the bits of a run depend on.
_PACKAGES = ("jaxgen", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")

# What is of use beside the run alone, and too long or too private to be shown.
_UNSHOWN = ("data_dir", "jax_config", "environment")


def session(config: Config, devices: Sequence[jax.Device], steps_per_call: int, data_dir: str | None) -> dict:
    """What is known as a session starts. Under `machinery` stands what its bits depend on beside code and settings."""
    found = origin(sys.argv[1:], devices)
    return {
        **found,
        **code(config),
        "data_dir": os.path.abspath(data_dir) if data_dir else None,
        "machinery": {**found["machinery"], "steps_per_call": steps_per_call},
        **settings.read(),
    }


def code(config: Config) -> dict:
    """The code of a session: the config's files, the commit, and what of the checkout is in no commit."""
    return {
        "source": source.digests(config.files),
        "commit": _commit(),
        "changes": _changes(),
        "untracked": _untracked(config),
    }


def origin(arguments: Sequence[str], devices: Sequence[jax.Device]) -> dict:
    """When, by `python -m train` with which arguments, from which code and on which devices a number was measured."""
    return {
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "-m", "train", *arguments]),
        "commit": _commit(),
        "changes": _changes(),
        "machinery": {
            **versions(),
            "platform": devices[0].platform,
            "device_kind": devices[0].device_kind,
            "devices": len(devices),
            "processes": len({device.process_index for device in devices}),
            "cpu": environment.cpu_model(),
            "cpu_threads": len(os.sched_getaffinity(0)),
        },
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that the bits of a run depend on."""
    return {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}}


def shown(session: Mapping[str, Any]) -> dict:
    """A session as evaluation.json and the report have it."""
    return {name: value for name, value in session.items() if name not in _UNSHOWN}


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two sessions of one run and can change its bits, a line each.

    Of what an older session did not record, nothing is said.
    """
    lines = code_differences(before, now)
    lines += [
        f"{name} was {before['machinery'][name]} and is now {value}"
        for name, value in now["machinery"].items()
        if name in before["machinery"] and before["machinery"][name] != value
    ]
    if isinstance(before.get("jax_config"), dict) and isinstance(before.get("environment"), dict):
        lines += settings.differences(before, now)
    return lines


def code_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """As `differences`, of the config's source and of the checkout alone."""
    lines = []
    if isinstance(before.get("source"), dict):
        lines += source.differences(before["source"], now["source"])
    if "commit" in before and _bare(before["commit"]) != _bare(now["commit"]):
        lines.append(f"commit was {_bare(before['commit'])} and is now {_bare(now['commit'])}")
    if "changes" in before and before["changes"] != now["changes"]:
        lines.append("uncommitted changes of the checkout differ")
    if isinstance(before.get("untracked"), dict):
        # A file of the config has its line already.
        others = [
            {name: digest for name, digest in session["untracked"].items() if name not in now["source"]}
            for session in (before, now)
        ]
        lines += [f"{line}, and git does not track it" for line in source.differences(*others)]
    return lines


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _bare(commit: str | None) -> str | None:
    return commit and commit.removesuffix("+")


def _commit() -> str | None:
    """The checkout's commit, with "+" where files other than results differ from it; None outside git."""
    commit = environment.git("rev-parse", "HEAD")
    # A study writes the results of one run before it begins the next.
    differing = environment.git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/results")
    return None if commit is None else commit.decode().strip() + "+" * bool(differing)


def _changes() -> str | None:
    """The SHA-256 of source.patch: how the tracked Python files differ from the commit; None where they do not."""
    diff = environment.changes()
    return hashlib.sha256(diff).hexdigest() if diff else None


def _untracked(config: Config) -> dict[str, str]:
    """The SHA-256 of each file of the checkout that was imported and is in no commit, the config's among them."""
    listed = environment.git("ls-files", "--others", "--exclude-standard", "-z", "--", "*.py")
    names = (listed or b"").decode(errors="surrogateescape").split("\0")[:-1]
    imported = {getattr(module, "__file__", None) for module in list(sys.modules.values())} | {str(config.path)}
    files = {name: ROOT / name for name in names if str(ROOT / name) in imported}
    return source.digests({name: file.read_bytes() for name, file in files.items()})
