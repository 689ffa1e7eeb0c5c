"""The source of a run's config: kept in the run's directory, and opened by whoever reads the run.

A run's directory is data, and may come from somebody else: nothing in it is executed unless its reader trusts it.
"""

import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any

from train import config as configs
from train.config import Config, source
from train.engine import run_directory
from train.engine.files import write_bytes
from train.errors import InputError


def keep(folder: pathlib.Path, files: Mapping[str, bytes]) -> None:
    """Write files into a run; one that differs from what lies there leaves that beside it, by its digest."""
    for name, content in files.items():
        kept = folder / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        if kept.is_file() and (before := kept.read_bytes()) != content:
            kept.rename(kept.with_name(f"{kept.name}.{hashlib.sha256(before).hexdigest()[:8]}"))
        write_bytes(kept, content)


def open_config(run_dir: pathlib.Path, record: Mapping[str, Any], *, trust: bool, ways: str) -> Config:
    """The config of a run: the file that config.json names, if it is what the run was trained with.

    If not, the source that the run keeps where its reader does `trust` it, else InputError, which names the options
    that are the `ways` out. A run that recorded no digests, as older ones, is opened with the file as it is.
    """
    file, recorded = source.ROOT / record["config"], _recorded(run_dir)
    refusal = _refusal(file, recorded)
    if refusal is None:
        return configs.load_file(file, record["config"])
    if not trust:
        raise InputError(f"{run_dir}: {refusal}; expected {ways}; --trust executes the source that the run keeps")
    kept = run_dir.resolve() / "source" / source.kept_name(file)
    if not recorded or _changes(kept, recorded):
        raise InputError(f"--trust: expected a run that keeps the source that it was trained with, not {run_dir}")
    return configs.load_file(kept, str(kept))


def differences(run_dir: pathlib.Path, config: Config) -> list[str]:
    """How a config differs from what the run was trained with, a line each; [] for a run that recorded no digests."""
    recorded = _recorded(run_dir)
    return source.differences(recorded, source.digests(config.files)) if recorded else []


def _recorded(run_dir: pathlib.Path) -> dict[str, str] | None:
    """The digests of the source with which a run was trained last."""
    return next((session.get("source") for session in run_directory.read_sessions(run_dir)[-1:]), None)


def _refusal(file: pathlib.Path, recorded: Mapping[str, str] | None) -> str | None:
    """Why this file is not executed for the asking; None where nothing speaks against it."""
    if not file.is_file():
        return f"{file} is gone"
    # The path is that of a stranger: by a link or by `..` it could lead back into what came with the run.
    if file != file.resolve() or any((folder / "config.json").exists() for folder in file.parents):
        return f"{file} lies in the directory of a run, or leads elsewhere"
    changes = _changes(file, recorded or {})
    return f"since it was trained, {', '.join(changes)}" if changes else None


def _changes(file: pathlib.Path, recorded: Mapping[str, str]) -> list[str]:
    return source.differences(recorded, source.digests(source.present(file, recorded)))
