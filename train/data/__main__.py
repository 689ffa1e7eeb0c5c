"""Original files of a data set, checked by their published sums, become a data set of TensorFlow Datasets.

python -m train.data prepare mnist|fashion_mnist|binarized_mnist --source DIR [--data-dir DIR]

Neither TensorFlow nor a network is used. DIR holds the idx files (mnist, fashion_mnist; Debian's package
dataset-fashion-mnist has them in /usr/share/datasets/fashion-mnist) or the amat files (binarized_mnist), plain or
compressed as .gz. `--data tfds:NAME` reads the result, as does every program that asks TensorFlow Datasets for NAME.
"""

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Literal

import tyro

from train.config import parse
from train.data.prepare import VERSIONS, prepare
from train.failures import one_line_failures


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
    """The command line."""
    with one_line_failures():
        options = parse(Options, arguments, prog="python -m train.data", description=__doc__)
        from tensorflow_datasets.core.constants import DATA_DIR

        data_dir = Path(options.data_dir or DATA_DIR).expanduser()
        written = prepare(options.name, Path(options.source).expanduser(), data_dir)
        print(f"{data_dir / options.name / VERSIONS[options.name]} {'written' if written else 'was prepared before'}")
        reading = ["--data", f"tfds:{options.name}", *(["--data-dir", str(data_dir)] if options.data_dir else [])]
        print(f"read by: python -m train CONFIG {shlex.join(reading)}")


if __name__ == "__main__":
    main(sys.argv[1:])
