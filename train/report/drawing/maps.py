"""Equal-area maps of the world with points on them."""

import pathlib
from collections.abc import Sequence

import numpy as np

from train.report.drawing.charts import close, pyplot

Array = np.ndarray
_ASPECT = 2 / 3  # of half longitudes to sines: shapes are true at the 30th parallel (Behrmann 1910)


def save_world(
    path: pathlib.Path, x: Array, y: Array, mask: Array, panels: Sequence[tuple[str, Array, Array, Array]]
) -> None:
    """Maps with the coast of a mask [Y, X] over the plane's x [X] and y [Y], two a row.

    A panel is (title, points [N, 2], whether on water [N], whether copies [N]).
    """
    rows = -(-len(panels) // 2)
    figure, grid = pyplot().subplots(rows, 2, figsize=(9, 2.35 * rows), squeeze=False, layout="constrained")
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (title, points, water, copy) in zip(grid.flat, panels, strict=False):
        axes.contour(x, y, mask, levels=[0.5], colors="gray", linewidths=0.5)
        axes.set(aspect=_ASPECT, xlim=(x[0], x[-1]), ylim=(-1, 1))
        axes.set_title(title, fontsize=9, loc="left")
        for chosen, color in ((~water & ~copy, "C0"), (water & ~copy, "C2"), (copy, "C1")):
            axes.plot(*points[chosen].T, ".", color=color, ms=2.5)
    names = (("C0", "on land"), ("C1", "a copy"), ("C2", "on water"))
    handles = [pyplot().Line2D([], [], ls="", marker=".", color=color, label=name) for color, name in names]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
    close(figure, path)
