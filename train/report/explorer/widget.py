"""The explorer as HTML: sprite sheets, controls that a keyboard reaches, and the script that joins them."""

import base64
import html
import io
import json
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from train.report.drawing import charts
from train.report.explorer.decodings import ALPHAS, DEVIATIONS, Decodings, Plane, decode
from train.report.page import Section
from train.runs import Run

_SCRIPT = pathlib.Path(__file__).with_name("explorer.js").read_text()
_STYLE = """
.explorer fieldset { border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 1rem; display: flex;
  flex-wrap: wrap; gap: 1rem; align-items: center; min-width: 0 }
.explorer legend { font-weight: 600 }
.explorer .tile { width: 9rem; flex: none; image-rendering: pixelated; border: 1px solid var(--line) }
.explorer .wide-tile { width: 24rem; max-width: 100% }
.explorer .map { width: 16rem; max-width: 100%; border: 1px solid var(--line); touch-action: none; background: #fff }
.explorer .controls { flex: 1 1 12rem; min-width: 0 }
.explorer label { display: block; margin: .3rem 0 }
.explorer input[type=range] { width: 100%; margin: .4rem 0 }
"""


def draw(run: Run) -> list[Section]:
    """The explorer as a section of a page; none for a model without a decoder of images."""
    found = decode(run)
    return [] if found is None else [section(found)]


def section(found: Decodings) -> Section:
    """The section of a page."""
    panes = [_map(found.plane)]
    if found.walks is not None:
        panes.append(_classes(found.walks, found.classes))
    panes.append(_components(found.components, found.plane))
    if len(found.steps) > 1:
        panes.append(_training(found.training, found.steps))
    body = (
        f"<style>{_STYLE}</style><noscript><p>The explorer needs JavaScript; all other parts do not.</p></noscript>"
        f'<div class="explorer">{"".join(panes)}</div><script>{_SCRIPT}</script>'
    )
    return Section("Explore the latent space", body)


def _map(plane: Plane) -> str:
    """A map of the codes, and the image decoded from the place that the pointer or the sliders choose."""
    size = round(len(plane.images) ** 0.5)
    name = "principal component" if plane.is_projection else "z"
    across, up = (np.linspace(plane.low[axis], plane.high[axis], size) for axis in range(2))
    controls = _slider("across", f"{name} 1", across, size // 2) + _slider("up", f"{name} 2", up, size // 2)
    tile = _tile("plane", plane.images.reshape(size, size, *plane.images.shape[1:]))
    return _pane("map", "Map: hover, or use the sliders", _points(plane) + tile, controls)


def _points(plane: Plane) -> str:
    """The codes as an SVG, by class in color and with the class's name at its median."""
    from matplotlib import colors

    charts.pyplot()  # sets the colors
    at = 100 * (plane.points - plane.low) / (plane.high - plane.low)
    at[:, 1] = 100 - at[:, 1]
    y = np.zeros(len(at), int) if plane.y is None else plane.y
    dots = []
    for label in np.unique(y):
        path = "".join(f"M{x1:.1f} {x2:.1f}h0" for x1, x2 in at[y == label])
        color = colors.to_hex(charts.class_color(int(label)))
        dots.append(f'<path d="{path}" stroke="{color}" stroke-width="1.4" stroke-linecap="round" fill="none"/>')
    for label in [] if plane.y is None else np.unique(y):
        x1, x2 = np.median(at[y == label], axis=0)
        dots.append(
            f'<text x="{x1:.1f}" y="{x2:.1f}" font-size="6" text-anchor="middle" dominant-baseline="central" '
            f'font-weight="bold" stroke="#fff" stroke-width="1.5" paint-order="stroke">{label}</text>'
        )
    return (
        f'<svg class="map" viewBox="0 0 100 100" role="img" aria-label="Codes of test examples">{"".join(dots)}'
        '<circle class="cursor" cx="50" cy="50" r="2.5" fill="none" stroke="#000"/></svg>'
    )


def _classes(walks: np.ndarray, classes: np.ndarray) -> str:
    """A slider along the line between the mean codes of two classes."""
    source = _choice("source", "from class", classes, len(classes) - 1)
    target = _choice("target", "to class", classes, 0)
    alpha = _slider("alpha", "alpha", ALPHAS, len(ALPHAS) // 4)
    return _pane("classes", "From one class to another", _tile("walks", walks), source + target + alpha)


def _components(images: np.ndarray, plane: Plane) -> str:
    """A slider along each component, from the mean code."""
    name = "principal component" if plane.is_projection else "z"
    names = [f"{name} {number}" for number in range(1, len(images) + 1)]
    choice = _choice("component", "along", names, 0)
    value = _slider("deviation", "standard deviations", DEVIATIONS, len(DEVIATIONS) // 2)
    return _pane("components", "Along a component", _tile("components", images), choice + value)


def _training(images: np.ndarray, steps: Sequence[int]) -> str:
    """A slider over the kept checkpoints, each of which decodes the same codes."""
    strips = images.transpose(0, 2, 1, 3, 4).reshape(len(images), 1, images.shape[2], -1, images.shape[-1])
    step = _slider("step", "step", np.array(steps), len(steps) - 1)
    return _pane("training", "The same codes as training goes on", _tile("training", strips, wide=True), step)


def _pane(name: str, title: str, shown: str, controls: str) -> str:
    return (
        f'<fieldset data-pane="{name}"><legend>{html.escape(title)}</legend>{shown}'
        f'<div class="controls">{controls}<output aria-live="polite"></output></div></fieldset>'
    )


def _slider(name: str, label: str, values: np.ndarray, start: int) -> str:
    """A slider over the positions of `values`, which the script reads from it."""
    shown = html.escape(json.dumps([round(float(value), 2) for value in values]))
    return (
        f'<label>{html.escape(label)}<input type="range" name="{name}" min="0" max="{len(values) - 1}" value="{start}" '
        f'data-label="{html.escape(label)}" data-values="{shown}"></label>'
    )


def _choice(name: str, label: str, options: Sequence | np.ndarray, chosen: int) -> str:
    entries = "".join(
        f'<option value="{index}"{" selected" if index == chosen else ""}>{html.escape(str(option))}'
        for index, option in enumerate(options)
    )
    return f'<label>{html.escape(label)} <select name="{name}">{entries}</select></label>'


def _tile(name: str, images: np.ndarray, *, wide: bool = False) -> str:
    """A window on a sheet of images [R, A, H, W, C]."""
    rows, columns, height, width, channels = images.shape
    sheet = images.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, channels)
    pixels = np.round(255 * sheet).astype(np.uint8)
    content, kind = io.BytesIO(), "tile wide-tile" if wide else "tile"
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(content, format="png", optimize=True)
    data = base64.b64encode(content.getvalue()).decode()
    return (
        f'<div class="{kind}" role="img" data-sheet="{name}" data-rows="{rows}" data-columns="{columns}" '
        f'style="aspect-ratio: {width} / {height}; background-size: {100 * columns}% {100 * rows}%; '
        f'background-image: url(data:image/png;base64,{data})"></div>'
    )
