"""What a data set may be made of, how it is split, and what is said of one that is refused."""

import numpy as np
import pytest

from train.data import from_arrays, with_validation_rows
from train.errors import InputError

PIXELS = np.arange(20 * 4 * 5, dtype=np.uint8).reshape(20, 4, 5)
LABELS = np.arange(20) % 3
GOOD = {"x_train": PIXELS, "x_test": PIXELS[:6], "y_train": LABELS, "y_test": LABELS[:6]}
UNLABELLED = {"x_train": PIXELS, "x_test": PIXELS[:6]}


def test_the_last_tenth_of_the_training_data_validates():
    data = from_arrays("made", GOOD)
    assert data.source == "made"
    assert data.valid_is == "the last tenth of the training data"
    for part, x, y in (
        (data.train, PIXELS[:18], LABELS[:18]),
        (data.valid, PIXELS[18:], LABELS[18:]),
        (data.test, PIXELS[:6], LABELS[:6]),
    ):
        assert part.keys() == {"x", "y"}
        np.testing.assert_array_equal(part["x"], x[..., np.newaxis])
        np.testing.assert_array_equal(part["y"], y)
        assert part["x"].dtype == np.uint8
        assert part["y"].dtype == np.int32
    assert data.spec[:4] == ((4, 5, 1), 3, 18, True)


def test_a_given_validation_set_is_taken():
    data = from_arrays("made", GOOD | {"x_valid": PIXELS[:7], "y_valid": LABELS[:7]})
    assert data.valid_is == "x_valid"
    assert len(data.train["x"]) == 20
    np.testing.assert_array_equal(data.valid["y"], LABELS[:7])
    few = {name: array[:3] for name, array in UNLABELLED.items()}
    assert from_arrays("made", few | {"x_valid": PIXELS}).spec.num_train == 3


@pytest.mark.parametrize("missing", ["y_train", "y_test"])
def test_labels_are_used_only_where_train_and_test_have_them(missing):
    data = from_arrays("made", {name: array for name, array in GOOD.items() if name != missing})
    assert data.train.keys() == data.valid.keys() == data.test.keys() == {"x"}
    assert data.spec.num_classes is None
    assert data.fingerprint == from_arrays("made", UNLABELLED).fingerprint


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble, ">f8"])
def test_floats_of_any_width_become_float32(dtype):
    images = np.linspace(0, 1, 20 * 12).reshape(20, 2, 2, 3).astype(dtype)
    data = from_arrays("made", {"x_train": images, "x_test": images[:6]})
    assert data.train["x"].dtype == np.float32
    assert data.spec[:4] == ((2, 2, 3), None, 18, True)
    np.testing.assert_array_equal(data.test["x"], images[:6].astype(np.float32))


def test_vectors_may_leave_the_unit_interval():
    vectors = np.linspace(0, 1, 40).reshape(20, 2)
    inside = from_arrays("made", {"x_train": vectors, "x_test": vectors})
    outside = from_arrays("made", {"x_train": vectors, "x_test": vectors - 3})
    assert inside.spec[:4] == ((2,), None, 18, True)
    assert outside.spec[:4] == ((2,), None, 18, False)


def test_the_fingerprint_is_that_of_the_content():
    fingerprint = from_arrays("made", GOOD).fingerprint
    assert fingerprint == "0fe58f2bc4e053f90634eb32647b72f909a9d23b571287e701f0d98e2339aff7"
    same = GOOD | {
        "x_train": np.asfortranarray(PIXELS[..., np.newaxis]),
        "y_train": LABELS.astype(np.uint8),
        "z": PIXELS,
    }
    assert from_arrays("another name", dict(reversed(same.items()))).fingerprint == fingerprint
    changed = PIXELS.copy()
    changed[19, 3, 4] += 1
    for other in ({"x_train": changed}, {"x_test": PIXELS[:7], "y_test": LABELS[:7]}, {"y_train": 2 - LABELS}):
        assert from_arrays("made", GOOD | other).fingerprint != fingerprint
    assert from_arrays("made", GOOD | {"x_valid": PIXELS[18:], "y_valid": LABELS[18:]}).fingerprint != fingerprint


def images(value, dtype=np.float32):
    return np.full((20, 4, 5), value, dtype)


