"""Synthetic data sets: points from a fixed seed, and digits that are stacked, imbalanced or held out."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]


class Mixture(NamedTuple):
    """A mixture of equally weighted Gaussians N(center, std^2 I)."""

    centers: np.ndarray  # [M, 2]
    std: float


_ANGLES = 2 * np.pi * np.arange(8) / 8
_STEPS = np.arange(-4.0, 5.0, 2.0)
# As in Lin et al. 2018 (PacGAN), section 4.1.
MIXTURES = {
    "ring": Mixture(np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), 0.01),
    "grid": Mixture(np.stack(np.meshgrid(_STEPS, _STEPS), axis=-1).reshape(-1, 2), 0.05),
}


def blobs() -> Arrays:
    """Two axis-aligned Gaussian blobs of different shapes, 1,000 points in each part."""
    random = np.random.default_rng(0)
    means, stds = np.array([[-1.5, -0.5], [1.5, 0.5]]), np.array([[1.2, 0.6], [0.7, 1.4]])

    def draw(num: int) -> tuple[np.ndarray, np.ndarray]:
        y = random.permutation(np.arange(num) % 2)
        return (means[y] + stds[y] * random.normal(size=(num, 2))).astype(np.float32), y

    return _draw_parts(draw, train=1000, valid=1000, test=1000)


def mixture(name: str) -> Arrays:
    """Points of a mixture, labelled by mode: 100,000 for training, 2,500 each for validation and test."""
    random = np.random.default_rng(0)
    centers, std = MIXTURES[name]

    def draw(num: int) -> tuple[np.ndarray, np.ndarray]:
        y = random.integers(len(centers), size=num)
        return (centers[y] + std * random.normal(size=(num, 2))).astype(np.float32), y

    return _draw_parts(draw, train=100_000, valid=2500, test=2500)


_STACKED = {"train": 128_000, "test": 26_000}


def stack_digits(arrays: Arrays, sizes: Mapping[str, int] = _STACKED) -> Arrays:
    """Stack three random digits as colour channels, labelled 0 ... 999: [N, 28, 28] of MNIST -> [M, 28, 28, 3].

    128,000 images for training and validation and 26,000 for test (Lin et al. 2018, PacGAN, section 4.2), each from the
    same part of MNIST.
    """
    random = np.random.default_rng(0)
    stacked = {}
    for part, num in sizes.items():
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        rows = random.integers(len(x), size=(num, 3))
        stacked[f"x_{part}"] = np.stack([x[rows[:, colour]] for colour in range(3)], axis=-1)
        stacked[f"y_{part}"] = y[rows].astype(np.int64) @ np.array([100, 10, 1])
    return stacked


def skew_classes(arrays: Arrays, ratio: float = 50.0) -> Arrays:
    """Subsample class k of the training part to a share of ratio^(-k / (K - 1)); the test part is unchanged."""
    y = arrays["y_train"]
    num_classes = int(y.max()) + 1
    smallest = min(np.bincount(y).tolist())
    random = np.random.default_rng(0)
    kept = [
        random.choice(np.flatnonzero(y == label), int(smallest * ratio ** (-label / (num_classes - 1))), replace=False)
        for label in range(num_classes)
    ]
    rows = random.permutation(np.concatenate(kept))
    return {
        "x_train": arrays["x_train"][rows],
        "y_train": y[rows],
        "x_test": arrays["x_test"],
        "y_test": arrays["y_test"],
    }


def drop_class(arrays: Arrays, label: int) -> Arrays:
    """Drop the last class, so that the remaining labels are 0 ... label - 1."""
    return _select(arrays, lambda y: y != label)


def keep_class(arrays: Arrays, label: int) -> Arrays:
    """Keep the examples of one class, without labels."""
    return {name: array for name, array in _select(arrays, lambda y: y == label).items() if name[0] == "x"}


def dequantize_once(arrays: Arrays) -> Arrays:
    """MNIST's (k + u) / 256 with u drawn once, and its last 10,000 training images for validation.

    The draws of Papamakarios et al. 2017: NumPy's legacy generator with seed 42, part after part.
    """
    random = np.random.RandomState(42)
    parts = {"train": ("train", 0, 50000), "valid": ("train", 50000, 60000), "test": ("test", 0, 10000)}
    drawn = {}
    for part, (name, first, end) in parts.items():
        x = arrays[f"x_{name}"][first:end].astype(np.float64)
        uniform = random.rand(len(x), x[0].size).reshape(x.shape)
        drawn[f"x_{part}"] = ((x + uniform) / 256).astype(np.float32)
        drawn[f"y_{part}"] = arrays[f"y_{name}"][first:end]
    return drawn


def _select(arrays: Arrays, chosen: Callable[[np.ndarray], np.ndarray]) -> Arrays:
    return {
        f"{leaf}_{part}": arrays[f"{leaf}_{part}"][chosen(arrays[f"y_{part}"])]
        for part in ("train", "test")
        for leaf in ("x", "y")
    }


def split_stacked(x: np.ndarray) -> list[np.ndarray]:
    """Split stacked digits into hundreds, tens and ones: [N, H, W, 3] -> three of [N, H, W, 1]."""
    return np.split(x, 3, axis=-1)


def _draw_parts(draw: Callable[[int], tuple[np.ndarray, np.ndarray]], **sizes: int) -> Arrays:
    arrays = {}
    for part, num in sizes.items():
        arrays[f"x_{part}"], arrays[f"y_{part}"] = draw(num)
    return arrays


SOURCES: dict[str, Callable[[], Arrays]] = {
    "blobs": blobs,
    "ring": lambda: mixture("ring"),
    "grid": lambda: mixture("grid"),
}
