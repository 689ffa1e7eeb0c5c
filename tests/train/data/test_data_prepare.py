"""Original files become a TFDS data set: without TensorFlow, without a network, and only if they are the published."""

import json
import pathlib
import sys
import types
import typing

import numpy as np
import pytest
from original_files import NAMES, SIZES, small_arrays

from train.__main__ import main
from train.commands.data import Options
from train.data import from_arrays, open_data
from train.data.published import prepare as preparing
from train.data.published.originals import ORIGINALS
from train.errors import InputError

pytestmark = pytest.mark.usefixtures("no_network")

DEBIAN = pathlib.Path("/usr/share/datasets/fashion-mnist")


def call(*arguments):
    """The exit code of the command."""
    try:
        main(["data", "prepare", *map(str, arguments)])
    except SystemExit as stop:
        return stop.code
    return 0


def below(directory):
    return {path: path.stat().st_mtime_ns for path in directory.rglob("*")}


def test_the_tables_are_of_the_same_data_sets():
    choices = typing.get_type_hints(Options)["name"]
    assert typing.get_args(choices) == NAMES == tuple(ORIGINALS) == tuple(preparing.VERSIONS)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_reads_as_the_same_data(name, sources, tmp_path, capfd):
    import tensorflow_datasets as tfds

    data_dir = tmp_path / "prepared here"

    assert call(name, "--source", sources / name, "--data-dir", data_dir) == 0

    said, complaints = capfd.readouterr()
    assert said.splitlines() == [
        f"{data_dir / name / preparing.VERSIONS[name]} written",
        f"read by: python -m train CONFIG --data tfds:{name} --data-dir '{data_dir}'",
    ]
    assert complaints == ""
    assert [path.name for path in data_dir.iterdir()] == [name]
    arrays = small_arrays(name)
    is_bits = name == "binarized_mnist"
    expected = from_arrays("arrays", {leaf: array * 255 for leaf, array in arrays.items()} if is_bits else arrays)
    found = open_data(f"tfds:{name}", str(data_dir))
    assert found.fingerprint == expected.fingerprint
    assert (found.spec[:4], found.valid_is) == (expected.spec[:4], expected.valid_is)
    for part, split in {"train": "train", "valid": "validation", "test": "test"}.items():
        if f"x_{part}" in arrays:
            examples = list(tfds.data_source(name, data_dir=data_dir, split=split))
            np.testing.assert_array_equal([example["image"][..., 0] for example in examples], arrays[f"x_{part}"])
            assert [example.get("label") for example in examples] == arrays.get(
                f"y_{part}", np.full(len(examples), None)
            ).tolist()
    assert "tensorflow" not in sys.modules


@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_the_official_builder_would_write(name, sources, tmp_path, monkeypatch):
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.read_only_builder import builder_from_directory

    preparing.prepare(name, sources / name, tmp_path / "data")
    written = builder_from_directory(tmp_path / "data" / name / preparing.VERSIONS[name]).info
    builder = tfds.builder_cls(name)
    # A description and a citation, which TFDS reads by a package that it does not install.
    nothing = types.SimpleNamespace(description=None, citation=None)
    monkeypatch.setattr(builder, "get_metadata", staticmethod(lambda: nothing))
    official = builder(data_dir=tmp_path / "empty").info

    assert written.full_name == official.full_name
    assert written.features.to_json() == official.features.to_json()
    assert written.supervised_keys == official.supervised_keys
    if name == "fashion_mnist":
        assert written.features["label"].names == official.features["label"].names


CALLS = {
    "another data set": (["fashion_mnist", "--source", "{dir}/mnist"], ["of fashion_mnist, with md5 "]),
    "no amat": (["binarized_mnist", "--source", "{dir}/mnist"], ["has no binarized_mnist_train.amat"]),
    "no directory": (["mnist", "--source", "{dir}/no"], ["--source {dir}/no: is no directory"]),
    "unknown": (["cifar10", "--source", "{dir}"], ["NAME cifar10: expected one of", "binarized_mnist"]),
    "no source": (["mnist"], ["--source"]),
    "unwritable": (["mnist", "--source", "{dir}/mnist", "--data-dir", "{dir}/file"], ["--data-dir {dir}/file"]),
    "occupied": (["mnist", "--source", "{dir}/mnist", "--data-dir", "{dir}/other"], ["other/mnist/3.0.1: is there"]),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), CALLS.values(), ids=CALLS)