REFUSED = {
    "no test data": ({"x_train": PIXELS}, "has no array x_test; expected x_train and x_test"),
    "no training data": ({"x_test": PIXELS}, "has no array x_train"),
    "objects": (GOOD | {"x_train": images(None, object)}, "x_train is of type object; expected uint8, or floats"),
    "complex numbers": (GOOD | {"x_test": images(1j, complex)}, "x_test is of type complex128; expected uint8"),
    "integers": (GOOD | {"x_train": images(1, np.int64)}, "x_train is of type int64; expected uint8"),
    "truth values": (GOOD | {"x_train": images(1, bool)}, "x_train is of type bool; expected uint8"),
    "a number": (GOOD | {"x_train": np.float32(1)}, "x_train is float32 of shape (); expected images [N, H, W]"),
    "float [N]": (GOOD | {"x_train": np.ones(20)}, "x_train is float64 of shape (20,); expected images"),
    "float [N, T, H, W, C]": (GOOD | {"x_train": np.ones((20, 1, 1, 1, 1))}, "shape (20, 1, 1, 1, 1); expected images"),
    "uint8 [N, D]": (GOOD | {"x_train": PIXELS[:, 0]}, "x_train is uint8 of shape (20, 5); expected images [N, H, W]"),
    "no examples": (GOOD | {"x_test": PIXELS[:0]}, "x_test is empty, of shape (0, 4, 5); expected at least one"),
    "no pixels": (GOOD | {"x_train": PIXELS[:, :0]}, "x_train is empty, of shape (20, 0, 5); expected at least one"),
    "images above 1": (
        GOOD | {"x_train": images(255.0)},
        "x_train has values from 255 to 255; expected images as floats",
    ),
    "images below 0": (GOOD | {"x_train": images(-0.5)}, "from -0.5 to -0.5; expected images as floats in [0, 1]"),
    "NaN": (GOOD | {"x_train": images(np.nan)}, "x_train holds NaN or infinity; expected finite"),
    "infinity": (UNLABELLED | {"x_test": np.full((3, 2), np.inf)}, "x_test holds NaN or infinity; expected finite"),
    "beyond float32": (GOOD | {"x_train": np.full((20, 2), 1e300)}, "x_train holds NaN or infinity; expected finite"),
    "another shape": (GOOD | {"x_test": PIXELS[:6, :3]}, "x_test has examples of shape (3, 5, 1); expected (4, 5, 1)"),
    "another type": (
        GOOD | {"x_valid": images(0.5)},
        "x_valid has values of type float32; expected uint8, as in x_train",
    ),
    "float labels": (GOOD | {"y_train": LABELS * 1.0}, "y_train is of type float64; expected integers"),
    "one-hot labels": (GOOD | {"y_train": np.eye(3, dtype=int)[LABELS]}, "y_train has shape (20, 3); expected (20,)"),
    "fewer labels": (GOOD | {"y_test": LABELS[:5]}, "y_test has shape (5,); expected (6,), a label for each example"),
    "negative labels": (GOOD | {"y_train": LABELS - 1}, "y_train has labels from -1 to 1; expected 0, 1, ..., K - 1"),
    "giant labels": (GOOD | {"y_train": LABELS + 2**31}, "to 2147483650; expected 0, 1, ..., K - 1"),
    "test labels": (GOOD | {"y_test": LABELS[:6] + 1}, "y_test has label 3; expected only labels that training"),
    "validation labels": (
        GOOD | {"x_valid": PIXELS, "y_valid": LABELS + 2},
        "y_valid has label 3; expected only labels that training examples have",
    ),
    "a gap in the labels": (GOOD | {"y_train": 2 * LABELS, "y_test": LABELS[:6]}, "y_test has label 1; expected only"),
    "ids": (GOOD | {"y_train": 4_000_000 * LABELS}, "y_train has 3 different labels up to 8000000; expected classes"),
    "no validation labels": (GOOD | {"x_valid": PIXELS}, "has no array y_valid; expected labels of all parts"),
    "nine examples": (
        {"x_train": PIXELS[:9], "x_test": PIXELS},
        "x_train has 9 examples; expected at least 10, since the last tenth is for validation, or an array x_valid",
    ),
}


@pytest.mark.parametrize(("arrays", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_arrays_are_named_in_one_line(arrays, message):
    with pytest.raises(InputError) as caught:
        from_arrays("npz:some/file.npz", arrays)
    text = str(caught.value)
    assert text.startswith("npz:some/file.npz: ")
    assert message in text
    assert "\n" not in text


def test_a_class_that_lies_in_the_validation_part_alone_is_known():
    dataset = from_arrays("x.npz", GOOD | {"y_train": np.arange(20) // 6, "y_test": np.full(len(GOOD["x_test"]), 3)})

    assert dataset.train["y"].max() == 2
    assert dataset.spec.num_classes == 4


def test_validation_rows_leave_all_others_to_train_on():
    x = np.arange(20, dtype=np.float32)[:, None] / 20
    dataset = from_arrays("x.npz", {"x_train": x, "x_test": x})
    split = with_validation_rows(dataset, 5, 9)

    np.testing.assert_array_equal(split.valid["x"], x[5:9])
    np.testing.assert_array_equal(split.train["x"], np.concatenate([x[:5], x[9:]]))
    assert split.valid_is == "rows 5 to 8 of the training data"
    own = from_arrays("x.npz", {"x_train": x, "x_valid": x[:3], "x_test": x})
    assert with_validation_rows(own, 5, 9) is own
    assert with_validation_rows(dataset, 0, 21) is dataset


def test_the_mean_of_the_training_data_is_in_the_units_that_scale_gives():
    x = np.random.default_rng(0).integers(0, 256, (40, 3, 3), dtype=np.uint8)
    dataset = from_arrays("x.npz", {"x_train": x, "x_test": x})

    np.testing.assert_allclose(dataset.spec.train_mean[..., 0], np.mean(x[:36] / 255, axis=0), rtol=1e-6)
