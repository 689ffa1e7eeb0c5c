"""Data sets that TensorFlow Datasets has prepared, read without TensorFlow and without a network."""

import io
import json
import sys

import numpy as np
import pytest

from train.data import open_data
from train.errors import InputError

pytestmark = pytest.mark.usefixtures("no_network")

PIXELS = np.arange(20 * 4 * 5, dtype=np.uint8).reshape(20, 4, 5)


def prepare(name, splits, data_dir, *, feature="image", labelled=True):
    """Prepare a data set of PNG images: `splits` maps a split's name to its images."""
    import tensorflow_datasets as tfds
    from PIL import Image

    def png(image):
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "png")
        return stream.getvalue()

    features = {feature: tfds.features.Image(shape=(None, None, 1), encoding_format="png")}
    if labelled:
        features["label"] = tfds.features.ClassLabel(num_classes=3)

    class Prepared(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(images) for split, images in splits.items()}

        def _generate_examples(self, images):
            for row, image in enumerate(images):
                yield row, {feature: png(image)} | ({"label": row % 3} if labelled else {})

    Prepared.name = name
    builder = Prepared(data_dir=data_dir, file_format="array_record")
    statistics = tfds.download.ComputeStatsMode.SKIP
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(compute_stats=statistics, try_download_gcs=False)
    )
    return builder.data_path


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    directory = tmp_path_factory.mktemp("prepared")
    prepare("tiny", {"train": PIXELS, "test": PIXELS[:6]}, directory)
    prepare(
        "tiny_validated", {"train": PIXELS, "validation": PIXELS[:5], "test": PIXELS[:6]}, directory, labelled=False
    )
    prepare("tiny_train", {"train": PIXELS}, directory)
    prepare("tiny_picture", {"train": PIXELS, "test": PIXELS}, directory, feature="picture")
    prepare("tiny_ragged", {"train": [*PIXELS, PIXELS[0, :2]], "test": PIXELS}, directory)
    damaged = prepare("tiny_damaged", {"train": PIXELS, "test": PIXELS}, directory)
    for path in damaged.glob("*array_record*"):
        path.write_bytes(b"no records")
    other_format = prepare("tiny_tfrecord", {"train": PIXELS, "test": PIXELS}, directory) / "dataset_info.json"
    other_format.write_text(json.dumps(json.loads(other_format.read_text()) | {"fileFormat": "tfrecord"}))
    return str(directory)


def refusal(source, data_dir):
    with pytest.raises(InputError) as caught:
        open_data(source, data_dir)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def by_content(x, y):
    """Sorted, as preparing shuffles."""
    pairs = sorted(zip(x[..., 0].tolist(), y.tolist(), strict=True))
    return [pixels for pixels, _ in pairs], [label for _, label in pairs]


def test_a_prepared_data_set_is_read_in_silence(data_dir, capfd, caplog):
    data = open_data("tfds:tiny", data_dir)
    assert data.source == "tfds:tiny"
    assert data.spec[:4] == ((4, 5, 1), 3, 18, True)
    whole = {leaf: np.concatenate([data.train[leaf], data.valid[leaf]]) for leaf in ("x", "y")}
    assert by_content(whole["x"], whole["y"]) == by_content(PIXELS[..., None], np.arange(20) % 3)
    assert by_content(data.test["x"], data.test["y"]) == by_content(PIXELS[:6, ..., None], np.arange(6) % 3)
    assert open_data("tfds:tiny:1.0.0", data_dir).fingerprint == data.fingerprint
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert "tensorflow" not in sys.modules


def test_bits_are_read_as_black_and_white_and_greys_as_they_are(tmp_path):
    prepare("binarized_mnist", {"train": PIXELS % 2, "test": PIXELS[:6] % 2}, tmp_path / "bits", labelled=False)
    prepare("binarized_mnist", {"train": PIXELS, "test": PIXELS[:6]}, tmp_path / "greys", labelled=False)
    for name, expected in {"bits": PIXELS[:6] % 2 * 255, "greys": PIXELS[:6]}.items():
        found = open_data("tfds:binarized_mnist", str(tmp_path / name)).test["x"]
        assert sorted(found[..., 0].tolist()) == sorted(expected.tolist())


def test_a_validation_split_validates_and_labels_are_optional(data_dir):
    data = open_data("tfds:tiny_validated", data_dir)
    assert data.spec[:4] == ((4, 5, 1), None, 20, True)
    assert (data.valid_is, len(data.valid["x"]), len(data.test["x"])) == ("x_valid", 5, 6)


@pytest.mark.parametrize("name", ["cifar10", "tiny:2.0.0", "no_such_name", "no such name", "huggingface:mnist", ""])
def test_what_is_not_prepared_is_refused(data_dir, name):
    assert refusal(f"tfds:{name}", data_dir) == (
        f"tfds:{name}: looked in {data_dir}, where it is not prepared; "
        f"expected the output of `tfds build {name} --file_format=array_record` (needs TensorFlow), or npz:PATH"
    )


@pytest.mark.parametrize("name", ["mnist", "mnist:3.0.1", "fashion_mnist", "binarized_mnist"])
def test_what_can_be_prepared_here_is_refused_with_the_command(tmp_path, name):
    command = f"python -m train data prepare {name.removesuffix(':3.0.1')} --source DIR --data-dir {tmp_path}"
    assert refusal(f"tfds:{name}", str(tmp_path)) == (
        f"tfds:{name}: looked in {tmp_path}, where it is not prepared; expected the output of `{command}`, or npz:PATH"
    )


def test_without_a_directory_the_default_one_is_looked_in(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))
    assert f"looked in {tmp_path}, where it is not prepared" in refusal("tfds:mnist", None)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "tiny_train",
            "has splits train with features image, label; expected splits train and test with a feature image",
        ),
        ("tiny_picture", "has splits test, train with features label, picture; expected splits train and test"),
        (
            "tiny_ragged",
            "cannot be read (ValueError: all input arrays must have the same shape); expected images of one",
        ),
        ("tiny_damaged", "cannot be read ("),
        (
            "tiny_tfrecord",
            "expected images of one shape, as in the output of `tfds build tiny_tfrecord --file_format=array_record`",
        ),
    ],
)
def test_what_cannot_be_used_is_refused(data_dir, name, message, capfd):
    text = refusal(f"tfds:{name}", data_dir)
    assert text.startswith(f"tfds:{name}: looked in {data_dir}, which ")
    assert message in text
    assert capfd.readouterr() == ("", "")
