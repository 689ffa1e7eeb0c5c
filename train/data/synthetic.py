"""Data sets of points in the plane, made from a seed that never changes."""

from collections.abc import Callable

import numpy as np

Arrays = dict[str, np.ndarray]


def blobs() -> Arrays:
    """Two Gaussian blobs with axis-aligned ellipses of their own, 1,000 points in each part."""
    random = np.random.default_rng(0)
    means, stds = np.array([[-1.5, -0.5], [1.5, 0.5]]), np.array([[1.2, 0.6], [0.7, 1.4]])

    def draw(num: int) -> tuple[np.ndarray, np.ndarray]:
        y = random.permutation(np.arange(num) % 2)
        return (means[y] + stds[y] * random.normal(size=(num, 2))).astype(np.float32), y

    arrays = {}
    for part in ("train", "valid", "test"):
        arrays[f"x_{part}"], arrays[f"y_{part}"] = draw(1000)
    return arrays


SOURCES: dict[str, Callable[[], Arrays]] = {"blobs": blobs}
