"""Grids of images in [0, 1]. Each function writes one PNG and knows nothing of runs or models."""

import io
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from train.data import are_images
from train.engine.files import write_bytes
from train.report.drawing import charts, scatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray


def tile(images: Array, columns: int, *, gap: int = 1) -> Array:
    """Tile images [N, H, W, C] in [0, 1] row by row into one picture [H', W', C] with white gaps."""
    num, height, width, channels = images.shape
    rows = -(-num // columns)
    canvas = np.ones((rows * (height + gap) + gap, columns * (width + gap) + gap, channels))
    for index, image in enumerate(images):
        top, left = gap + index // columns * (height + gap), gap + index % columns * (width + gap)
        canvas[top : top + height, left : left + width] = image
    return canvas


def save_examples(path: pathlib.Path, x: Array, columns: int = 16) -> bool:
    """Save images [N, H, W, C] as a grid or points [N, 2] as a scatter plot; False, and no file, for anything else."""
    if are_images(x):
        canvas = np.clip(tile(x, columns), 0, 1)
        scale = max(1, round(800 / canvas.shape[1]))
        enlarged = np.repeat(np.repeat(canvas, scale, axis=0), scale, axis=1)
        content, picture = io.BytesIO(), enlarged.squeeze(-1) if x.shape[-1] == 1 else enlarged
        charts.pyplot().imsave(content, picture, format="png", cmap="gray", vmin=0, vmax=1)
        write_bytes(path, content.getvalue())
        return True
    if x.ndim == 2 and x.shape[1] == 2:
        scatter.save_scatter(path, x, None, "x")
        return True
    return False


def save_pairs(path: pathlib.Path, x: Array, others: Array, mark: str = "r", columns: int = 16) -> bool:
    """Save rows of examples, marked x, above their reconstructions or codes; False, and no file, unless images."""
    if not are_images(x) or others.shape != x.shape:
        return False
    starts = range(0, len(x), columns)
    rows = np.concatenate([part[first : first + columns] for first in starts for part in (x, others)])
    columns = min(columns, len(x))
    figure, axes = charts.pyplot().subplots(figsize=(8, 8), layout="constrained")
    _show(axes, rows, columns)
    height = x.shape[1] + 1
    axes.set_yticks([height * (row + 0.5) for row in range(2 * len(starts))], ["x", mark] * len(starts))
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    charts.close(figure, path)
    return True


def save_rows(path: pathlib.Path, x: Array, labels: Sequence[str], alphas: Array) -> None:
    """Save images [R, A, H, W, C] as rows labelled by `labels`, with a scale of `alphas` [A]."""
    rows, columns, height, width, _ = x.shape
    figure, axes = charts.pyplot().subplots(
        figsize=(0.45 * columns + 0.8, 0.45 * rows * height / width + 0.6), layout="constrained"
    )
    _show(axes, x.reshape(-1, *x.shape[2:]), columns)
    axes.set_yticks([(height + 1) * (row + 0.5) for row in range(rows)], labels)
    axes.set_xticks([(width + 1) * (column + 0.5) for column in range(columns)], [f"{alpha:.2g}" for alpha in alphas])
    axes.tick_params(length=0, labelsize=7)
    axes.set_xlabel("alpha")
    axes.spines[:].set_visible(False)
    charts.close(figure, path)


def save_walk(path: pathlib.Path, x: Array, alphas: Array, probabilities: Array | None) -> None:
    """Save the images of a walk [A, H, W, C] and, below, the class probabilities [A, K] over alpha."""
    if probabilities is None:
        save_rows(path, x[None], [""], alphas)
        return
    figure, (strip, axes) = charts.pyplot().subplots(
        2, figsize=(0.5 * len(x) + 1.5, 4.2), height_ratios=(1, 3), layout="constrained"
    )
    _show(strip, x, len(x))
    strip.set_aspect("auto")
    strip.set_axis_off()
    for label, curve in enumerate(probabilities.T):
        is_visible = curve.max() > 0.05  # the others lie on the axis and have no label
        axes.plot(
            alphas, curve, "o-", ms=3, color=charts.class_color(label), label=f"P({label})" if is_visible else None
        )
    half = 0.5 * (alphas[-1] - alphas[0]) / max(len(alphas) - 1, 1)
    axes.set(xlabel="alpha", ylabel="probability", ylim=(-0.02, 1.02), xlim=(alphas[0] - half, alphas[-1] + half))
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    charts.close(figure, path)


def _show(axes: "Axes", x: Array, columns: int) -> None:
    """Draw images [N, H, W, C] as a grid whose pixels are not smoothed."""
    canvas = np.clip(tile(x, columns), 0, 1)
    pixels = canvas.squeeze(-1) if x.shape[-1] == 1 else canvas
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
