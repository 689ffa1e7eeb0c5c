"""Original files become a data set of TensorFlow Datasets (TFDS), without TensorFlow and without a network."""

import contextlib
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from train.data.dataset import Arrays
from train.data.originals import read_originals
from train.data.prepared import quiet_absl
from train.errors import InputError, RunFailedError, first_line

# What follows is as TFDS registers these data sets, so that every program which names one finds it.
VERSIONS = {"mnist": "3.0.1", "fashion_mnist": "3.0.1", "binarized_mnist": "1.0.0"}
_SPLITS = {"train": "train", "valid": "validation", "test": "test"}
_LABELS: dict[str, dict[str, Any]] = {
    "mnist": {"num_classes": 10},
    "fashion_mnist": {
        "names": [
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"
        ]
    },
}  # fmt: skip


def tfds_data_dir() -> str:
    """The directory where TensorFlow Datasets reads by default."""
    from tensorflow_datasets.core.constants import DATA_DIR

    return DATA_DIR


def prepare(name: str, source: Path, data_dir: Path) -> bool:
    """Write the data set `name` below `data_dir`, in the order of its original files.

    Returns:
        False where it was prepared before, and nothing was done.

    Raises:
        InputError: The source has not the published files, or something else lies where they would be written.
    """
    path = data_dir / name / VERSIONS[name]
    if path.exists():
        _check_prepared(path)
        return False
    builder = _builder(name, read_originals(name, source), data_dir)
    _write(builder, data_dir)
    return True


def _check_prepared(path: Path) -> None:
    from tensorflow_datasets.core.read_only_builder import builder_from_directory

    try:
        with quiet_absl():
            for split in builder_from_directory(path).as_data_source().values():
                split[len(split) - 1]  # of a file that was cut short
    except Exception as error:  # other formats, missing and damaged files: errors of many libraries
        raise InputError(
            f"{path}: is there and cannot be read ({first_line(error)}); "
            "expected nothing there, or what this command wrote"
        ) from error


def _builder(name: str, arrays: Arrays, data_dir: Path) -> Any:
    """What TFDS asks for the features and the examples of a data set."""
    import tensorflow_datasets as tfds

    features = {"image": tfds.features.Image(shape=(28, 28, 1))}
    if name in _LABELS:
        features["label"] = tfds.features.ClassLabel(**_LABELS[name])

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
        VERSION = tfds.core.Version(VERSIONS[name])
        url_infos = None  # sums of downloads, which TFDS would look for by a package that it does not install

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                description="The original files in their order, which a preparation by TFDS itself shuffles.",
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("image", "label") if name in _LABELS else None,
                disable_shuffling=True,  # rows count: by convention the last 10,000 training images of MNIST validate
            )

        def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
            del dl_manager
            parts = [part for part in _SPLITS if f"x_{part}" in arrays]
            return {_SPLITS[part]: self._generate_examples(part) for part in parts}

        def _generate_examples(self, part: str) -> Iterator[tuple[int, dict]]:
            for row, image in enumerate(arrays[f"x_{part}"]):
                label = {"label": int(arrays[f"y_{part}"][row])} if name in _LABELS else {}
                yield row, {"image": _png(image), **label}

    Builder.name = name
    return Builder(data_dir=data_dir, file_format="array_record")


def _png(image: np.ndarray) -> bytes:
    # Given as bytes, an image is stored as it is; given as an array, TFDS would have TensorFlow encode it.
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()


def _write(builder: Any, data_dir: Path) -> None:
    """Let TFDS write to a directory aside, which gets its name once it is complete."""
    import tensorflow_datasets as tfds

    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    options = tfds.download.DownloadConfig(compute_stats=tfds.download.ComputeStatsMode.SKIP, try_download_gcs=False)
    try:
        with tempfile.TemporaryDirectory() as nothing, contextlib.redirect_stdout(None):  # it prints that it downloads
            builder.download_and_prepare(download_dir=nothing, download_config=options)
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise InputError(
            f"--data-dir {data_dir}: expected a directory that can be written: {error.strerror}"
        ) from error
    except RuntimeError as error:  # a full disk, as array_record says it
        raise RunFailedError(f"{builder.data_path} is not written: {first_line(error)}") from error
