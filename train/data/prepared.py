"""Read data sets prepared by TensorFlow Datasets (TFDS), without TensorFlow or a network."""

import contextlib
import logging
import shlex
from collections.abc import Iterator

import numpy as np

from train.data.dataset import Arrays
from train.data.published.originals import ORIGINALS
from train.errors import InputError, first_line

# TFDS stores these binary images as 0 and 1; every uint8 image here is 0 (black) to 255 (white).
_BITS = ("binarized_mnist",)


def read_prepared(name: str, data_dir: str | None) -> Arrays:
    """Decode a prepared data set into arrays."""
    import tensorflow_datasets
    from tensorflow_datasets.core.read_only_builder import builder_from_files

    looked = f"tfds:{name}: looked in {data_dir or tensorflow_datasets.core.constants.DATA_DIR}"
    makes = f"the output of {_maker(name, data_dir)}"
    parts = {"train": "train", "validation": "valid", "test": "test"}
    features = {"image": "x", "label": "y"}
    arrays = {}
    with quiet_absl():
        try:
            # Reads files only: tensorflow_datasets.data_source runs builders, and some of them use the network.
            builder = builder_from_files(name, data_dir=data_dir)
        except ValueError as error:
            raise InputError(f"{looked}, where it is not prepared; expected {makes}, or npz:PATH") from error
        try:
            for split in parts.keys() & builder.info.splits.keys():
                examples = list(builder.as_data_source(split))
                for feature in features.keys() & builder.info.features.keys():
                    values = np.stack([example[feature] for example in examples])
                    is_bits = builder.name in _BITS and feature == "image" and values.max() <= 1
                    arrays[f"{features[feature]}_{parts[split]}"] = values * np.uint8(255) if is_bits else values
        except (
            Exception
        ) as error:  # other formats, damaged files, images of several shapes raise errors of many libraries
            raise InputError(
                f"{looked}, which cannot be read ({first_line(error)}); expected images of one shape, as in {makes}"
            ) from error
    if not {"x_train", "x_test"} <= arrays.keys():
        found = [", ".join(sorted(names)) for names in (builder.info.splits, builder.info.features)]
        raise InputError(
            f"{looked}, which has splits {found[0]} with features {found[1]}; "
            "expected splits train and test with a feature image"
        )
    return arrays


def _maker(name: str, data_dir: str | None) -> str:
    if name.partition(":")[0] not in ORIGINALS:
        return f"`tfds build {name} --file_format=array_record` (needs TensorFlow)"
    where = ["--data-dir", data_dir] if data_dir else []
    command = ["python", "-m", "train", "data", "prepare", name.partition(":")[0], "--source", "DIR", *where]
    return f"`{shlex.join(command)}`"


@contextlib.contextmanager
def quiet_absl() -> Iterator[None]:
    """Silence the advice of TFDS on stderr, such as to install OpenCV."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
