"""Get published data sets: download them, or convert original files for TensorFlow Datasets.

    python -m train data fetch mnist|fashion_mnist|binarized_mnist [--data-dir DIR]
    python -m train data prepare mnist|fashion_mnist|binarized_mnist --source DIR [--data-dir DIR]

`fetch` downloads the original files from the addresses that TensorFlow Datasets registers, verifies their checksums and
writes NAME.npz, which `--data NAME` reads. Downloads stay in DIR/originals/NAME, and the same command goes on where one
was interrupted. Proxies are those of the environment (HTTPS_PROXY).

`prepare` builds a TensorFlow Datasets data set from original files, verified by their published checksums, and uses
neither TensorFlow nor a network. The source holds the idx files (mnist, fashion_mnist; Debian's package
dataset-fashion-mnist has them in /usr/share/datasets/fashion-mnist) or the amat files (binarized_mnist), plain or
compressed as .gz. `--data tfds:NAME` reads the result, as does any program that loads NAME with TensorFlow Datasets.
"""

import contextlib
import dataclasses
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import tyro
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from train.config import parse
from train.data import default_data_directory, find_data_directory
from train.data.published.fetch import Show, fetch, read_downloads
from train.data.published.originals import as_npz, read_originals
from train.data.published.prepare import VERSIONS, prepare, tfds_data_dir
from train.engine import files
from train.engine.terminal import console
from train.errors import InputError


@dataclasses.dataclass(kw_only=True)
class Options:
    """Which data set, its source and its destination."""

    command: tyro.conf.Positional[Literal["fetch", "prepare"]]
    """Download the data set, or convert files that are here."""
    name: tyro.conf.Positional[Literal["mnist", "fashion_mnist", "binarized_mnist"]]
    """Name of the data set in TensorFlow Datasets."""
    source: str | None = None
    """Directory of the original files, for `prepare`."""
    data_dir: str | None = None
    """Where to write; None: where `--data NAME` is read by default, which is JAXGEN_DATA or jaxgen/data in the user's
    cache directory, or for `prepare` TFDS_DATA_DIR or ~/tensorflow_datasets."""


@contextlib.contextmanager
def progress_bars() -> Iterator[Show]:
    """A bar for each file."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        tasks = {}

        def show(name: str, came: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=size)
            progress.update(tasks[name], completed=came)

        yield show


def fetch_and_convert(options: Options) -> None:
    """Download a data set and write it as NAME.npz."""
    if options.source is not None:
        raise InputError(f"--source {options.source}: expected with prepare alone; fetch downloads the files")
    data_dir = Path(find_data_directory(options.name, options.data_dir) or default_data_directory())
    path, folder = data_dir / f"{options.name}.npz", data_dir / "originals" / options.name
    if path.exists():
        console.print(f"{path} is already there")
    else:
        with progress_bars() as show:
            fetch(read_downloads()[options.name], folder, show)
        files.write_arrays(path, as_npz(options.name, read_originals(options.name, folder)))
        console.print(f"{path} written")
    reading = ["--data", options.name, *(["--data-dir", str(data_dir)] if options.data_dir else [])]
    console.print(f"read by: python -m train CONFIG {shlex.join(reading)}")


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = parse(Options, arguments, prog="python -m train data", description=__doc__)
    if options.command == "fetch":
        fetch_and_convert(options)
        return
    if options.source is None:
        raise InputError("--source: expected the directory of the original files")
    data_dir = Path(options.data_dir or tfds_data_dir()).expanduser()
    written = prepare(options.name, Path(options.source).expanduser(), data_dir)
    print(f"{data_dir / options.name / VERSIONS[options.name]} {'written' if written else 'is already prepared'}")
    reading = ["--data", f"tfds:{options.name}", *(["--data-dir", str(data_dir)] if options.data_dir else [])]
    print(f"read by: python -m train CONFIG {shlex.join(reading)}")
