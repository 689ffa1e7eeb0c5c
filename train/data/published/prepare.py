"""Convert original files into TensorFlow Datasets (TFDS), without TensorFlow or a network."""

import contextlib
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from train.data.dataset import Arrays
from train.data.prepared import quiet_absl
from train.data.published.originals import read_originals
from train.errors import InputError, RunFailedError, first_line

# Versions, splits and labels are those that TFDS registers, so that every program finds these data sets by name.
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
    """The default directory of TensorFlow Datasets."""
    from tensorflow_datasets.core.constants import DATA_DIR

    return DATA_DIR


def prepare(name: str, source: Path, data_dir: Path) -> bool:
    """Write the data set `name` below `data_dir`, in the order of its original files.

    Returns:
        False if it was already prepared, and nothing was written.

    Raises:
        InputError: The source lacks the published files, or the destination holds something else.
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
                split[len(split) - 1]  # fails if the file is truncated
    except Exception as error:  # other formats, missing and damaged files raise errors of many libraries
        raise InputError(
            f"{path}: is there and cannot be read ({first_line(error)}); "
            "expected nothing there, or the output of this command"
        ) from error


def _builder(name: str, arrays: Arrays, data_dir: Path) -> Any:
    """The TFDS builder of a data set: its features and examples."""
    import tensorflow_datasets as tfds

    features = {"image": tfds.features.Image(shape=(28, 28, 1))}
    if name in _LABELS:
        features["label"] = tfds.features.ClassLabel(**_LABELS[name])

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
        VERSION = tfds.core.Version(VERSIONS[name])
        url_infos = None  # checksums of downloads, which TFDS would look up with a package that it does not install

        def _info(self) -> Any:
            return tfds.core.DatasetInfo(
                builder=self,
                description="The original files in their order, which TFDS's own preparation shuffles.",
                features=tfds.features.FeaturesDict(features),
                supervised_keys=("image", "label") if name in _LABELS else None,
                disable_shuffling=True,  # by convention the last 10,000 training images of MNIST are for validation
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
    # TFDS stores bytes as they are, but encodes an array with TensorFlow.
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()


def _write(builder: Any, data_dir: Path) -> None:
    """Let TFDS write to a temporary directory, which is renamed once it is complete."""
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
    except RuntimeError as error:  # array_record reports a full disk so
        raise RunFailedError(f"{builder.data_path} is not written: {first_line(error)}") from error
