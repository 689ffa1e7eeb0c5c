"""Small files of a run: written whole or not at all, and read as what they should be."""

import io
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from train.errors import InputError, RunFailedError
from train.experiment import fits


def write_json(path: pathlib.Path, value: Any) -> None:
    """Write the whole file or none of it: a process may be killed, or a disk be full, at any moment."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_text(path: pathlib.Path, text: str) -> None:
    """As `write_json`, for text."""
    write_bytes(path, text.encode())


def write_bytes(path: pathlib.Path, content: bytes) -> None:
    """As `write_json`, for bytes; they are on the disk when this returns."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        with open(temporary, "wb", opener=refuse_links) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        flush(path.parent)
    except OSError as error:  # which does not always name the file
        raise RunFailedError(f"{path} could not be written: {error.strerror}") from error


def refuse_links(path: str, flags: int) -> int:
    """An opener that follows no link: a run's directory may come from somebody else, whose links lead elsewhere."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def write_arrays(path: pathlib.Path, arrays: Mapping[str, np.ndarray]) -> None:
    """As `write_json`, for arrays in an .npz."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_bytes(path, content.getvalue())


def flush(path: pathlib.Path) -> None:
    """Wait until the entries of a directory, or the content of a file, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(file: pathlib.Path, kind: Any, expected: str) -> Any:
    """`read_value`; InputError, which says what was `expected`, where there is none."""
    try:
        return read_value(file, kind)
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read; expected {expected}") from error


def read_value(file: pathlib.Path, kind: Any) -> Any:
    """The value of this kind (`train.experiment.fits`) in a small file; OSError or ValueError where there is none."""
    if not file.is_file():  # a pipe would be waited for
        raise FileNotFoundError
    return parse(file.read_text(), kind)


def parse(text: str, kind: Any) -> Any:
    """The value of this kind in JSON; ValueError for anything else, however it is wrong."""
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair could not be printed
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not fits(value, kind):
        raise ValueError(f"expected {kind}")
    return value
