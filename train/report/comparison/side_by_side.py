"""A comparison of runs as one page: sortable tables, curves over one another, pictures side by side."""

import html
import pathlib
import tempfile
from collections.abc import Iterator

from train.engine.record import log
from train.evaluation.estimates import UNITS
from train.report import page
from train.report.comparison.runs import Comparison
from train.report.comparison.tables import Cell, Table, tabulate
from train.report.drawing import charts

_MOST_CURVES = 4  # metrics
_PICTURES = {
    "samples": "Samples. Models of one seed and of codes of one size have decoded the same codes.",
    "reconstructions": "Reconstructions: x, test examples, and r, below each, its decoding.",
    "latent": "Codes of test examples.",
}


def as_html(found: Comparison) -> str:
    """A self-contained page, whose tables scroll sideways and are sorted by a click on a head."""
    script = (pathlib.Path(__file__).parent / "sort.js").read_text()
    tables = [_html(table) for table in tabulate(found)]
    tables[-1] = tables[-1]._replace(body=f"{tables[-1].body}\n<script>\n{script}</script>")
    return page.render("Comparison", [", ".join(found.labels)], [*tables, *_curves(found), *_pictures(found)])


def _html(table: Table) -> page.Section:
    def cell(each: Cell) -> str:
        detail = f"<br><small>{html.escape(each.detail)}</small>" if each.detail else ""
        value = "" if each.value is None else f' data-value="{each.value!r}"'
        return f'<td class="{each.kind}"{value}>{html.escape(each.text)}{detail}'

    names = ["run", *map(page.breakable, table.header)]
    head = "".join(f'<th scope="col">{name}' for name in names)
    rows = [
        f'<tr><th scope="row">{html.escape(label)}{"".join(map(cell, row))}</tr>' for label, row in table.rows.items()
    ]
    notes = "".join(f"<li>{html.escape(note)}" for note in table.notes)
    return page.Section(
        table.title,
        f'<div class="wide" role="region" aria-label="{html.escape(table.title)}" tabindex="0">'
        f'<table class="sortable"><tr>{head}</tr>{"".join(rows)}</table></div>\n<ul>{notes}</ul>',
    )


def _curves(found: Comparison) -> list[page.Section]:
    """Validation metrics over steps that at least two runs have logged."""
    logs = {label: log.read(run.path / "metrics.jsonl") for label, run in zip(found.labels, found.runs, strict=True)}
    logged = [{name for line in lines for name in line} for lines in logs.values()]
    shared = [name for name in UNITS if sum(f"valid_{name}" in names for names in logged) > 1][:_MOST_CURVES]
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name in shared:
            file = pathlib.Path(folder) / f"{name}.svg"
            charts.save_overlaid(file, logs, f"valid_{name}", UNITS[name])
            figures.append(page.figure(file, f"valid_{name} over steps, the mean over the seeds of each run."))
    return [page.Section("Curves", f'<div class="side">{"".join(figures)}</div>')] if figures else []


def _pictures(found: Comparison) -> Iterator[page.Section]:
    """The pictures that the reports of at least two runs show under one name."""
    for name, about in _PICTURES.items():
        figures = []
        for label, run in zip(found.labels, found.runs, strict=True):
            folder = run.path.resolve() / "figures"
            files = [file for file in (folder / f"{name}.png", folder / f"{name}.svg") if file.is_file()]
            # A link could lead to any file of whoever makes the page.
            figures += [
                page.figure(file, label, pixels=file.suffix == ".png") for file in files if file.resolve() == file
            ]
        if len(figures) > 1:
            yield page.Section(
                name.capitalize(), f'<p>{html.escape(about)}</p><div class="side">{"".join(figures)}</div>'
            )