def test_a_wrong_call_is_one_line_and_writes_nothing(arguments, expected, sources, capsys):
    (sources / "file").write_text("no directory")
    (sources / "other" / "mnist" / "3.0.1").mkdir(parents=True)
    before = below(sources)
    given = [argument.replace("{dir}", str(sources)) for argument in arguments]

    assert call(*given, *([] if "--data-dir" in given else ["--data-dir", str(sources / "data")])) == 2

    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    for part in expected:
        assert part.replace("{dir}", str(sources)) in said
    assert below(sources) == before


def test_what_was_prepared_before_is_left_alone(sources, tmp_path, capsys):
    prepared = tmp_path / "data" / "mnist" / "3.0.1"
    assert call("mnist", "--source", sources / "mnist", "--data-dir", tmp_path / "data") == 0
    before = below(prepared)
    capsys.readouterr()

    assert call("mnist", "--source", tmp_path / "gone", "--data-dir", tmp_path / "data") == 0

    assert capsys.readouterr().out.startswith(f"{prepared} is already prepared\n")
    assert below(prepared) == before


def in_tfrecord(prepared):
    path = prepared / "dataset_info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fileFormat": "tfrecord"}))


@pytest.mark.parametrize("damage", [in_tfrecord, lambda prepared: next(prepared.glob("*test*")).write_bytes(b"no")])
def test_what_was_prepared_before_and_cannot_be_read_is_refused(damage, sources, tmp_path, capfd):
    arguments = ("mnist", "--source", sources / "mnist", "--data-dir", tmp_path / "data")
    assert call(*arguments) == 0
    damage(tmp_path / "data" / "mnist" / "3.0.1")
    capfd.readouterr()

    assert call(*arguments) == 2

    said = capfd.readouterr().err
    assert said.startswith(f"error: {tmp_path / 'data' / 'mnist' / '3.0.1'}: is there and cannot be read (")
    assert said.count("\n") == 1


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (OSError(28, "No space left"), 1),
                                             (RuntimeError("write() failed: No space left\nat 9"), 1)])  # fmt: skip
def test_what_ends_early_leaves_no_data_set(error, code, sources, tmp_path, monkeypatch, capsys):
    images = []
    png = preparing._png

    def fail_late(image):
        images.append(image)
        if len(images) > SIZES["train"] + 3:
            raise error
        return png(image)

    arguments = ("mnist", "--source", sources / "mnist", "--data-dir", tmp_path / "data")
    with monkeypatch.context() as patch:
        patch.setattr(preparing, "_png", fail_late)
        assert call(*arguments) == code
    assert capsys.readouterr().err.count("\n") == 1
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []

    assert call(*arguments) == 0
    assert len(open_data("tfds:mnist", str(tmp_path / "data")).test["x"]) == SIZES["test"]


def test_the_directory_that_a_kill_leaves_behind_is_no_data_set(sources, tmp_path):
    data_dir = tmp_path / "data"
    preparing.prepare("mnist", sources / "mnist", data_dir)
    (data_dir / "mnist" / "3.0.1").rename(data_dir / "mnist" / "incomplete.ABCDEF_3.0.1")

    with pytest.raises(InputError, match="where it is not prepared"):
        open_data("tfds:mnist", str(data_dir))
    assert preparing.prepare("mnist", sources / "mnist", data_dir)


def test_without_a_directory_it_lies_where_every_command_reads(train, sources, tmp_path, monkeypatch, capsys):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "default"))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    monkeypatch.setenv("JAXGEN_DATA", str(tmp_path))

    assert call("mnist", "--source", sources / "mnist") == 0
    assert capsys.readouterr().out == (
        f"{tmp_path / 'default' / 'mnist' / '3.0.1'} written\nread by: python -m train CONFIG --data tfds:mnist\n"
    )
    # A run ends with reading itself as the commands do that read a run.
    assert train(tmp_path / "run", "--data", "tfds:mnist", "--steps", "10") == 0


@pytest.mark.skipif(not DEBIAN.is_dir(), reason=f"Debian's package dataset-fashion-mnist is not installed: no {DEBIAN}")
def test_debians_fashion_mnist_is_a_source(tmp_path):
    import tensorflow_datasets as tfds

    assert call("fashion_mnist", "--source", DEBIAN, "--data-dir", tmp_path) == 0

    test = tfds.data_source("fashion_mnist", data_dir=tmp_path, split="test")
    assert (len(test), test[0]["label"]) == (10000, 9)  # an ankle boot
