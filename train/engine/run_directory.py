"""A run's directory: who may use it, what run it belongs to, and the small files in it."""

import fcntl
import json
import pathlib
from collections.abc import Mapping
from typing import Any, NotRequired, Self, TypedDict

from train.engine.files import read_json, read_value, refuse_links, write_json
from train.errors import InputError, warn
from train.experiment import Size, fits

_Plain = str | bool | int | float | None

# What may lie in a directory before config.json does: a run that was killed in its first moments.
_BEFORE_CONFIG = {"lock", "config.json.tmp"}


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


def refuse_links_to_directories(named: str, path: pathlib.Path) -> None:
    """InputError where something would be written to another directory, to which a link in this one leads."""
    if any(entry.is_symlink() and entry.is_dir() for entry in path.rglob("*")):
        raise InputError(f"{named}: expected a directory without links to others in it")


class Record(TypedDict):
    """config.json."""

    config: str
    values: dict[str, Any]  # of the kinds that the config says: `train.config.recorded`
    data_fingerprint: str
    steps_per_call: Size


class Session(TypedDict):
    """An entry of provenance.json; older ones lack what came later."""

    machinery: dict[str, _Plain]
    source: NotRequired[dict[str, str]]
    commit: NotRequired[str | None]
    changes: NotRequired[str | None]
    untracked: NotRequired[dict[str, str]]
    data_dir: NotRequired[str | None]
    jax_config: NotRequired[dict[str, _Plain]]
    environment: NotRequired[dict[str, str]]


class InUseError(InputError):
    """Another process holds the run's directory."""


class RunDirectory:
    """A directory held by this process until `close`, or until the process ends however it ends."""

    def __init__(self, path: pathlib.Path) -> None:
        """Create or enter the directory and lock it; InputError where it is foreign, unwritable or in use."""
        self.path = path
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            found = {entry.name for entry in self.path.iterdir()}
            refuse_links_to_directories(f"--run-dir {path}", path)
            if found - _BEFORE_CONFIG and "config.json" not in found:
                raise InputError(f"--run-dir {path}: expected a new directory or one of a run; it holds other files")
            self._lock = open(self.path / "lock", "w", opener=refuse_links)  # noqa: SIM115, held until close
        except OSError as error:
            raise InputError(f"--run-dir {path}: expected a directory that can be written: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise InUseError(f"--run-dir {path}: expected a run that is not in use; another process runs it") from error
        except OSError as error:
            self._lock.close()
            raise InputError(
                f"--run-dir {path}: expected a file system whose files can be locked: {error.strerror}"
            ) from error

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

    Data of the same content is the same data, wherever it lies and whatever it is called. A field that an older
    config.json lacks has its value in `defaults`.
    """
    if not (path / "config.json").exists():
        return None
    there = read_config(path)
    before, now = {**_as_read(defaults), **_identity(there)}, _identity(record)
    differing = [
        f"{name} is {before.get(name)} there and {now.get(name)} here"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
        and not (name == "data" and before["data fingerprint"] == now["data fingerprint"])
        and not (name == "steps" and _continues(before.get("steps"), now.get("steps")))
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


def _continues(before: Any, now: Any) -> bool:
    """Whether these steps continue those; None, which leaves them to the config, is continued by None alone."""
    return fits(before, int) and fits(now, int) and now > before


def _identity(record: Mapping[str, Any]) -> dict:
    return {**record["values"], "config": record["config"], "data fingerprint": record["data_fingerprint"]}


def read_config(path: pathlib.Path) -> dict:
    """config.json of a run's directory; InputError where there is none that can be read."""
    try:
        return read_value(path / "config.json", Record)
    except (OSError, ValueError) as error:
        expected = "a directory that `python -m train` made, with a readable config.json"
        raise InputError(f"{path} is no run: expected {expected}") from error


def read_sessions(path: pathlib.Path) -> list[dict]:
    """The sessions of provenance.json, the latest last; [] where there are none that can be read."""
    try:
        return read_json(path / "provenance.json", list[Session], "the sessions of a run")
    except InputError:
        return []


def has_damaged_sessions(path: pathlib.Path) -> bool:
    """Whether there is a provenance.json that cannot be read."""
    file = path / "provenance.json"
    try:
        return file.exists() and read_json(file, list[Session], "the sessions of a run") is None
    except InputError:
        return True


def append_session(path: pathlib.Path, session: Mapping[str, Any]) -> None:
    """Add this session to provenance.json; one that cannot be read is set aside. For who holds the directory."""
    file = path / "provenance.json"
    if has_damaged_sessions(path):
        file.replace(path / "provenance.json.damaged")
        warn(f"{file} cannot be read; it is kept as provenance.json.damaged, and a new one is begun")
    write_json(file, [*read_sessions(path), session])


def complete_session(path: pathlib.Path, facts: Mapping[str, Any]) -> None:
    """Add what is only known later to the latest session of provenance.json."""
    sessions = read_sessions(path)
    if sessions:  # unless the file was damaged since
        write_json(path / "provenance.json", [*sessions[:-1], {**sessions[-1], **facts}])
