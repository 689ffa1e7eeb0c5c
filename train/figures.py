"""Pictures of a run: curves, samples, reconstructions. Each function writes one PNG."""

import pathlib
from collections.abc import Sequence

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

Array = np.ndarray


def tile(images: Array, columns: int, *, gap: int = 1) -> Array:
    """Images [N, H, W, C] in [0, 1], row by row, as one picture [H', W', C] with white gaps."""
    num, height, width, channels = images.shape
    rows = -(-num // columns)
    canvas = np.ones((rows * (height + gap) + gap, columns * (width + gap) + gap, channels))
    for index, image in enumerate(images):
        top, left = gap + index // columns * (height + gap), gap + index % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def save_examples(path: pathlib.Path, x: Array, columns: int = 16) -> bool:
    """Images [N, H, W, C] as a grid, or points [N, 2] as a scatter; False, and no file, for anything else."""
    if x.ndim == 4 and x.shape[-1] in (1, 3):
        canvas = np.clip(tile(x, columns), 0, 1)
        scale = max(1, round(800 / canvas.shape[1]))
        enlarged = np.repeat(np.repeat(canvas, scale, axis=0), scale, axis=1)
        plt.imsave(path, enlarged.squeeze(-1) if x.shape[-1] == 1 else enlarged, cmap="gray", vmin=0, vmax=1)
        return True
    if x.ndim == 2 and x.shape[1] == 2:
        figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
        axes.scatter(x[:, 0], x[:, 1], s=4)
        axes.set_aspect("equal")
        figure.savefig(path, dpi=120)
        plt.close(figure)
        return True
    return False


def save_pairs(path: pathlib.Path, x: Array, reconstructed: Array, columns: int = 16) -> bool:
    """Rows of examples, the reconstruction of each below it; False, and no file, unless they are images."""
    if x.ndim != 4:
        return False
    rows = [part[first : first + columns] for first in range(0, len(x), columns) for part in (x, reconstructed)]
    return save_examples(path, np.concatenate(rows), columns)


def save_curves(path: pathlib.Path, log: Sequence[dict], names: Sequence[str]) -> None:
    """Metrics over steps, a line for each seed, from the lines of metrics.jsonl."""
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for number, name in enumerate(names):
        lines = [entry for entry in log if name in entry]
        values = np.array([np.atleast_1d(entry[name]) for entry in lines])
        for seed, curve in enumerate(values.T):
            label = name if seed == 0 else None
            axes.plot([entry["step"] for entry in lines], curve, color=f"C{number}", lw=1, label=label)
    shown = np.concatenate([np.ravel(entry[name]) for name in names for entry in log if name in entry])
    axes.set_ylim(*_limits(shown))
    axes.set_xlabel("step")
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _limits(values: Array) -> tuple[float, float]:
    """A range that holds all but the highest twentieth: the first moments are off the scale of all that follows."""
    low, high = float(values.min()), float(np.quantile(values, 0.95))
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin
