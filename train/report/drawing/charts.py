"""Line charts and histograms. Each function writes one PNG and knows nothing of runs or models."""

import functools
import io
import logging
import pathlib
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from train.engine.files import write_bytes
from train.evaluation.estimates import Estimate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = np.ndarray


@functools.cache
def pyplot() -> ModuleType:
    """Matplotlib's pyplot, which is loaded when the first picture is drawn."""
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)  # it tells of its caches and fonts, on the screen
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    # Colors that readers with a color vision deficiency tell apart (Petroff 2021); text of an SVG stays text.
    plt.style.use("petroff10")
    plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "jaxgen"})
    return plt


def save_curves(path: pathlib.Path, log: Sequence[dict], names: Sequence[str], label: str = "value") -> None:
    """Metrics over steps, one line per seed, from the entries of metrics.jsonl; `label` names the vertical axis."""
    figure, axes = pyplot().subplots(figsize=(5.2, 3.4), layout="constrained")  # readable on a phone
    for number, name in enumerate(names):
        lines = [entry for entry in log if name in entry]
        values = np.array([np.atleast_1d(entry[name]) for entry in lines], float)  # null is nan, which draws no point
        steps = [entry["step"] for entry in lines]
        marker = "." if len(lines) == 1 else ""  # a single point draws no line
        for seed, curve in enumerate(values.T):
            axes.plot(steps, curve, color=f"C{number}", lw=1, marker=marker, label=name if seed == 0 else None)
    values = np.concatenate([np.ravel(entry[name]) for name in names for entry in log if name in entry]).astype(float)
    low, high = _limits(values)
    axes.set(xlabel="step", ylabel=label, ylim=(low, high))
    if above := int((values > high).sum()):
        axes.set_title(f"{above} of {np.isfinite(values).sum()} values lie above {high:.4g}", fontsize=9, loc="left")
    axes.legend()
    close(figure, path)


