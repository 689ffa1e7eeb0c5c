"""Data sets by name, and the order of examples in training."""

from train.data.checks import absent_classes, check_layout, check_split
from train.data.dataset import Dataset, are_images, from_arrays, spread, with_validation_rows
from train.data.order import Rows, batch_rows, short_size, steps_per_epoch
from train.data.sources import default_data_directory, find_data_directory, open_data
from train.data.synthetic import MIXTURES, split_stacked

__all__ = [
    "MIXTURES",
    "Dataset",
    "absent_classes",
    "are_images",
    "Rows",
    "batch_rows",
    "check_layout",
    "default_data_directory",
    "check_split",
    "split_stacked",
    "find_data_directory",
    "from_arrays",
    "open_data",
    "spread",
    "short_size",
    "steps_per_epoch",
    "with_validation_rows",
]
