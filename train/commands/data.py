"""Original files of a data set, checked by their published sums, become a data set of TensorFlow Datasets.

python -m train data prepare mnist|fashion_mnist|binarized_mnist --source DIR [--data-dir DIR]

Neither TensorFlow nor a network is used. DIR holds the idx files (mnist, fashion_mnist; Debian's package
dataset-fashion-mnist has them in /usr/share/datasets/fashion-mnist) or the amat files (binarized_mnist), plain or
compressed as .gz. `--data tfds:NAME` reads the result, as does every program that asks TensorFlow Datasets for NAME.
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
    """What is prepared, from where and to where."""

    command: tyro.conf.Positional[Literal["prepare"]]
    """What to do."""
    name: tyro.conf.Positional[Literal["mnist", "fashion_mnist", "binarized_mnist"]]
    """The data set, by the name that TensorFlow Datasets has for it."""
    source: str
    """Directory of the original files."""
    data_dir: str | None = None
    """Where to write; None: where TensorFlow Datasets reads by default, TFDS_DATA_DIR or ~/tensorflow_datasets."""


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = parse(Options, arguments, prog="python -m train data", description=__doc__)
    data_dir = Path(options.data_dir or tfds_data_dir()).expanduser()
    written = prepare(options.name, Path(options.source).expanduser(), data_dir)
    print(f"{data_dir / options.name / VERSIONS[options.name]} {'written' if written else 'was prepared before'}")
    reading = ["--data", f"tfds:{options.name}", *(["--data-dir", str(data_dir)] if options.data_dir else [])]
    print(f"read by: python -m train CONFIG {shlex.join(reading)}")
