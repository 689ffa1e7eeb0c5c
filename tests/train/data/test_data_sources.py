"""Every source of data by name, and what is said where there is none."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from train.data import default_data_directory, find_data_directory, from_arrays, npz, open_data, synthetic
from train.errors import InputError

PIXELS = np.arange(20 * 4 * 5, dtype=np.uint8).reshape(20, 4, 5)
LABELS = np.arange(20) % 3
GOOD = {"x_train": PIXELS, "x_test": PIXELS[:6], "y_train": LABELS, "y_test": LABELS[:6]}
CONTENT = from_arrays("made", GOOD).fingerprint
BITS = np.unpackbits(np.arange(98, dtype=np.uint8))  # one image of 28 x 28


@pytest.fixture(autouse=True)
def no_data_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("JAXGEN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize(("source", "variable"), [("mnist", "JAXGEN_DATA"), ("tfds:mnist", "TFDS_DATA_DIR")])
def test_each_kind_of_source_has_a_variable_of_its_own(monkeypatch, source, variable):
    for name in ("JAXGEN_DATA", "TFDS_DATA_DIR"):
        monkeypatch.setenv(name, f"{name} lies here")
    assert find_data_directory(source, None) == f"{variable} lies here"
    assert find_data_directory(source, "given") == "given"
    monkeypatch.delenv(variable)
    assert find_data_directory(source, None) is None


def refusal(source, data_dir=None):
    with pytest.raises(InputError) as caught:
        open_data(source, data_dir)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_digits_are_embedded():
    data = open_data("digits", None)
    assert data.spec[:4] == ((8, 8, 1), 10, 1294, True)
    assert [len(part["x"]) for part in (data.train, data.valid, data.test)] == [1294, 143, 360]
    assert data.valid_is == "the last tenth of the training data"
    assert data.fingerprint == "a6161072c421039ecce37d991f9d970ae8df541f5185bbb033da2dff129d4d5a"

    from sklearn.datasets import load_digits

    every = np.concatenate([part["x"] for part in (data.train, data.valid, data.test)])
    labels = np.concatenate([part["y"] for part in (data.train, data.valid, data.test)])
    order = np.random.default_rng(0).permutation(1797)
    # round half to even: 8 / 16 of 255 is 127.5
    table = np.array([0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255], np.uint8)
    np.testing.assert_array_equal(every[..., 0], table[load_digits().images[order].astype(int)])
    np.testing.assert_array_equal(labels, load_digits().target[order])


def test_stacked_mnist_is_made_of_three_digits(tmp_path, monkeypatch):
    # Each digit's image is of its label alone, so that the colours of an image tell its number.
    y = np.arange(30) % 10
    x = np.broadcast_to(y[:, None, None] * 20, (30, 28, 28)).astype(np.uint8)
    np.savez(tmp_path / "mnist.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])
    whole = synthetic.stack_digits
    monkeypatch.setattr(synthetic, "stack_digits", lambda arrays: whole(arrays, sizes={"train": 20_000, "test": 50}))
    data = open_data("stacked_mnist", str(tmp_path))

    assert data.train["x"].shape[1:] == (28, 28, 3)
    assert data.spec.num_classes <= 1000
    for part in (data.train, data.valid, data.test):
        read = [digits[:, 0, 0, 0].astype(int) // 20 for digits in synthetic.split_stacked(part["x"])]
        np.testing.assert_array_equal(100 * read[0] + 10 * read[1] + read[2], part["y"])
    assert len(np.unique(data.train["y"])) == 1000  # 1,000 exp(-18) are expected to be absent
    assert "expected --data-dir or JAXGEN_DATA" in refusal("stacked_mnist")


def test_noise_of_the_dequantized_digits_is_drawn_once():
    random = np.random.default_rng(0)
    x = {"train": random.integers(0, 256, (60000, 2, 1)), "test": random.integers(0, 256, (10000, 2, 1))}
    arrays = {f"x_{part}": values.astype(np.uint8) for part, values in x.items()}
    arrays |= {f"y_{part}": np.arange(len(values)) for part, values in x.items()}
    found = synthetic.dequantize_once(arrays)

    legacy = np.random.RandomState(42)
    for part, values in (("train", x["train"][:50000]), ("valid", x["train"][50000:]), ("test", x["test"])):
        expected = (values[..., 0] + legacy.rand(len(values), 2)) / 256
        np.testing.assert_array_equal(found[f"x_{part}"], expected[..., None].astype(np.float32))
    np.testing.assert_array_equal(found["y_valid"], np.arange(50000, 60000))


def test_a_digit_is_held_out_of_mnist(tmp_path):
    y = np.arange(230) % 10
    x = np.broadcast_to(y[:, None, None] * 20, (230, 28, 28)).astype(np.uint8).copy()
    x[:, 0, 0] = np.arange(230)
    np.savez(tmp_path / "mnist.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    whole, held = open_data("mnist_0_to_8", str(tmp_path)), open_data("mnist_9", str(tmp_path))

    assert whole.spec[:3] == ((28, 28, 1), 9, 162)  # of 180, the last tenth validates
    assert (held.spec.num_classes, len(held.train["x"]) + len(held.valid["x"]), len(held.test["x"])) == (None, 20, 3)
    for part in (whole.train, whole.valid, whole.test):
        np.testing.assert_array_equal(part["x"][:, 1, 1, 0], part["y"] * 20)
    for part in (held.train, held.valid, held.test):
        assert set(part) == {"x"}
        assert (part["x"][:, 1, 1, 0] == 180).all()
    # Either keeps the order of the file, and nothing of the test part came into the other.
    np.testing.assert_array_equal(held.test["x"][:, 0, 0, 0], [209, 219, 229])
    np.testing.assert_array_equal(whole.test["x"][:, 0, 0, 0], [row for row in range(200, 230) if row % 10 != 9])
    assert "expected --data-dir or JAXGEN_DATA" in refusal("mnist_9")


def test_an_npz_file_anywhere(tmp_path, monkeypatch):
    further = {"notes": np.array([{"any": "object"}], object)}
    np.savez_compressed(tmp_path / "made.npz", **GOOD, **further)
    monkeypatch.setenv("HOME", str(tmp_path))
    for source in (f"npz:{tmp_path}/made.npz", "npz:~/made.npz"):
        data = open_data(source, None)
        assert data.source == source
        assert data.fingerprint == CONTENT


def test_a_name_in_the_data_directory(tmp_path, monkeypatch):
    np.savez(tmp_path / "made.npz", **GOOD)
    by_option = open_data("made", str(tmp_path))
    assert (by_option.source, by_option.fingerprint) == ("made", CONTENT)
    monkeypatch.setenv("JAXGEN_DATA", str(tmp_path))
    assert open_data("made", None).fingerprint == CONTENT
    assert "--data-dir" in refusal("made", str(tmp_path / "elsewhere"))


def test_a_refused_file_of_the_data_directory_is_named_by_its_path(tmp_path):
    np.savez(tmp_path / "made.npz", x_train=PIXELS)
    assert refusal("made", str(tmp_path)) == f"{tmp_path}/made.npz: has no array x_test; expected x_train and x_test"


def damaged_files():
    stream = io.BytesIO()
    np.savez_compressed(stream, x_train=np.random.default_rng(0).random((50, 50)), x_test=PIXELS)
    whole = stream.getvalue()
    stream = io.BytesIO()
    np.savez(stream, x_train=np.array([{}], object), x_test=PIXELS)
    objects = stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x_train.npy", b"no array")
        archive.writestr("x_test", b"no array")
    stream_of_text = stream.getvalue()
    single = io.BytesIO()
    np.save(single, PIXELS)
    return {
        "empty": (b"", "is no .npz file, or a truncated one; expected an .npz file of plain arrays"),
        "text": (b"0 1 0 1\n", "is no .npz file"),
        "pickle": (pickle.dumps({"x_train": PIXELS}), "is no .npz file"),
        "npy": (single.getvalue(), "is no .npz file"),
        "truncated": (whole[: len(whole) // 2], "is no .npz file, or a truncated one"),
        "garbled": (whole[:200] + bytes(300) + whole[500:], "cannot be read ("),
        "objects": (objects, "cannot be read (ValueError: Object arrays cannot be loaded when allow_pickle=False)"),
        "no arrays": (stream_of_text, "cannot be read (ValueError: the magic string is not correct"),
    }


@pytest.mark.parametrize(("content", "message"), damaged_files().values(), ids=damaged_files())
def test_a_damaged_file_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "damaged.npz"
    path.write_bytes(content)
    text = refusal(f"npz:{path}")
    assert f"{path}: " in text
    assert message in text
    assert "expected" in text


def test_what_is_no_file_is_refused(tmp_path):
    assert f"{tmp_path}: Is a directory; expected an .npz file" in refusal(f"npz:{tmp_path}")
    assert f"{tmp_path}/a.npz: No such file or directory; expected an .npz file" in refusal(f"npz:{tmp_path}/a.npz")
    assert "expected an .npz file" in refusal("npz:")


def test_an_unknown_source_says_what_would_provide_it(tmp_path, monkeypatch):
    np.savez(tmp_path / "made.npz", **GOOD)
    provides = ("expected --data-dir or JAXGEN_DATA naming a directory that holds mnist.npz, or tfds:mnist, or "
                "npz:PATH; `python -m train data fetch mnist` downloads it")  # fmt: skip
    looked = f"no mnist.npz in {default_data_directory()}, and neither --data-dir nor JAXGEN_DATA is given"
    assert refusal("mnist") == f"data 'mnist': {looked}; {provides}"
    assert refusal("mnist", str(tmp_path)) == f"data 'mnist': no mnist.npz in {tmp_path} (--data-dir); {provides}"
    absent = tmp_path / "absent"
    assert refusal("mnist", str(absent)) == f"data 'mnist': {absent} (--data-dir) is not a directory; {provides}"
    monkeypatch.setenv("JAXGEN_DATA", str(absent))
    assert refusal("mnist") == f"data 'mnist': {absent} (JAXGEN_DATA) is not a directory; {provides}"


def test_slips_are_answered_with_a_suggestion(tmp_path):
    np.savez(tmp_path / "made.npz", **GOOD)
    assert "did you mean digits?" in refusal("digts")
    assert "did you mean made?" in refusal("maed", str(tmp_path))
    assert "expected npz:some/made.npz" in refusal("some/made.npz", str(tmp_path))
    made = "stacked_mnist, skewed_mnist, mnist_0_to_8, mnist_9, mnist_dequantized"
    expected = f"expected npz:PATH, tfds:NAME, digits, blobs, ring, grid, {made} or a bare NAME"
    assert f"no such scheme 'foo'; {expected}" in refusal("foo:bar")


def test_binarized_mnist_is_unpacked_to_black_and_white(tmp_path):
    packed = {name: np.zeros((count, 98), np.uint8) for name, count in (("x_train", 50000), ("x_valid", 10000))}
    packed["x_valid"][3] = np.arange(98)
    packed["x_test"] = np.full((10000, 98), 255, np.uint8)
    np.savez(tmp_path / "binarized_mnist.npz", **packed, y_test=np.zeros(10000, np.uint8))
    data = open_data("binarized_mnist", str(tmp_path))
    assert data.valid_is == "x_valid"
    assert data.spec[:4] == ((28, 28, 1), None, 50000, True)
    np.testing.assert_array_equal(data.valid["x"][3].ravel(), 255 * BITS)
    assert data.valid["x"].sum() == 255 * int(BITS.sum())
    assert (data.test["x"] == 255).all()


def test_frey_faces_are_shuffled_into_three_parts(tmp_path):
    frames = np.zeros((1965, 28, 20), np.uint8)
    frames[:, 0, 0], frames[:, 0, 1] = np.divmod(np.arange(1965), 256)
    np.savez(tmp_path / "frey_faces.npz", x=frames)
    data = open_data("frey_faces", str(tmp_path))
    assert data.valid_is == "x_valid"
    order = np.random.default_rng(0).permutation(1965)
    for part, rows in ((data.train, order[:1565]), (data.valid, order[1565:1765]), (data.test, order[1765:])):
        np.testing.assert_array_equal(part["x"][..., 0], frames[rows])


def test_olivetti_faces_hold_out_people(tmp_path):
    person = np.repeat(np.arange(40, dtype=np.uint8), 10)
    np.savez(tmp_path / "olivetti_faces.npz", x=np.ones((400, 64, 64), np.uint8) * person[:, None, None], person=person)
    data = open_data("olivetti_faces", str(tmp_path))
    assert data.spec[:4] == ((64, 64, 1), None, 324, True)
    assert set(np.unique(data.test["x"])) == {36, 37, 38, 39}
    assert data.train["x"].max() < 36

    faces = np.random.default_rng(0).integers(0, 256, (400, 64, 64), np.uint8)
    np.savez(tmp_path / "olivetti_faces.npz", x=faces, person=person)
    small = open_data("olivetti_faces_32", str(tmp_path)).test["x"][..., 0]
    assert small.shape == (40, 32, 32)
    assert small[3, 0, 5] == np.round(np.mean(faces[363, :2, 10:12]))


def test_cifar10_4k_keeps_its_order(tmp_path):
    labels = (np.arange(4000) % 10).astype(np.uint8)
    np.savez(
        tmp_path / "cifar10_4k.npz", x=np.ones((4000, 32, 32, 3), np.uint8) * labels[:, None, None, None], y=labels
    )
    data = open_data("cifar10_4k", str(tmp_path))
    assert data.spec[:4] == ((32, 32, 3), 10, 3150, True)
    for part, rows in ((data.train, labels[:3150]), (data.valid, labels[3150:3500]), (data.test, labels[3500:])):
        np.testing.assert_array_equal(part["y"], rows)
        np.testing.assert_array_equal(part["x"][:, 31, 31, 2], rows)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (GOOD, "array x is missing; expected uint8 (1965, 28, 20) of the published frey_faces"),
        ({"x": PIXELS}, "array x is uint8 (20, 4, 5); expected uint8 (1965, 28, 20)"),
        ({"x": np.zeros((1965, 28, 20))}, "array x is float64 (1965, 28, 20); expected uint8"),
    ],
)
def test_a_published_name_with_other_content_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "frey_faces.npz", **arrays)
    assert f"{tmp_path}/frey_faces.npz: {message}" in refusal("frey_faces", str(tmp_path))


@pytest.mark.parametrize(("name", "modes", "std"), [("ring", 8, 0.01), ("grid", 25, 0.05)])
def test_mixtures_lie_around_their_centers(name, modes, std):
    data = open_data(name, None)
    centers = synthetic.MIXTURES[name].centers

    assert data.spec[:4] == ((2,), modes, 100_000, False)
    assert len(data.test["x"]) == 2500
    away = (data.train["x"] - centers[data.train["y"]]) / std
    # 200,000 standard normal numbers: their mean is within 0.01 of 0 and their standard deviation of 1.
    np.testing.assert_allclose([away.mean(), away.std() - 1], 0, atol=0.01)
    np.testing.assert_allclose(np.bincount(data.train["y"]) / 100_000, 1 / modes, rtol=0.08)


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.npz")
    for path in (tmp_path / "pipe.npz", "/dev/zero"):
        with pytest.raises(InputError, match="is no regular file"):
            open_data(f"npz:{path}", None)


def test_arrays_larger_than_memory_are_refused_by_their_headers(tmp_path, monkeypatch):
    """The file is small: it says how large its arrays are, as a compressed one of zeros does."""
    np.savez_compressed(tmp_path / "bomb.npz", x_train=np.zeros((4000, 5000), np.uint8), x_test=np.zeros(3, np.uint8))
    monkeypatch.setattr(npz, "free_memory", lambda: 10_000_000)
    with pytest.raises(InputError, match=r"the largest of them x_train, take 0\.0 GB; expected at most the 0\.0 GB"):
        open_data(f"npz:{tmp_path / 'bomb.npz'}", None)
    assert (tmp_path / "bomb.npz").stat().st_size < 100_000


def test_the_memory_of_a_control_group_counts(tmp_path, monkeypatch):
    whole = npz.free_memory()
    assert 0 < whole <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    (tmp_path / "memory.max").write_text("5000000\n")
    (tmp_path / "memory.current").write_text("2500000\n")
    (tmp_path / "memory.stat").write_text("anon 1500000\ninactive_file 500000\n")
    monkeypatch.setattr(npz, "_CGROUP", tmp_path)
    assert npz.free_memory() == 3_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert npz.free_memory() > 3_000_000
