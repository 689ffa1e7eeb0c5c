"""report.html: metrics, figures, configuration and provenance of a run in one self-contained file."""

import base64
import html
import json
import pathlib
import string
from collections.abc import Mapping, Sequence
from typing import Any

from train import runs
from train.engine import files, run_directory
from train.engine.record import provenance
from train.evaluation import estimates as estimation
from train.evaluation.estimates import Estimate
from train.report import pictures
from train.runs import Run

_PAGE = string.Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top }
td { overflow-wrap: anywhere }
td.name { overflow-wrap: normal }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
img { max-width: 100%; image-rendering: pixelated }
figure { margin: 1.5rem 0 }
figcaption, td small { color: #555 }
td.reason { color: #555; font-style: italic }
td.text { min-width: 18rem }
.wide { overflow-x: auto }
.wide td, .wide th { padding-right: 1.5rem; min-width: 5rem }
.wide th[scope=row] { position: sticky; left: 0; background: #fff; overflow-wrap: anywhere }
</style>
<h1>$title</h1>
<p>$lead</p>
$body
</html>
""")


def is_whole(path: pathlib.Path) -> bool:
    """Whether a run has a report that was not cut short."""
    file = path / "report.html"
    return file.is_file() and file.read_bytes().rstrip().endswith(b"</html>")


def write(run: Run, estimates: Mapping[str, Estimate]) -> pathlib.Path:
    """Draw the figures of a run and write report.html; returns its path."""
    body = [_numbers(estimates)]
    body += [_figure(name, path, caption) for name, (path, caption) in pictures.draw(run).items()]
    sessions = run_directory.read_sessions(run.path)
    body.append(_table("Configuration", {"config": run.record["config"], **run.record["values"]}))
    data = {"source": run.dataset.source, "fingerprint": run.dataset.fingerprint, "validation": run.dataset.valid_is}
    sizes = {
        f"{name} examples": len(part["x"])
        for name, part in (
            ("training", run.dataset.train),
            ("validation", run.dataset.valid),
            ("test", run.dataset.test),
        )
    }
    body.append(_table("Data", {**data, **sizes}))
    for number, session in enumerate(sessions, 1):
        facts = provenance.shown(session)
        facts |= facts.pop("machinery")
        body.append(_table(f"Provenance, session {number} of {len(sessions)}", facts))
    name = pathlib.Path(run.record["config"]).stem
    seeds = len(run.models)
    several = "" if seeds == 1 else " Figures of examples and codes show the first seed."
    steps = runs.describe_step(run) if run.selected_by else f"{run.step} steps"
    lead = f"{steps}, {seeds} seed{'s' if seeds > 1 else ''}, data {run.dataset.source}.{several}"
    files.write_text(run.path / "report.html", page(name, lead, body))
    return run.path / "report.html"


def add(run: Run, name: str, picture: pathlib.Path, caption: str) -> list[pathlib.Path]:
    """Add a picture to the report of a run, and rewrite the report if there is one; returns its path."""
    pictures.add(run, name, str(picture.relative_to(run.path)), caption)
    evaluated = (run.path / "evaluation.json").exists()
    return [write(run, estimation.read(run.path))] if evaluated else []


def page(title: str, lead: str, body: Sequence[str]) -> str:
    """A self-contained page of parts that are HTML; title and lead are text."""
    return _PAGE.substitute(title=html.escape(title), lead=html.escape(lead), body="\n".join(body))


def _numbers(estimates: Mapping[str, Estimate]) -> str:
    head = "<tr><th>metric<th>value<th>unit<th>95 % interval<th>from</tr>"
    rows = [
        f'<tr><td class="name">{_breakable(name)}<td class="number">{_value(found)}<td>{html.escape(found.unit)}'
        f'<td class="number">{_interval(found)}<td>{html.escape(found.interval)}</tr>'
        for name, found in estimates.items()
    ]
    return f"<h2>Test set</h2>\n<table>{head}{''.join(rows)}</table>"


def _breakable(name: str) -> str:
    """The name with line breaks allowed between its words."""
    return html.escape(name).replace("_", "_<wbr>")


def _value(found: Estimate) -> str:
    return "none" if found.value is None else estimation.number(found.value, found.unit)


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "none"
    return f"{estimation.number(found.low, found.unit)} to {estimation.number(found.high, found.unit)}"


def _table(title: str, values: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><th>{html.escape(name)}<td>{html.escape(text)}</tr>"
        for name, text in (
            (name, value if isinstance(value, str) else json.dumps(value)) for name, value in values.items()
        )
    ]
    return f"<h2>{html.escape(title)}</h2>\n<table>{''.join(rows)}</table>"


def _figure(name: str, path: pathlib.Path, caption: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<h2>{html.escape(name)}</h2>\n<figure><img alt="{html.escape(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
