"""Files that may be .npz: a data set, or InputError in one line."""

import io
import pathlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from train.data import open_data
from train.errors import InputError

NAMES = ["x_train", "y_train", "x_valid", "y_valid", "x_test", "y_test"]
DTYPES = st.one_of(
    st.sampled_from([np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.int64)]), arrays.scalar_dtypes()
)
ARRAY = DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, max_dims=5, min_side=0)))


def attempt(file: pathlib.Path, content: bytes) -> bool:
    """Whether this content is a data set; if not, that is said in one line."""
    file.write_bytes(content)
    try:
        found = open_data(f"npz:{file}", None)
    except InputError as error:
        said = str(error)
    else:
        said = ""
    assert "\n" not in said
    if said:
        assert str(file) in said
        return False
    assert found.spec.num_train == len(found.train["x"]) > 0
    return True


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("fuzz") / "data.npz"


def whole(compressed: bool) -> bytes:  # noqa: FBT001
    content, x = io.BytesIO(), np.random.default_rng(0).integers(0, 256, (20, 3, 3), np.uint8)
    save = np.savez_compressed if compressed else np.savez
    save(content, x_train=x, y_train=np.arange(20) % 2, x_test=x[:4], y_test=np.arange(4) % 2)
    return content.getvalue()


@settings(max_examples=300)
@given(
    compressed=st.booleans(),
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 10**6) | st.none(),
    more=st.binary(max_size=20),
)
def test_bytes_that_changed(file, compressed, edits, cut, more):
    content = bytearray(whole(compressed))
    for place, value in edits:
        content[place % len(content)] = value
    found = attempt(file, bytes(content[: None if cut is None else cut % len(content)] + more))
    assert found or edits or cut is not None or more


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(NAMES), ARRAY, min_size=1))
def test_arrays_of_any_kind_and_shape(file, named):
    content = io.BytesIO()
    np.savez(content, **named)
    attempt(file, content.getvalue())


@settings(max_examples=150)
@given(st.data())
def test_arrays_that_nearly_go_together(file, data):
    """Lengths and shapes that agree, so that values are looked at too."""
    dtype = data.draw(st.sampled_from([np.uint8, np.float32, np.float64]))
    shape = data.draw(st.sampled_from([(2,), (3, 3), (3, 3, 1), (3, 3, 3)]))
    labels = data.draw(st.booleans())
    elements = None if dtype == np.uint8 else st.floats(width=32)
    named = {}
    for part in data.draw(st.sampled_from([("train", "test"), ("train", "valid", "test")])):
        num = data.draw(st.integers(1, 20))
        named[f"x_{part}"] = data.draw(arrays.arrays(dtype, (num, *shape), elements=elements))
        if labels:
            named[f"y_{part}"] = data.draw(arrays.arrays(np.int64, num, elements=st.integers(-1, 2)))
    content = io.BytesIO()
    np.savez(content, **named)
    attempt(file, content.getvalue())
