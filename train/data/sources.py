"""Data sets by name: embedded, in .npz files, or prepared by TensorFlow Datasets."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from train.config import cache_directory
from train.data import synthetic
from train.data.conventions import CONVENTIONS
from train.data.dataset import ARRAY_NAMES, Arrays, Dataset, from_arrays
from train.data.npz import read_npz
from train.data.prepared import read_prepared
from train.data.published.fetch import read_downloads
from train.errors import InputError


def open_data(source: str, data_dir: str | None) -> Dataset:
    """Open a data set by name; nothing is ever downloaded.

    Args:
        source: `digits` (8 x 8 digits, embedded in scikit-learn), `blobs`, `ring`, `grid` (points in the plane),
            `stacked_mnist` (three digits of `mnist` as colour channels), `skewed_mnist` (class imbalance 50 : 1),
            `mnist_0_to_8` (without the nines), `mnist_9` (the nines, without labels), `mnist_dequantized` (with
            uniform noise, drawn once), `uci_adult`, `uci_dna`, `uci_mushrooms`, `uci_nips`, `uci_ocr_letters` (binary
            tables of uci_binary.npz), `npz:PATH`, `tfds:NAME` (prepared as array_record), or NAME for a file NAME.npz
            in the data directory.
        data_dir: The data directory; None: the environment variable JAXGEN_DATA, or for tfds:NAME the default
            directory of TensorFlow Datasets, else where `python -m train data fetch` writes.

    Raises:
        InputError: No data set of that name was found, or the file is not a data set.
    """
    if source in EMBEDDED:
        return from_arrays(source, EMBEDDED[source]())
    if source in _DERIVED_FROM_MNIST:
        return from_arrays(source, _DERIVED_FROM_MNIST[source](_read_with_labels(find_file("mnist", data_dir))))
    scheme, colon, rest = source.partition(":")
    if not colon:
        path = find_file(CONVENTIONS[source].file if source in CONVENTIONS else source, data_dir)
        return from_arrays(str(path), _read_named(path, source))._replace(source=source)
    if scheme == "npz":
        return from_arrays(source, read_npz(Path(os.path.expanduser(rest)), ARRAY_NAMES))
    if scheme == "tfds":
        return from_arrays(source, read_prepared(rest, data_dir))
    raise InputError(
        f"data {source!r}: no such scheme {scheme!r}; "
        f"expected npz:PATH, tfds:NAME, {', '.join([*EMBEDDED, *_DERIVED_FROM_MNIST])} or a bare NAME"
    )


def find_data_directory(source: str, data_dir: str | None) -> str | None:
    """The data directory of a source from the option or the environment; None for the default."""
    given = data_dir or os.environ.get("TFDS_DATA_DIR" if source.startswith("tfds:") else "JAXGEN_DATA")
    return os.path.expanduser(given) if given else None


def default_data_directory() -> Path:
    """Where NAME.npz lies if neither --data-dir nor JAXGEN_DATA says where."""
    return cache_directory() / "data"


def _digits() -> Arrays:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    # The file is in order of collection; a fixed permutation makes train and test alike.
    order = np.random.default_rng(0).permutation(1797)
    x = np.round(images[order].reshape(-1, 8, 8) / 16 * 255).astype(np.uint8)
    y = labels[order]
    return {"x_train": x[:1437], "y_train": y[:1437], "x_test": x[1437:], "y_test": y[1437:]}


_DERIVED_FROM_MNIST: dict[str, Callable[[Arrays], Arrays]] = {
    "stacked_mnist": lambda arrays: synthetic.stack_digits(arrays),
    "skewed_mnist": lambda arrays: synthetic.skew_classes(arrays),
    "mnist_0_to_8": lambda arrays: synthetic.drop_class(arrays, 9),
    "mnist_9": lambda arrays: synthetic.keep_class(arrays, 9),
    "mnist_dequantized": lambda arrays: synthetic.dequantize_once(arrays),
}
EMBEDDED = {"digits": _digits, **synthetic.SOURCES}


def find_file(name: str, data_dir: str | None) -> Path:
    """Find NAME.npz in the data directory."""
    if name.endswith(".npz"):
        raise InputError(f"data {name!r}: is no bare name; expected npz:{name} for that file")
    if os.path.isdir(os.path.expanduser(name)) and os.sep in name:
        raise InputError(
            f"data {name!r}: is a folder; expected npz:FILE, or NAME of a file in it with --data-dir {name}"
        )
    given_by = "--data-dir" if data_dir else "JAXGEN_DATA"
    directory = find_data_directory(name, data_dir)
    files = {path.stem: path for path in sorted(Path(directory or default_data_directory()).glob("*.npz"))}
    if name in files:
        return files[name]
    if not directory:
        looked = f"no {name}.npz in {default_data_directory()}, and neither --data-dir nor JAXGEN_DATA is given"
    elif Path(directory).is_dir():
        looked = f"no {name}.npz in {directory} ({given_by})"
    else:
        looked = f"{directory} ({given_by}) is not a directory"
    made = _DERIVED_FROM_MNIST if "mnist" in files else ()  # not suggested where mnist itself is missing
    close = difflib.get_close_matches(name, [*EMBEDDED, *made, *CONVENTIONS, *files])
    suggestion = f", did you mean {' or '.join(close)}?" if close else ""
    fetched = f"; `python -m train data fetch {name}` downloads it" if name in read_downloads() else ""
    raise InputError(
        f"data {name!r}: {looked}{suggestion}; expected --data-dir or JAXGEN_DATA naming a directory that holds "
        f"{name}.npz, or tfds:{name}, or npz:PATH{fetched}"
    )


def _read_with_labels(path: Path) -> Arrays:
    arrays = _read_named(path)
    for name in ("x_train", "y_train", "x_test", "y_test"):
        if name not in arrays:
            raise InputError(f"{path}: has no array {name}; expected images with labels")
    return arrays


def _read_named(path: Path, name: str | None = None) -> Arrays:
    """The arrays of a file under the name of its data set, which is that of the file where it holds one alone."""
    name = name or path.stem
    if name not in CONVENTIONS:
        return read_npz(path, ARRAY_NAMES)
    file, shapes, split = CONVENTIONS[name]
    arrays = read_npz(path, shapes)
    for array, shape in shapes.items():
        if array not in arrays or arrays[array].shape != shape or arrays[array].dtype != np.uint8:
            found = f"{arrays[array].dtype} {arrays[array].shape}" if array in arrays else "missing"
            raise InputError(f"{path}: array {array} is {found}; expected uint8 {shape} of the published {file}")
    return split(**arrays)
