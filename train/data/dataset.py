"""Data sets in memory: which arrays are valid, and how they are split into train, validation and test."""

import functools
import hashlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from train.data.checks import (
    check_examples,
    check_known_labels,
    check_labels,
    check_like_train,
    is_in_unit_interval,
)
from train.errors import InputError
from train.experiment import DataSpec

PARTS = ("train", "valid", "test")
ARRAY_NAMES = tuple(f"{leaf}_{part}" for part in PARTS for leaf in ("x", "y"))

Arrays = dict[str, np.ndarray]


class _Dataset(NamedTuple):
    source: str
    train: Arrays
    valid: Arrays
    test: Arrays
    valid_is: str  # "x_valid", or the rows of the training data used for validation
    fingerprint: str  # sha256 of the content before the split, whatever the name and the format of the source


class Dataset(_Dataset):
    """Three parts of `{"x": ..., "y": ...}`: x uint8 or float32, y int32 where train and test both have labels."""

    @functools.cached_property
    def spec(self) -> DataSpec:
        """What a config may build a model from. Classes are counted over all parts: one may lie in validation alone."""
        parts = (self.train, self.valid, self.test)
        x = self.train["x"]
        mean = x.mean(axis=0, dtype=np.float64) / (255 if x.dtype == np.uint8 else 1)
        return DataSpec(
            shape=x.shape[1:],
            num_classes=int(max(part["y"].max() for part in parts if "y" in part)) + 1 if "y" in self.train else None,
            num_train=len(x),
            unit_interval=all(is_in_unit_interval(part["x"]) for part in parts),
            train_mean=mean.astype(np.float32),
            train_std=_std(x),
        )


def spread(num_rows: int, num: int) -> np.ndarray:
    """At most `num` evenly spaced rows of a set, which may be sorted by class: [min(num, num_rows)], ascending."""
    return np.linspace(0, num_rows - 1, min(num, num_rows)).astype(int)


def are_images(x: np.ndarray) -> bool:
    """True if x is [N, H, W, C] with C 1 or 3."""
    return x.ndim == 4 and x.shape[-1] in (1, 3)


def with_validation_rows(dataset: Dataset, first: int, last: int) -> Dataset:
    """Use rows first ... last - 1 of the training data for validation, and train on all others.

    A data set with a validation part of its own, or with fewer rows, is returned unchanged: the rows are a convention
    of one data set, and its config may be run on another.
    """
    num = len(dataset.train["x"]) + len(dataset.valid["x"])
    if dataset.valid_is == "x_valid" or last > num:
        return dataset
    num_train = len(dataset.train["x"])

    def rows(leaf: str, start: int, end: int) -> list[np.ndarray]:
        ends = max(start - num_train, 0), max(end - num_train, 0)
        return [dataset.train[leaf][start:end], dataset.valid[leaf][slice(*ends)]]

    return dataset._replace(
        train={leaf: np.concatenate([*rows(leaf, 0, first), *rows(leaf, last, num)]) for leaf in dataset.train},
        valid={leaf: np.concatenate(rows(leaf, first, last)) for leaf in dataset.train},
        valid_is=f"rows {first} to {last - 1} of the training data",
    )


def from_arrays(source: str, arrays: Mapping[str, np.ndarray]) -> Dataset:
    """Check the arrays of a data set and split it.

    Args:
        source: The file or name of the arrays, with which messages begin.
        arrays: `x_train` and `x_test`, optionally `x_valid`, `y_train`, `y_valid` and `y_test`. Images are uint8 or
            floats in [0, 1], `[N, H, W]` or `[N, H, W, C]`; vectors are finite floats `[N, D]`. Labels are integers
            0 ... K - 1, `[N]`, used if both train and test have them. Other arrays are ignored.

    Returns:
        The data set; its validation part is `x_valid`, else the last tenth of the training data, never the test data.

    Raises:
        InputError: An array is missing or invalid; names the source, the array and what was expected.
    """
    for name in ("x_train", "x_test"):
        if name not in arrays:
            raise InputError(f"{source}: has no array {name}; expected x_train and x_test")
    parts = [part for part in PARTS if f"x_{part}" in arrays]
    content = {f"x_{part}": check_examples(source, f"x_{part}", arrays[f"x_{part}"]) for part in parts}
    for name, examples in content.items():
        check_like_train(source, name, examples, content["x_train"])
    if "y_train" in arrays and "y_test" in arrays:
        for part in parts:
            if f"y_{part}" in arrays:
                num_examples = len(content[f"x_{part}"])
                content[f"y_{part}"] = check_labels(source, f"y_{part}", arrays[f"y_{part}"], num_examples)

    train, test = _part(content, "train"), _part(content, "test")
    if len(test["x"]) < 2:
        raise InputError(f"{source}: x_test has 1 example; expected at least 2, for a mean with an interval")
    labelled = "y" in train
    if labelled:
        check_known_labels(source, "y_test", test["y"], train["y"])
    if "x_valid" in content:
        valid, valid_is = _part(content, "valid"), "x_valid"
        if labelled and "y" not in valid:
            raise InputError(f"{source}: has no array y_valid; expected labels of all parts or of none")
        if labelled:
            check_known_labels(source, "y_valid", valid["y"], train["y"])
    else:
        num_valid = len(train["x"]) // 10
        if num_valid == 0:
            raise InputError(
                f"{source}: x_train has {len(train['x'])} examples; "
                "expected at least 10, since the last tenth is for validation, or an array x_valid"
            )
        valid = {name: array[-num_valid:] for name, array in train.items()}
        train = {name: array[:-num_valid] for name, array in train.items()}
        valid_is = "the last tenth of the training data"
    return Dataset(source, train, valid, test, valid_is, fingerprint(content))


def _std(x: np.ndarray) -> np.ndarray:
    """The standard deviation of each value, uint8 divided by 255, over blocks of rows, without a second copy of x."""
    scale = 255.0 if x.dtype == np.uint8 else 1.0
    mean = x.mean(axis=0, dtype=np.float64)
    blocks = (x[first : first + 1000] for first in range(0, len(x), 1000))
    squares = sum(np.square(block - mean).sum(axis=0) for block in blocks)
    return (np.sqrt(squares / len(x)) / scale).astype(np.float32)


def _part(content: Arrays, part: str) -> Arrays:
    return {leaf: content[f"{leaf}_{part}"] for leaf in ("x", "y") if f"{leaf}_{part}" in content}


def fingerprint(content: Arrays) -> str:
    """The sha256 of named arrays: their names, dtypes, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(content):
        array = content[name]
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.ravel().data)
    return digest.hexdigest()
