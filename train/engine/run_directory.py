"""A run's directory: who may use it, what run it belongs to, and the small files in it."""

import fcntl
import json
import pathlib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from train.errors import InputError, warn

# What may lie in a directory before config.json does: a run that was killed in its first moments.
_BEFORE_CONFIG = {"lock", "config.json.tmp"}


def write_json(path: pathlib.Path, value: Any) -> None:
    """Write the whole file or none of it: a process may be killed, or a disk be full, at any moment."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_text(path: pathlib.Path, text: str) -> None:
    """As `write_json`, for text."""
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_text(text)
    temporary.replace(path)


def write_arrays(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """As `write_json`, for arrays in an .npz, as float32."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        np.savez_compressed(file, **{name: array.astype(np.float32) for name, array in arrays.items()})  # type: ignore[arg-type]
    temporary.replace(path)


def publish(path: pathlib.Path, to: pathlib.Path) -> None:
    """Let a finished run stand under its name, unless another process was faster."""
    try:
        path.rename(to)
    except OSError:
        if not to.is_dir():
            raise


def make_directory(option: str, directory: str) -> pathlib.Path:
    """The directory, made where there is none; InputError that names the option where it cannot be."""
    path = pathlib.Path(directory)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{option} {path}: expected a directory that can be written: {error.strerror}") from error
    return path


class RunDirectory:
    """A directory held by this process until `close`, or until the process ends however it ends."""

    def __init__(self, path: pathlib.Path) -> None:
        """Create or enter the directory and lock it; InputError where it is foreign, unwritable or in use."""
        self.path = path
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            found = {entry.name for entry in self.path.iterdir()}
            if found - _BEFORE_CONFIG and "config.json" not in found:
                raise InputError(f"--run-dir {path}: expected a new directory or one of a run; it holds other files")
            self._lock = (self.path / "lock").open("w")
        except OSError as error:
            raise InputError(f"--run-dir {path}: expected a directory that can be written: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise InputError(f"--run-dir {path}: expected a run that is not in use; another process runs it") from error

    def __enter__(self) -> Self:
        """Hold the directory for a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let the directory go."""
        self._lock.close()

    def claim(self, record: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
        """Write config.json where there is none; InputError where there is that of another run (`read_same_run`)."""
        if read_same_run(self.path, record, defaults) is None:
            write_json(self.path / "config.json", record)


def make_record(config: str, values: Mapping[str, Any], fingerprint: str) -> dict:
    """The identity of a run, as config.json holds it beside `steps_per_call`."""
    return {"config": config, "values": _as_read(values), "data_fingerprint": fingerprint}


def _as_read(values: Mapping[str, Any]) -> dict:
    """Values as they will be read back: tuples are lists."""
    return json.loads(json.dumps(values))


def read_same_run(path: pathlib.Path, record: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict | None:
    """config.json, None where there is none; InputError where the data or a value differ, but for more steps.

    A field that an older config.json lacks has its value in `defaults`.
    """
    if not (path / "config.json").exists():
        return None
    there = read_config(path)
    before, now = {**_as_read(defaults), **_identity(there)}, _identity(record)
    differing = [
        f"{name} is {before.get(name)} there and {now.get(name)} here"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name) and not (name == "steps" and _continues(before["steps"], now["steps"]))
    ]
    if differing:
        raise InputError(
            f"--run-dir {path}: expected the same run, or another directory to begin anew; {'; '.join(differing)}"
        )
    return there


def continue_as(path: pathlib.Path, record: Mapping[str, Any]) -> None:
    """Let config.json have the values of this record, whose steps may be more."""
    there = read_config(path)
    if there["values"] != record["values"]:
        write_json(path / "config.json", {**there, "values": record["values"]})


def _continues(before: int | None, now: int | None) -> bool:
    """Whether these steps continue those; None, which leaves them to the config, is continued by None alone."""
    return before is not None and now is not None and now > before


def _identity(record: Mapping[str, Any]) -> dict:
    return {**record["values"], "config": record["config"], "data fingerprint": record["data_fingerprint"]}


def read_config(path: pathlib.Path) -> dict:
    """config.json of a run's directory; InputError where there is none that can be read."""
    file = path / "config.json"
    try:
        record = json.loads(file.read_text())
        kinds = {"config": str, "values": dict, "data_fingerprint": str, "steps_per_call": int}
        if all(isinstance(record[name], kind) for name, kind in kinds.items()):
            return record
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise InputError(f"{path} is no run: expected a directory that `python -m train` made, with a readable config.json")


def read_sessions(path: pathlib.Path) -> list[dict]:
    """The sessions of provenance.json, the latest last; [] where there is none."""
    file = path / "provenance.json"
    try:
        sessions = json.loads(file.read_text()) if file.exists() else []
        if all(isinstance(session["machinery"], dict) for session in sessions):
            return sessions
    except (ValueError, KeyError, TypeError):
        pass
    file.replace(path / "provenance.json.damaged")
    warn(f"{file} cannot be read; it is kept as provenance.json.damaged, and a new one is begun")
    return []


def append_session(path: pathlib.Path, session: Mapping[str, Any]) -> list[str]:
    """Add this session to provenance.json: what of the machinery differs from the session before, a line each."""
    sessions = read_sessions(path)
    before = sessions[-1]["machinery"] if sessions else session["machinery"]
    write_json(path / "provenance.json", [*sessions, session])
    return [
        f"{name} was {before.get(name)} and is now {value}"
        for name, value in session["machinery"].items()
        if before.get(name) != value
    ]


def complete_session(path: pathlib.Path, facts: Mapping[str, Any]) -> None:
    """Add what is only known later to the latest session of provenance.json."""
    *before, latest = read_sessions(path)
    write_json(path / "provenance.json", [*before, {**latest, **facts}])
