"""Original files are read where they are the published ones, and refused in one line where they are not."""

import gzip
import hashlib
import os
import pathlib

import numpy as np
import pytest
from original_files import NAMES, encode, small_arrays

from train.data.published.originals import ORIGINALS, read_originals
from train.errors import InputError


@pytest.mark.parametrize("spelling", ["gz", "dotted", "dotted.gz"])
def test_files_may_be_compressed_and_spelt_with_a_dot(spelling, sources):
    expected = read_originals("mnist", sources / "mnist")
    for path in sorted((sources / "mnist").iterdir()):
        name = path.name.replace("-idx", ".idx") if "dotted" in spelling else path.name
        if spelling.endswith("gz"):
            path.write_bytes(gzip.compress(path.read_bytes()))
            name += ".gz"
        path.rename(path.with_name(name))

    found = read_originals("mnist", sources / "mnist")

    assert found.keys() == expected.keys() == small_arrays("mnist").keys()
    for array, values in small_arrays("mnist").items():
        np.testing.assert_array_equal(found[array], values)
        np.testing.assert_array_equal(expected[array], values)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def compress(path, change):
    path.with_name(f"{path.name}.gz").write_bytes(change(gzip.compress(path.read_bytes())))
    path.unlink()


# name -> (what is done to t10k-images-idx3-ubyte, what the line must say)
DAMAGES = {
    "missing": (pathlib.Path.unlink, ["has no t10k-images-idx3-ubyte", "train-labels-idx1-ubyte", "plain or .gz"]),
    "another bit": (flip, ["t10k-images-idx3-ubyte: its content has md5 ", "of mnist, with md5 "]),
    "empty": (lambda path: path.write_bytes(b""), ["has md5 d41d8cd98f00b204e9800998ecf8427e; expected"]),
    "directory": (lambda path: (path.unlink(), path.mkdir()), ["has no t10k-images-idx3-ubyte"]),
    "cut gz": (lambda path: compress(path, lambda content: content[:-99]), [".gz: cannot be read (", "with md5 "]),
    "no gz": (lambda path: compress(path, lambda content: b"no"), [".gz: cannot be read (BadGzipFile", "with md5 "]),
    "damaged gz": (lambda path: compress(path, lambda content: content[:50] + b"\0" * 99), [".gz: cannot be read ("]),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "expected"), DAMAGES.values(), ids=DAMAGES)
def test_files_that_are_not_the_published_are_refused(damage, expected, sources):
    damage(sources / "mnist" / "t10k-images-idx3-ubyte")

    with pytest.raises(InputError) as caught:
        read_originals("mnist", sources / "mnist")

    assert "\n" not in str(caught.value)
    for part in expected:
        assert part in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_the_sums_are_those_of_the_published_data(name):
    directory = os.environ.get("JAXGEN_DATA")
    if not directory or not os.path.isfile(os.path.join(directory, f"{name}.npz")):
        pytest.skip(f"JAXGEN_DATA names no directory with {name}.npz")
    with np.load(os.path.join(directory, f"{name}.npz")) as file:
        for array, original in ORIGINALS[name].items():
            values = file[array]
            content = encode(name, np.unpackbits(values, axis=1) if name == "binarized_mnist" else values)
            algorithm, _, published = original.sum.partition(":")
            assert hashlib.new(algorithm, content).hexdigest() == published
