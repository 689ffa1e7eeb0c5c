"""Checks of the arrays of a data set. InputError names the source, the array and what was expected."""

import numpy as np

from train.errors import InputError

# Labels up to a higher number are ids, unless a tenth of the numbers are used.
_MOST_CLASSES = 1000
_LEAST_USED = 0.1


def check_examples(source: str, name: str, given: np.ndarray) -> np.ndarray:
    """Check an array of examples: uint8 `[N, H, W, C]`, or float32 `[N, H, W, C]` or `[N, D]`."""
    array = np.asarray(given)
    is_float = np.issubdtype(array.dtype, np.floating)
    if not is_float and array.dtype != np.uint8:
        raise InputError(f"{source}: {name} is of type {array.dtype}; expected uint8, or floats of any width")
    if array.ndim not in ((2, 3, 4) if is_float else (3, 4)):
        raise InputError(
            f"{source}: {name} is {array.dtype} of shape {array.shape}; "
            "expected images [N, H, W] or [N, H, W, C], or vectors of floats [N, D]"
        )
    if array.size == 0:
        raise InputError(f"{source}: {name} is empty, of shape {array.shape}; expected at least one example")
    if array.dtype == np.uint8 and array.max() == 1:
        raise InputError(
            f"{source}: {name} holds 0 and 1 as uint8, nearly black; expected 0 ... 255, or floats in [0, 1]"
        )
    if is_float:
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinity, which is rejected next
            array = array.astype(np.float32, copy=False)
        if not np.isfinite([array.min(), array.max()]).all():  # both are NaN where one value is
            raise InputError(f"{source}: {name} holds NaN or infinity; expected finite float32 numbers")
        if array.ndim > 2 and not is_in_unit_interval(array):
            raise InputError(
                f"{source}: {name} has values from {array.min():g} to {array.max():g}; "
                "expected images as floats in [0, 1], or as uint8 in 0 ... 255"
            )
    return np.ascontiguousarray(array[..., np.newaxis] if array.ndim == 3 else array)


def check_labels(source: str, name: str, given: np.ndarray, num_examples: int) -> np.ndarray:
    """Check the labels of `num_examples` examples: int32 `[N]`."""
    array = np.asarray(given)
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{source}: {name} is of type {array.dtype}; expected integers")
    if array.shape != (num_examples,):
        raise InputError(
            f"{source}: {name} has shape {array.shape}; expected ({num_examples},), a label for each example"
        )
    if array.min() < 0 or array.max() >= np.iinfo(np.int32).max:
        raise InputError(f"{source}: {name} has labels from {array.min()} to {array.max()}; expected 0, 1, ..., K - 1")
    classes, num_classes = len(np.unique(array)), int(array.max()) + 1
    if num_classes > max(_MOST_CLASSES, classes / _LEAST_USED):
        raise InputError(
            f"{source}: {name} has {classes} different labels up to {array.max()}; "
            "expected classes 0, 1, ..., K - 1, not ids"
        )
    return array.astype(np.int32)


def check_like_train(source: str, name: str, examples: np.ndarray, train: np.ndarray) -> None:
    """InputError unless examples have the shape and the type of the training data."""
    for what, found, expected in (
        ("examples of shape", examples.shape[1:], train.shape[1:]),
        ("values of type", examples.dtype, train.dtype),
    ):
        if found != expected:
            raise InputError(f"{source}: {name} has {what} {found}; expected {expected}, as in x_train")


def check_known_labels(source: str, name: str, labels: np.ndarray, known: np.ndarray) -> None:
    """InputError for labels that no training example has."""
    unknown = np.setdiff1d(labels, known)
    if len(unknown):
        raise InputError(f"{source}: {name} has label {unknown[0]}; expected only labels that training examples have")


def check_split(source: str, valid_is: str, train: np.ndarray, valid: np.ndarray) -> None:
    """InputError where validation takes a class out of training."""
    lost = np.setdiff1d(valid, train)
    if len(lost):
        raise InputError(
            f"{source}: validation is {valid_is}, which holds all examples of class {lost[0]}; expected shuffled rows, "
            "an array x_valid, or --valid-rows FIRST END"
        )


def absent_classes(train: np.ndarray, valid: np.ndarray) -> list[int]:
    """Classes of training that validation lacks and would by chance lack with a probability below 1 %."""
    expected = np.bincount(train) / len(train) * len(valid)
    return [int(label) for label in np.flatnonzero(expected >= 5) if label not in valid]  # exp(-5) is 0.7 %


def check_layout(source: str, shape: tuple[int, ...]) -> None:
    """InputError for images [C, H, W] that would be taken for images of W colours."""
    if len(shape) == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        raise InputError(
            f"{source}: images of shape {shape} look like [C, H, W]; expected [H, W, C], or --layout hwc if they are"
        )


def is_in_unit_interval(x: np.ndarray) -> bool:
    """True if every value lies in [0, 1] once uint8 is divided by 255."""
    return x.dtype == np.uint8 or bool(x.min() >= 0 and x.max() <= 1)
