"""Build a TensorFlow Datasets data set from its original files, verified by their published checksums.

python -m train data prepare mnist|fashion_mnist|binarized_mnist --source DIR [--data-dir DIR]

Uses neither TensorFlow nor a network. DIR holds the idx files (mnist, fashion_mnist; Debian's package
dataset-fashion-mnist has them in /usr/share/datasets/fashion-mnist) or the amat files (binarized_mnist), plain or
compressed as .gz. `--data tfds:NAME` reads the result, as does any program that loads NAME with TensorFlow Datasets.
"""

import dataclasses
import shlex
from pathlib import Path
from typing import Literal

import tyro

from train.config import parse
from train.data.prepare import VERSIONS, prepare, tfds_data_dir


@dataclasses.dataclass(kw_only=True)
class Options:
    """Which data set, its source and its destination."""

    command: tyro.conf.Positional[Literal["prepare"]]
    """The only subcommand."""
    name: tyro.conf.Positional[Literal["mnist", "fashion_mnist", "binarized_mnist"]]
    """Name of the data set in TensorFlow Datasets."""
    source: str
    """Directory of the original files."""
    data_dir: str | None = None
    """Where to write; None: where TensorFlow Datasets reads by default, TFDS_DATA_DIR or ~/tensorflow_datasets."""


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = parse(Options, arguments, prog="python -m train data", description=__doc__)
    data_dir = Path(options.data_dir or tfds_data_dir()).expanduser()
    written = prepare(options.name, Path(options.source).expanduser(), data_dir)
    print(f"{data_dir / options.name / VERSIONS[options.name]} {'written' if written else 'is already prepared'}")
    reading = ["--data", f"tfds:{options.name}", *(["--data-dir", str(data_dir)] if options.data_dir else [])]
    print(f"read by: python -m train CONFIG {shlex.join(reading)}")
