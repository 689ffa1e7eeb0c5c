"""Likelihood surfaces over two parameters, with their maximum."""

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from train.report.drawing.charts import close, pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = np.ndarray
Surface = tuple[Array, Array, Array]  # x [X], y [Y], nats [Y, X]


def save_likelihood(
    path: pathlib.Path,
    normal: Surface,
    largest: Surface,
    estimate: tuple[float, float],
    points: Array,
    third: Surface,
    smallest: Array,
    true: Array,
) -> None:
    """A Normal's likelihood and its largest density over mean and std; a triangle's over its third vertex.

    `estimate` is the mean and std of the draws; `points` [N, 2] lie in the `true` triangle [3, 2].
    """
    figure, grid = pyplot().subplots(2, 2, figsize=(9, 7.6), layout="constrained")
    (top_left, top_right), (low_left, low_right) = grid
    _show_surface(top_left, normal, "product of the densities: log-likelihood below its maximum, nats")
    top_left.plot(*estimate, "+", color="black", ms=12, label="mean and std of the points")
    _show_surface(top_right, largest, "largest density in its place: its log below its maximum, nats")
    for axes in (top_left, top_right):
        axes.set(xlabel="mean", ylabel="standard deviation")
    low_left.plot(*points.T, ".", color="gray", label="points, uniform in a triangle")
    for vertices, style, label in ((true, "--", "the triangle"), (smallest, "-", "the most likely one")):
        low_left.plot(*vertices[[0, 1, 2, 0]].T, style, label=label)
    low_left.set_title("triangles", fontsize=9, loc="left")
    low_left.set_ylim(-0.05, 1.35 * true[:, 1].max())  # room for the legend
    _show_surface(low_right, third, "log-likelihood of the third vertex; white: 0, a point is outside")
    low_right.plot(*points.T, ".", color="gray")
    low_right.plot(*true[[0, 1, 2, 0]].T, "--")
    low_right.set(xlim=(third[0][0], max(third[0][-1], true[:, 0].max())), ylim=(0, third[1][-1]))
    for axes in (low_left, low_right):
        axes.set(xlabel="x", ylabel="y")
    for axes in (top_left, top_right, low_left, low_right):
        axes.legend(fontsize=8, loc="upper right")
    close(figure, path)


def _show_surface(axes: "Axes", surface: Surface, title: str) -> None:
    """Contours of how far a surface lies below its maximum, and where that is."""
    x, y, nats = surface
    below = np.max(nats) - np.where(np.isfinite(nats), nats, np.nan)
    shown = axes.contourf(x, y, below, levels=[0, 0.5, 1, 2, 4, 8, 16, 32, 64], cmap="viridis_r", extend="max")
    row, column = np.unravel_index(np.argmax(nats), nats.shape)
    axes.plot(x[column], y[row], "*", color="red", ms=12, label="largest on the grid")
    axes.figure.colorbar(shown, ax=axes)
    axes.set_title(title, fontsize=9, loc="left")
