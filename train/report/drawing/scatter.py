"""Scatter plots of data, samples and codes. Each function writes one PNG and knows nothing of runs or models."""

import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from train.report.drawing.charts import Array, class_color, close, pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def save_scatter(path: pathlib.Path, points: Array, y: Array | None, name: str) -> None:
    """Save points [N, 2], coloured by class [N] if given; the axes are named `name` 1 and 2."""
    figure, axes = pyplot().subplots(figsize=(5.2, 5), layout="constrained")
    _scatter(axes, points, y)
    axes.set(xlabel=f"{name} 1", ylabel=f"{name} 2", aspect="equal")
    close(figure, path)


def save_codes(
    path: pathlib.Path, z: Array, y: Array | None, name: str, prior: Array | None, clouds: Sequence[Array]
) -> None:
    """Save codes [N, 2], circles of 1, 2 and 3 standard deviations of N(prior, I), and ellipses of clouds [M, 2].

    An ellipse lies at two standard deviations of its cloud, so that it does not hide the codes.
    """
    figure, axes = pyplot().subplots(figsize=(5.2, 5), layout="constrained")
    _scatter(axes, z, y)
    if prior is not None:
        for radius in (1, 2, 3):
            axes.add_patch(pyplot().Circle((prior[0], prior[1]), radius, fill=False, color="black", lw=1, ls="--"))
    angles = np.linspace(0, 2 * np.pi, 61)
    for cloud in clouds:
        variances, directions = np.linalg.eigh(np.cov(cloud.T))
        radii = 2 * np.sqrt(np.maximum(variances, 0))
        outline = cloud.mean(axis=0) + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii @ directions.T
        axes.plot(outline[:, 0], outline[:, 1], color="black", lw=0.8)
    axes.autoscale_view()
    axes.set(xlabel=f"{name} 1", ylabel=f"{name} 2", aspect="equal")
    close(figure, path)


def save_points(path: pathlib.Path, data: Array, samples_per_seed: Sequence[Array]) -> None:
    """Save samples [N, 2], one panel per seed, over data [M, 2] in grey."""
    columns = min(len(samples_per_seed), 5)
    rows = -(-len(samples_per_seed) // columns)
    side = 5.0 if columns == 1 else 2.6
    figure, panels = pyplot().subplots(
        rows, columns, figsize=(side * columns, side * rows), squeeze=False, sharex=True, sharey=True,
        layout="constrained",
    )  # fmt: skip
    low, high = data.min(axis=0), data.max(axis=0)
    margin = 0.15 * (high - low)
    for axes, samples in zip(panels.flat, samples_per_seed, strict=False):
        axes.scatter(data[:, 0], data[:, 1], s=14, color="0.8", linewidths=0, rasterized=True)
        axes.scatter(samples[:, 0], samples[:, 1], s=1, color="C0", linewidths=0, rasterized=True)
        axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
        axes.set_aspect("equal")
    close(figure, path)


def save_plane(
    path: pathlib.Path, points: Array, y: Array, classify: Callable[[Array], Array], densities: Callable | None
) -> None:
    """Save labelled points [N, 2], the decision boundaries, and contours of the class densities.

    `classify` maps [M, 2] to log-probabilities [M, K], and `densities`, if given, [M, 2] to log p(x | y) [M, K]; the
    contours of a Gaussian are those of one and two standard deviations.
    """
    margin = 0.1 * np.ptp(points, axis=0)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    first, second = np.meshgrid(*(np.linspace(low[axis], high[axis], 300) for axis in range(2)))
    grid = np.stack([first.ravel(), second.ravel()], axis=1).astype(np.float32)
    figure, axes = pyplot().subplots(figsize=(5.2, 4.4), layout="constrained")
    _scatter(axes, points, y)
    for label, scores in enumerate(classify(grid).T):
        others = np.delete(classify(grid), label, axis=1).max(axis=1)
        axes.contour(first, second, (scores - others).reshape(first.shape), [0], colors="black", linewidths=1.5)
    for label, log_density in enumerate([] if densities is None else densities(grid).T):
        levels = log_density.max() - 0.5 * np.array([2.0, 1.0]) ** 2
        axes.contour(
            first, second, log_density.reshape(first.shape), levels, colors=[class_color(label)], linestyles="solid"
        )
    axes.set(xlabel="x 1", ylabel="x 2")
    close(figure, path)


def _scatter(axes: "Axes", points: Array, y: Array | None) -> None:
    # Thousands of points are one bitmap inside an SVG, which would otherwise take a megabyte.
    if y is None:
        axes.scatter(points[:, 0], points[:, 1], s=4, rasterized=True)
        return
    for label in np.unique(y):
        chosen = points[y == label]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=4, color=class_color(int(label)), alpha=0.6, rasterized=True)
    outline = {"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8}
    for label in np.unique(y):  # classes are told apart without color too
        x1, x2 = np.median(points[y == label], axis=0)
        bbox = {**outline, "edgecolor": class_color(int(label))}
        axes.text(x1, x2, str(label), ha="center", va="center", weight="bold", bbox=bbox)
