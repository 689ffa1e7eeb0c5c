"""report.html: headline numbers, figures, then metrics, configuration and provenance of a run, in one file."""

import ast
import html
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from train import runs
from train.config import ROOT
from train.engine import files, run_directory
from train.engine.record import provenance
from train.evaluation import estimates as estimation
from train.evaluation.estimates import Estimate
from train.report import added, page, pictures, published
from train.report.explorer import widget
from train.report.meanings import MEANINGS
from train.report.page import Section
from train.report.rows import Row
from train.runs import Run

_HEADLINES = 5
_FEATURES = "on features of "


def is_whole(path: pathlib.Path) -> bool:
    """Whether a run has a report that was not cut short."""
    file = path / "report.html"
    return file.is_file() and file.read_bytes().rstrip().endswith(b"</html>")


def write(run: Run, estimates: Mapping[str, Estimate]) -> pathlib.Path:
    """Draw the figures of a run and write report.html; returns its path."""
    sections = [Section("Test set", _headline(estimates, published.expected(run.record)))]
    sections += [
        Section(name, page.figure(drawn.path, drawn.caption, pixels=drawn.pixels))
        for name, drawn in pictures.draw(run).items()
    ]
    sections += widget.draw(run)
    sections.append(Section("All metrics", _metrics(estimates), folded=True))
    sections.append(_facts("Configuration", {"config": run.record["config"], **run.record["values"]}))
    sections.append(_facts("Data", _data(run)))
    sessions = run_directory.read_sessions(run.path)
    for number, session in enumerate(sessions, 1):
        facts = provenance.shown(session)
        facts |= facts.pop("machinery")
        sections.append(_facts(f"Provenance, session {number} of {len(sessions)}", facts))
    name, lead = pathlib.Path(run.record["config"]).stem, [*_about(run), _trained(run)]
    files.write_text(run.path / "report.html", page.render(name, lead, sections))
    return run.path / "report.html"


def add(run: Run, name: str, picture: pathlib.Path, caption: str) -> list[pathlib.Path]:
    """Add a picture to the report of a run, and rewrite the report if there is one; returns its path."""
    added.add(run, name, str(picture.relative_to(run.path)), caption)
    evaluated = (run.path / "evaluation.json").exists()
    return [write(run, estimation.read(run.path))] if evaluated else []


def _about(run: Run) -> list[str]:
    """The first line of the config's docstring, from the source that the run keeps, else from the checkout."""
    file = pathlib.Path(run.record["config"])
    for source in (run.path / "source" / "configs" / file.name, run.path / "source" / file.name, ROOT / file):
        try:
            return [(ast.get_docstring(ast.parse(source.read_bytes())) or "").partition("\n")[0]]
        except (OSError, SyntaxError, ValueError):
            continue
    return []


def _trained(run: Run) -> str:
    seeds = len(run.models)
    steps = runs.describe_step(run) if run.selected_by else f"{run.step} steps"
    several = "" if seeds == 1 else " Figures of examples and codes show the first seed."
    return f"{steps}, {seeds} seed{'s' if seeds > 1 else ''}, data {run.dataset.source}.{several}"


def _headline(estimates: Mapping[str, Estimate], rows: Mapping[str, tuple[Row, str]]) -> str:
    """A card for each metric of a published row, then for the first of MEANINGS that were measured, five in all."""
    chosen = [name for name in dict.fromkeys((*rows, *MEANINGS)) if name in estimates][:_HEADLINES]
    cards = [_card(name, estimates[name], rows.get(name)) for name in chosen]
    return f'<dl class="cards">{"".join(cards)}</dl>\n{_common([estimates[name] for name in chosen])}'


def _card(name: str, found: Estimate, row: tuple[Row, str] | None) -> str:
    notes = [] if found.low is None else [f"95 % interval {_interval(found)}"]
    notes.append(_meaning(name))
    if row is not None:
        spread = f" +- {row[0].spread:g}" if row[0].spread else ""
        notes.append(f"published {row[0].published}{spread} after {row[1]} ({row[0].paper}, {row[0].table})")
    details = "".join(f"<dd><small>{html.escape(note)}</small>" for note in filter(None, notes))
    value = f'<dd><span class="value">{_value(found)}</span> {html.escape(_unit(found))}'
    return f"<div><dt>{page.breakable(name)}{value}{details}</div>"


def _metrics(estimates: Mapping[str, Estimate]) -> str:
    head = '<tr class="head"><th>metric<th>value<th>unit<th>95 % interval<th>meaning</tr>'
    rows = [
        f'<tr><th scope="row">{page.breakable(name)}<td class="number">{_value(found)}<td>{html.escape(_unit(found))}'
        f'<td class="number">{_interval(found)}<td><small>{html.escape(_meaning(name))}</small></tr>'
        for name, found in estimates.items()
    ]
    return f'<table class="metrics">{head}{"".join(rows)}</table>\n{_common(estimates.values())}'


def _meaning(name: str) -> str:
    known = MEANINGS.get(name)
    return "" if known is None else f"{known.text} {known.better.capitalize()}".strip() + "." * bool(known.better)


def _common(found: Iterable[Estimate]) -> str:
    """What units and intervals share, said once."""
    found = list(found)
    features = dict.fromkeys(each.unit.partition(_FEATURES)[2] for each in found if _FEATURES in each.unit)
    how = dict.fromkeys(each.interval for each in found if each.low is not None)
    notes = [f"Samples are compared {_FEATURES}{name}." for name in features]
    notes += [f"95 % intervals: {'; '.join(how)}."] if how else []
    return "".join(f"<p><small>{html.escape(note)}</small></p>" for note in notes)


def _unit(found: Estimate) -> str:
    """The unit without the features, which `_common` names."""
    return found.unit.partition(_FEATURES)[0].rstrip(", ")


def _value(found: Estimate) -> str:
    return "none" if found.value is None else estimation.number(found.value, found.unit)


def _interval(found: Estimate) -> str:
    if found.low is None or found.high is None:
        return "none"
    return f"{estimation.number(found.low, found.unit)} to {estimation.number(found.high, found.unit)}"


def _data(run: Run) -> dict[str, Any]:
    data = run.dataset
    sizes = {f"{name} examples": len(part["x"]) for name, part in _parts(run).items()}
    return {"source": data.source, "fingerprint": data.fingerprint, "validation": data.valid_is, **sizes}


def _parts(run: Run) -> dict[str, Mapping[str, Any]]:
    return {"training": run.dataset.train, "validation": run.dataset.valid, "test": run.dataset.test}


def _facts(title: str, values: Mapping[str, Any]) -> Section:
    text = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}
    return Section(title, page.table(text), folded=True)
