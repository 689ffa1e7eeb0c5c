"""Original files of published data sets, verified by their checksums and read into arrays."""

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from train.data.dataset import Arrays
from train.errors import InputError, first_line


class Original(NamedTuple):
    """A published file, plain or compressed by gzip."""

    name: str
    sum: str  # checksum of the uncompressed content


ORIGINALS = {
    "mnist": {
        "x_train": Original("train-images-idx3-ubyte", "md5:6bbc9ace898e44ae57da46a324031adb"),
        "y_train": Original("train-labels-idx1-ubyte", "md5:a25bea736e30d166cdddb491f175f624"),
        "x_test": Original("t10k-images-idx3-ubyte", "md5:2646ac647ad5339dbf082846283269ea"),
        "y_test": Original("t10k-labels-idx1-ubyte", "md5:27ae3e4e09519cfbb04c329615203637"),
    },
    "fashion_mnist": {
        "x_train": Original("train-images-idx3-ubyte", "md5:f4a8712d7a061bf5bd6d2ca38dc4d50a"),
        "y_train": Original("train-labels-idx1-ubyte", "md5:9018921c3c673c538a1fc5bad174d6f9"),
        "x_test": Original("t10k-images-idx3-ubyte", "md5:8181f5470baa50b63fa0f6fddb340f0a"),
        "y_test": Original("t10k-labels-idx1-ubyte", "md5:15d484375f8d13e6eb1aabb0c3f46965"),
    },
    "binarized_mnist": {
        "x_train": Original(
            "binarized_mnist_train.amat", "sha256:ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d"
        ),
        "x_valid": Original(
            "binarized_mnist_valid.amat", "sha256:1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2"
        ),
        "x_test": Original(
            "binarized_mnist_test.amat", "sha256:e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c"
        ),
    },
}


def read_originals(name: str, source: Path) -> Arrays:
    """Read the arrays of a data set from a directory of its original files; pixels of amat files are 0 and 1.

    Raises:
        InputError: A file is missing, damaged or not the published one.
    """
    if not source.is_dir():
        raise InputError(f"--source {source}: is no directory; expected one that holds {_names(name)}")
    paths = {array: _find(name, source, original.name) for array, original in ORIGINALS[name].items()}
    return {array: _decode(path, _content(name, path, ORIGINALS[name][array])) for array, path in paths.items()}


def as_npz(name: str, arrays: Arrays) -> Arrays:
    """The arrays of a data set as the file NAME.npz has them: eight bits of binarized images to a byte."""
    if name != "binarized_mnist":
        return arrays
    return {array: np.packbits(x.reshape(len(x), -1), axis=1) for array, x in arrays.items()}


def _find(name: str, source: Path, file: str) -> Path:
    spellings = dict.fromkeys((file, file.replace("-idx", ".idx")))  # some archives write a dot
    candidates = [source / f"{spelling}{ending}" for spelling in spellings for ending in ("", ".gz")]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise InputError(f"--source {source}: has no {file}; expected {_names(name)}, each plain or .gz")
    return found


def _content(name: str, path: Path, original: Original) -> bytes:
    algorithm, _, published = original.sum.partition(":")
    expected = f"expected the published {original.name} of {name}, with {algorithm} {published}"
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read ({first_line(error)}); {expected} once uncompressed") from error
    found = hashlib.new(algorithm, content, usedforsecurity=False).hexdigest()
    if found != published:
        raise InputError(f"{path}: its content has {algorithm} {found}; {expected}")
    return content


def _decode(path: Path, content: bytes) -> np.ndarray:
    if ".amat" in path.suffixes:  # "0 1 ... 0", a line for each image
        return (np.frombuffer(content.translate(None, b" \r\n"), np.uint8) - ord("0")).reshape(-1, 28, 28)
    num_axes = content[3]  # idx: two zeros, the type (8: uint8), the number of axes, their lengths, the numbers
    shape = np.frombuffer(content, ">u4", num_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_axes).reshape(shape.tolist())


def _names(name: str) -> str:
    return ", ".join(original.name for original in ORIGINALS[name].values())
