"""Handwritten words, sequences of the images of their letters (Taskar, Guestrin & Koller 2003)."""

from typing import NamedTuple

import numpy as np

from train.data.dataset import fingerprint
from train.data.npz import read_npz
from train.data.sources import find_file
from train.errors import InputError


class Words(NamedTuple):
    """W words of up to T letters, padded by zeros to the length of the longest."""

    x: np.ndarray  # pixels, 0 or 1: uint8 [W, T, D]
    y: np.ndarray  # letters, 0 to K - 1: int32 [W, T]
    lengths: np.ndarray  # int32 [W]
    fold: np.ndarray  # of cross-validation, 0 to F - 1: int32 [W]
    fingerprint: str  # of the file's arrays


def open_words(name: str, data_dir: str | None) -> Words:
    """Open a file NAME.npz of the data directory (None: JAXGEN_DATA) with words such as those of ocr_words.npz.

    Its arrays have a row for each letter, in the order of reading: `x`, bits packed eight to a byte; `y`, the letter;
    `fold`; `word`, which ascends from 0.

    Raises:
        InputError: There is no such file, or it is none of words.
    """
    path = find_file(name, data_dir)
    arrays = read_npz(path, ("x", "y", "fold", "word"))
    if missing := {"x", "y", "fold", "word"} - arrays.keys():
        raise InputError(f"{path}: has no array {min(missing)}; expected x, y, fold and word, as of ocr_words.npz")
    x, y, fold, word = (arrays[name] for name in ("x", "y", "fold", "word"))
    integers = all(array.shape == x.shape[:1] and array.dtype.kind in "iu" for array in (y, fold, word))
    if x.dtype != np.uint8 or x.ndim != 2 or x.size == 0 or not integers or y.min() < 0:
        raise InputError(f"{path}: expected x uint8 [N, bytes], and integers y, fold and word [N], y from 0 on")
    if word[0] != 0 or not np.isin(np.diff(word.astype(np.int64)), (0, 1)).all():
        raise InputError(f"{path}: expected words numbered from 0 in ascending order")
    lengths = np.bincount(word)
    starts = np.cumsum(lengths) - lengths
    folds = np.unique(fold)
    if len(folds) < 2 or np.any(folds != np.arange(len(folds))) or np.any(fold != fold[starts][word]):
        raise InputError(f"{path}: expected folds numbered from 0, at least two, and each word in one of them")
    place = np.arange(len(word)) - starts[word]
    pixels, letters = (np.zeros((len(lengths), int(np.max(lengths)), *shape), kind)
                       for shape, kind in (((8 * x.shape[1],), np.uint8), ((), np.int32)))  # fmt: skip
    pixels[word, place], letters[word, place] = np.unpackbits(x, axis=1), y
    return Words(pixels, letters, lengths.astype(np.int32), fold[starts].astype(np.int32), fingerprint(arrays))
