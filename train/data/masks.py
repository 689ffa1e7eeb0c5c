"""Masks of pixels, by name or from a file."""

import pathlib

import numpy as np

from train.errors import InputError, first_line


def hide(mask: str, size: tuple[int, int], *, rows: int | None, seed: int) -> np.ndarray:
    """The pixels that a mask hides, [H, W]; InputError where it hides none or all.

    `mask` is lower, with `rows` to keep or the upper half; upper, left; random, half of the pixels by `seed`; or a file
    .npy with booleans [H, W].
    """
    height, width = size
    row, column = np.indices(size)
    if mask == "lower":
        rows = height // 2 if rows is None else rows
        if not 1 <= rows < height:
            raise InputError(f"--rows {rows}: expected at least 1 and less than the {height} rows of an image")
        return row >= rows
    if mask in ("upper", "left"):
        return row < height // 2 if mask == "upper" else column < width // 2
    if mask == "random":
        order = np.random.default_rng(seed).permutation(height * width)
        return (order < height * width // 2).reshape(size)
    if not mask.endswith(".npy"):
        raise InputError(f"--mask {mask}: expected lower, upper, left, random or a file .npy")
    return _read(pathlib.Path(mask), size)


def _read(path: pathlib.Path, size: tuple[int, int]) -> np.ndarray:
    try:
        mask = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"--mask {path}: cannot be read ({first_line(error)})") from error
    if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != size:
        found = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else "several arrays"
        raise InputError(f"--mask {path}: has {found}; expected booleans {size}, true where a pixel is hidden")
    if mask.all() or not mask.any():
        raise InputError(f"--mask {path}: hides {'all' if mask.all() else 'none'} of the pixels; expected a part")
    return mask
