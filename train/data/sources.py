"""Data sets by name: embedded, in .npz files, or prepared by TensorFlow Datasets."""

import difflib
import os
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from train.data import synthetic
from train.data.dataset import ARRAY_NAMES, Arrays, Dataset, from_arrays
from train.data.prepared import read_prepared
from train.errors import InputError, first_line


def open_data(source: str, data_dir: str | None) -> Dataset:
    """Open a data set by name; nothing is ever downloaded.

    Args:
        source: `digits` (8 x 8 digits, embedded in scikit-learn), `blobs`, `ring`, `grid` (points in the plane),
            `stacked_mnist` (three digits of `mnist` as colour channels), `skewed_mnist` (class imbalance 50 : 1),
            `mnist_0_to_8` (without the nines), `mnist_9` (the nines, without labels), `npz:PATH`, `tfds:NAME` (prepared
            as array_record), or NAME for a file NAME.npz in the data directory.
        data_dir: The data directory; None: the environment variable JAXGEN_DATA, or for tfds:NAME the default
            directory of TensorFlow Datasets.

    Raises:
        InputError: No data set of that name was found, or the file is not a data set.
    """
    if source in EMBEDDED:
        return from_arrays(source, EMBEDDED[source]())
    if source in _DERIVED_FROM_MNIST:
        return from_arrays(source, _DERIVED_FROM_MNIST[source](_read_with_labels(_find("mnist", data_dir))))
    scheme, colon, rest = source.partition(":")
    if not colon:
        path = _find(source, data_dir)
        return from_arrays(str(path), _read_named(path))._replace(source=source)
    if scheme == "npz":
        return from_arrays(source, _read(Path(os.path.expanduser(rest)), ARRAY_NAMES))
    if scheme == "tfds":
        return from_arrays(source, read_prepared(rest, data_dir))
    raise InputError(
        f"data {source!r}: no such scheme {scheme!r}; "
        f"expected npz:PATH, tfds:NAME, {', '.join([*EMBEDDED, *_DERIVED_FROM_MNIST])} or a bare NAME"
    )


def directory_of(source: str, data_dir: str | None) -> str | None:
    """The data directory of a source from the option or the environment; None for the default."""
    given = data_dir or os.environ.get("TFDS_DATA_DIR" if source.startswith("tfds:") else "JAXGEN_DATA")
    return os.path.expanduser(given) if given else None


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
}
EMBEDDED = {"digits": _digits, **synthetic.SOURCES}


def _find(name: str, data_dir: str | None) -> Path:
    """Find NAME.npz in the data directory."""
    if name.endswith(".npz"):
        raise InputError(f"data {name!r}: is no bare name; expected npz:{name} for that file")
    given_by = "--data-dir" if data_dir else "JAXGEN_DATA"
    directory = data_dir or os.environ.get("JAXGEN_DATA")
    files = {path.stem: path for path in sorted(Path(directory).glob("*.npz"))} if directory else {}
    if name in files:
        return files[name]
    if not directory:
        looked = "neither --data-dir nor JAXGEN_DATA is given"
    elif Path(directory).is_dir():
        looked = f"no {name}.npz in {directory} ({given_by})"
    else:
        looked = f"{directory} ({given_by}) is not a directory"
    made = _DERIVED_FROM_MNIST if "mnist" in files else ()  # not suggested where mnist itself is missing
    close = difflib.get_close_matches(name, [*EMBEDDED, *made, *files])
    suggestion = f", did you mean {' or '.join(close)}?" if close else ""
    raise InputError(
        f"data {name!r}: {looked}{suggestion}; expected --data-dir or JAXGEN_DATA naming a directory that holds "
        f"{name}.npz, or tfds:{name}, or npz:PATH"
    )


def _read(path: Path, names: Iterable[str]) -> Arrays:
    """Read the named arrays that an .npz file has; its other arrays are ignored."""
    expected = "expected an .npz file of plain arrays, as numpy.savez writes it"
    try:
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise InputError(f"{path}: is no .npz file, or a truncated one; {expected}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {name: np.asarray(archive[name]) for name in names if name in archive}
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; {expected}") from error
    except Exception as error:  # zipfile, zlib and numpy raise different errors for damaged files
        raise InputError(f"{path}: cannot be read ({first_line(error)}); {expected}") from error


class _Convention(NamedTuple):
    """The arrays of a published file and its conventional split."""

    shapes: dict[str, tuple[int, ...]]  # all of them uint8
    split: Callable[..., Arrays]


def _binarized_mnist(x_train: np.ndarray, x_valid: np.ndarray, x_test: np.ndarray) -> Arrays:
    packed = {"x_train": x_train, "x_valid": x_valid, "x_test": x_test}
    return {name: np.unpackbits(bits, axis=1).reshape(-1, 28, 28) * np.uint8(255) for name, bits in packed.items()}


def _frey_faces(x: np.ndarray) -> Arrays:
    # Consecutive frames of a film are nearly equal, and no permutation was ever published.
    x = x[np.random.default_rng(0).permutation(1965)]
    return {"x_train": x[:1565], "x_valid": x[1565:1765], "x_test": x[1765:]}


def _olivetti_faces(x: np.ndarray, person: np.ndarray) -> Arrays:
    # The split holds out people, not pictures, so training and test data share no label.
    return {"x_train": x[person < 36], "x_test": x[person >= 36]}


def _cifar10_4k(x: np.ndarray, y: np.ndarray) -> Arrays:
    return {"x_train": x[:3500], "y_train": y[:3500], "x_test": x[3500:], "y_test": y[3500:]}


_CONVENTIONS = {
    "binarized_mnist": _Convention(
        {"x_train": (50000, 98), "x_valid": (10000, 98), "x_test": (10000, 98)}, _binarized_mnist
    ),
    "cifar10_4k": _Convention({"x": (4000, 32, 32, 3), "y": (4000,)}, _cifar10_4k),
    "frey_faces": _Convention({"x": (1965, 28, 20)}, _frey_faces),
    "olivetti_faces": _Convention({"x": (400, 64, 64), "person": (400,)}, _olivetti_faces),
}


def _read_with_labels(path: Path) -> Arrays:
    arrays = _read_named(path)
    for name in ("x_train", "y_train", "x_test", "y_test"):
        if name not in arrays:
            raise InputError(f"{path}: has no array {name}; expected images with labels")
    return arrays


def _read_named(path: Path) -> Arrays:
    if path.stem not in _CONVENTIONS:
        return _read(path, ARRAY_NAMES)
    shapes, split = _CONVENTIONS[path.stem]
    arrays = _read(path, shapes)
    for name, shape in shapes.items():
        if name not in arrays or arrays[name].shape != shape or arrays[name].dtype != np.uint8:
            found = f"{arrays[name].dtype} {arrays[name].shape}" if name in arrays else "missing"
            raise InputError(f"{path}: array {name} is {found}; expected uint8 {shape} of the published {path.stem}")
    return split(**arrays)
