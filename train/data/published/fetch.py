"""Download the original files of published data sets, from where TensorFlow Datasets says that they are."""

import hashlib
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from train.errors import InputError, RunFailedError, one_line

_ATTEMPTS = 3  # of a connection that ends early, each from where the last one ended
_CHUNK = 1 << 14  # bytes, of which the last one of a connection that ends early is lost

Show = Callable[[str, int, int], None]  # (file, bytes so far, bytes of the whole)


class Download(NamedTuple):
    """A file on a public server."""

    url: str
    size: int  # bytes
    sha256: str

    @property
    def name(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]


def read_downloads(table: Path = Path(__file__).parent / "downloads.toml") -> dict[str, list[Download]]:
    """The files of each data set."""
    sets = tomllib.loads(table.read_text())
    return {
        name: [Download(one["address"] + file, size, sha256) for file, (size, sha256) in one["files"].items()]
        for name, one in sets.items()
    }


def fetch(downloads: list[Download], folder: Path, show: Show, *, timeout: float = 30) -> None:
    """Download what `folder` lacks of these files; `timeout` is the longest silence of a server, in seconds.

    A file has its name once its checksum is right; what came of it before lies in NAME.part, from where a next call
    goes on. Proxies are those of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).

    Raises:
        InputError: The folder cannot be written.
        RunFailedError: A file could not be had, or is not the published one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for download in downloads:
            if not (folder / download.name).is_file():
                _fetch(download, folder / download.name, show, timeout)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InputError(f"{folder}: expected a directory that can be written: {error.strerror}") from error


def _fetch(download: Download, path: Path, show: Show, timeout: float) -> None:
    part = path.with_name(f"{path.name}.part")
    for _ in range(_ATTEMPTS):
        came = part.stat().st_size if part.exists() else 0
        if came < download.size:
            _append(download, part, came, show, timeout)
    content = part.read_bytes()
    if len(content) < download.size:
        raise RunFailedError(
            f"{download.url}: ended after {len(content)} of {download.size} bytes, {_ATTEMPTS} times; "
            "the same command goes on from there"
        )
    found = hashlib.sha256(content).hexdigest()
    if found != download.sha256:
        part.unlink()
        raise RunFailedError(f"{download.url}: its content has sha256 {found}; expected {download.sha256}")
    part.replace(path)


def _append(download: Download, part: Path, came: int, show: Show, timeout: float) -> None:
    """Add to `part` what the server sends from byte `came` on; less than all of it where the connection ends."""
    import requests

    # Compressed on the way, the bytes would be others than those that are counted.
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={came}-"} if came else {})}
    try:
        with requests.get(download.url, headers=headers, stream=True, timeout=timeout) as answer:
            answer.raise_for_status()
            is_rest = answer.status_code == requests.codes.partial_content  # else it is the whole
            came = came if is_rest else 0
            with part.open("ab" if is_rest else "wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    file.write(chunk[: download.size + 1 - came])  # a byte too many shows in the checksum
                    came += len(chunk)
                    show(download.name, min(came, download.size), download.size)
                    if came > download.size:
                        return
    except requests.exceptions.ChunkedEncodingError:  # the connection ended
        return
    except requests.exceptions.HTTPError as error:
        status = error.response.status_code
        raise RunFailedError(f"{download.url}: answered {status} {error.response.reason}; expected the file") from error
    except requests.exceptions.RequestException as error:
        if "timed out" in str(error):  # of several types: for the connection, the answer and the body
            raise RunFailedError(
                f"{download.url}: no answer for {timeout:g} s; the same command goes on from what has come"
            ) from error
        reason = one_line(getattr(next(iter(error.args), None), "reason", error))[:200]
        raise RunFailedError(
            f"{download.url}: cannot be reached ({reason}); expected a network, a proxy in HTTPS_PROXY, "
            f"or {download.name} in {part.parent}"
        ) from error