def save_overlaid(path: pathlib.Path, logs: Mapping[str, Sequence[dict]], name: str, label: str) -> None:
    """A metric over steps of several runs by name, the mean over the seeds of each; `label` names the vertical axis."""
    figure, axes = pyplot().subplots(figsize=(5.2, 3.4), layout="constrained")
    curves = {}
    for run, log in logs.items():
        lines = [(line["step"], np.array(line[name], float)) for line in log if name in line]
        # null is nan: of a seed that has stopped
        means = [(step, np.nanmean(value)) for step, value in lines if np.isfinite(value).any()]
        if means:
            curves[run] = np.array(means).T
    for number, (run, (steps, values)) in enumerate(curves.items()):
        # A page may hold more runs than colors.
        style = ("-", "--", ":", "-.")[number // 10 % 4]
        axes.plot(steps, values, style, color=f"C{number % 10}", lw=1, marker="." if len(steps) == 1 else "", label=run)
    values = np.concatenate([each[1] for each in curves.values()])
    low, high = _limits(values)
    axes.set(xlabel="step", ylabel=label, ylim=(low, high))
    above = f", {(values > high).sum()} of {len(values)} values above {high:.4g}" if (values > high).any() else ""
    axes.set_title(f"{name}{above}", fontsize=9, loc="left")
    axes.legend(fontsize=8)
    close(figure, path)


def save_rate_distortion(path: pathlib.Path, points: Sequence[tuple[str, float, float]], label: str) -> None:
    """Points (value of `label`, rate, distortion) of several runs, and the line of their lowest negative ELBO."""
    _, rates, distortions = zip(*points, strict=True)
    figure, axes = pyplot().subplots(figsize=(6.5, 4.5), layout="constrained")
    best = min(rate + distortion for rate, distortion in zip(rates, distortions, strict=True))
    axes.axline((0, best), slope=-1, color="gray", lw=1, ls="--", label=f"negative ELBO {best:.1f} nats")
    axes.plot(rates, distortions, "o-")
    for name, rate, distortion in points:
        axes.annotate(f"{label} {name}", (rate, distortion), (5, 5), textcoords="offset points")
    axes.set(xlabel="rate: KL, nats", ylabel="distortion: reconstruction, nats", xlim=(0, max(rates) * 1.15))
    margin = 0.1 * float(np.ptp(distortions)) or 1.0
    axes.set_ylim(min(distortions) - margin, max(distortions) + margin)
    axes.legend()
    close(figure, path)


def save_histograms(path: pathlib.Path, panels: Sequence[tuple[str, str, Array, Array, float]]) -> None:
    """Histograms of in- and out-of-distribution scores, one panel each.

    A panel is (title, x label, in-distribution scores [N], out-of-distribution scores [M], threshold).
    """
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    figure, grid = pyplot().subplots(
        rows, columns, figsize=(5.5 * columns, 3.3 * rows), squeeze=False, layout="constrained"
    )
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, (title, label, known, novel, threshold) in zip(grid.flat, panels, strict=False):
        # Extreme scores would squeeze all others into one bar; they are counted in the first and the last bar.
        ends = np.concatenate([np.quantile(scores, [0.005, 0.995]) for scores in (known, novel)])
        low, high = ends.min(), max(ends.max(), threshold)
        bins = np.linspace(low, high if high > low else low + 1, 51)
        for name, scores in (("in-distribution", known), ("out-of-distribution", novel)):
            shares = np.full(len(scores), 1 / len(scores))
            axes.hist(np.clip(scores, bins[0], bins[-1]), bins, weights=shares, alpha=0.6, label=name)
        axes.axvline(threshold, color="black", lw=1, ls="--", label="threshold")
        axes.set(title=title, ylabel="share of examples")
        axes.set_xlabel(label, fontsize=8)
    grid[0, 0].legend()
    close(figure, path)


def save_minmax(path: pathlib.Path, x: Array, optimum: dict, steps: Array, way: dict, bound: dict) -> None:
    """Densities and D over x [G], gradient norms over steps [P]; arrays have a leading axis of seeds."""
    figure, (left, middle, right) = pyplot().subplots(1, 3, figsize=(13, 4), layout="constrained")
    for name, known, found in (("p", "p", "implied_p"), ("D", "optimal_d", "d")):
        color = "C0" if name == "p" else "C1"
        left.plot(x, optimum[found].T, color=color, lw=0.5, alpha=0.6)
        left.plot(x, optimum[known][0], color=color, ls="--", lw=2, label=f"{name}, optimal")
    left.plot(x, optimum["d_at_the_end"].T, color="C2", lw=0.5, alpha=0.6)
    left.plot([], color="C2", label="D where q = p")
    left.set(xlabel="x", title="D, and q D / (1 - D), at the optimum", xlim=(-4, 4), ylim=(-0.02, 1.02))
    middle.set(xlabel="steps of the discriminator", title="gradient of the generator's loss", yscale="log")
    right.set(xlabel="steps of the critic", title="gradient of the critic", yscale="log")
    for axes, curves in ((middle, way), (right, bound)):
        for number, (name, values) in enumerate(curves.items()):
            axes.plot(steps, values.T, color=f"C{number}", lw=0.7)
            axes.plot([], color=f"C{number}", label=name.replace("_", " "))
    for axes in (left, middle, right):
        axes.legend()
    close(figure, path)


def save_crossing(
    path: pathlib.Path,
    sizes: Sequence[int],
    curves: Mapping[str, Sequence[Estimate]],
    floor: float | None,
    *,
    of: str = "examples",
) -> None:
    """Test errors over the number of training examples, by classifier, and the Bayes error if it is known."""
    figure, axes = pyplot().subplots(figsize=(7, 4.5), layout="constrained")
    for number, (name, values) in enumerate(curves.items()):
        # Without an interval, low and high are nan and no band is drawn.
        mean, low, high = np.array([(found.value, found.low, found.high) for found in values], float).T
        axes.plot(sizes, mean, "o-", ms=4, color=f"C{number}", label=name)
        axes.fill_between(sizes, low, high, color=f"C{number}", alpha=0.25, lw=0)
    if floor is not None:
        axes.axhline(floor, color="gray", lw=1, ls="--", label=f"Bayes error, {floor:.4f}")
    axes.set(xlabel=f"training {of} m", ylabel="test error, mean and 95 % interval", xscale="log", yscale="log")
    # Plain numbers: 0.2 is easier to read than 2 x 10^-1.
    from matplotlib import ticker

    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    axes.grid(alpha=0.3)
    axes.legend()
    close(figure, path)


def class_color(label: int) -> str | tuple:
    """Color of a class, the same in every chart."""
    return f"C{label}" if label < 10 else pyplot().get_cmap("tab20b")(label % 20)


def close(figure: "Figure", path: pathlib.Path) -> None:
    """Write a figure as its suffix says, and close it."""
    content = io.BytesIO()
    metadata = {"Date": None} if path.suffix == ".svg" else None  # the same figure is the same file
    # Axes of equal scale may extend beyond the figure; a tight box includes all that was drawn.
    figure.savefig(content, format=path.suffix[1:], dpi=120, bbox_inches="tight", metadata=metadata)
    pyplot().close(figure)
    write_bytes(path, content.getvalue())


def _limits(values: Array) -> tuple[float, float]:
    """A range without the highest 5 % of the values: the first steps would otherwise set the scale."""
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(np.quantile(values, 0.95))) if values.size else (0.0, 1.0)
    margin = 0.05 * (high - low) or 1.0
    return low - margin, high + margin
