"""Published files with arrays of their own, and how each is split by convention."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from train.data.dataset import Arrays


class Convention(NamedTuple):
    """A data set of a published file."""

    file: str  # its name without the ending
    shapes: Mapping[str, tuple[int, ...]]  # of the arrays that are read, all of them uint8
    split: Callable[..., Arrays]


def _binarized_mnist(x_train: np.ndarray, x_valid: np.ndarray, x_test: np.ndarray) -> Arrays:
    packed = {"x_train": x_train, "x_valid": x_valid, "x_test": x_test}
    return {name: np.unpackbits(bits, axis=1).reshape(-1, 28, 28) * np.uint8(255) for name, bits in packed.items()}


def _frey_faces(x: np.ndarray) -> Arrays:
    # Consecutive frames of a film: neighbours are nearly equal, and no permutation was ever published.
    x = x[np.random.default_rng(0).permutation(1965)]
    return {"x_train": x[:1565], "x_valid": x[1565:1765], "x_test": x[1765:]}


def _olivetti_faces(x: np.ndarray, person: np.ndarray) -> Arrays:
    # People are held out, not pictures; so the person is no label that the test data shares with the training data.
    return {"x_train": x[person < 36], "x_test": x[person >= 36]}


def _olivetti_faces_32(x: np.ndarray, person: np.ndarray) -> Arrays:
    means = x.reshape(400, 32, 2, 32, 2).mean(axis=(2, 4))
    return _olivetti_faces(np.round(means).astype(np.uint8), person)


def _cifar10_4k(x: np.ndarray, y: np.ndarray) -> Arrays:
    return {"x_train": x[:3500], "y_train": y[:3500], "x_test": x[3500:], "y_test": y[3500:]}


def _uci(dims: int, **packed: np.ndarray) -> Arrays:
    """Rows of `dims` bits, packed eight to a byte, as floats."""
    return {
        f"x_{name.rpartition('_')[2]}": np.unpackbits(bits, axis=1, count=dims).astype(np.float32)
        for name, bits in packed.items()
    }


def _uci_convention(name: str, dims: int, train: int, valid: int, test: int) -> Convention:
    sizes = {"train": train, "valid": valid, "test": test}
    shapes = {f"{name}_{part}": (size, -(-dims // 8)) for part, size in sizes.items()}
    return Convention("uci_binary", shapes, functools.partial(_uci, dims))


CONVENTIONS = {
    "binarized_mnist": Convention(
        "binarized_mnist", {"x_train": (50000, 98), "x_valid": (10000, 98), "x_test": (10000, 98)}, _binarized_mnist
    ),
    "cifar10_4k": Convention("cifar10_4k", {"x": (4000, 32, 32, 3), "y": (4000,)}, _cifar10_4k),
    "frey_faces": Convention("frey_faces", {"x": (1965, 28, 20)}, _frey_faces),
    "olivetti_faces": Convention("olivetti_faces", {"x": (400, 64, 64), "person": (400,)}, _olivetti_faces),
    "olivetti_faces_32": Convention("olivetti_faces", {"x": (400, 64, 64), "person": (400,)}, _olivetti_faces_32),
    # The splits of the density-estimation literature: Larochelle & Murray 2011, Germain et al. 2015.
    "uci_adult": _uci_convention("adult", 123, 5000, 1414, 26147),
    "uci_dna": _uci_convention("dna", 180, 1400, 600, 1186),
    "uci_mushrooms": _uci_convention("mushrooms", 112, 2000, 500, 5624),
    "uci_nips": _uci_convention("nips", 500, 400, 100, 1240),
    "uci_ocr_letters": _uci_convention("ocr_letters", 128, 32152, 10000, 10000),
}
