"""A comparison of runs as tables to read: in the terminal and in Markdown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from train.evaluation.estimates import Estimate, number
from train.report.comparison.runs import LOG_LIKELIHOODS, Comparison, likelihoods

_SETTINGS = "settings that differ"


class Cell(NamedTuple):
    """A number with its interval below it, the reason for which there is none, or a text."""

    text: str
    detail: str = ""
    kind: Literal["number", "reason", "text"] = "number"
    value: float | None = None  # of a number


class Table(NamedTuple):
    """Cells by the label of their row."""

    title: str
    header: list[str]
    rows: dict[str, list[Cell]]
    notes: list[str]


def tabulate(found: Comparison) -> list[Table]:
    """The table of all runs, and that of their differences to the first one if there are several."""
    rows = {
        label: [_steps(*run.steps), _settings(settings), *(_cell(run.get(name)) for name in found.columns)]
        for label, run, settings in zip(found.labels, found.runs, found.settings, strict=True)
    }
    runs = Table("Runs", ["steps", _SETTINGS, *found.columns], rows, _notes(found))
    if len(found.runs) == 1 or not found.differences[0]:
        return [runs]
    differences = dict(zip(found.labels[1:], found.differences[1:], strict=True))
    rows = {label: [_cell(each) for each in row.values()] for label, row in differences.items()}
    how = _intervals(each for row in differences.values() for each in row.values())
    return [runs, Table(f"Differences to {found.labels[0]}", list(found.differences[0]), rows, how)]


def _cell(found: Estimate | str) -> Cell:
    if isinstance(found, str):
        return Cell(found, kind="reason")
    if found.value is None:
        return Cell("not finite", kind="reason")
    if found.low is None or found.high is None:
        return Cell(number(found.value, found.unit), value=found.value)
    interval = f"[{number(found.low, found.unit)}, {number(found.high, found.unit)}]"
    return Cell(number(found.value, found.unit), interval, value=found.value)


def _steps(taken: int | None, expected: int | None) -> Cell:
    if taken is None or expected is None or taken >= expected:
        return Cell(str(taken), value=taken)
    return Cell(f"{taken} of {expected}", "below its config's", value=taken)


def _settings(settings: Mapping[str, Any]) -> Cell:
    return Cell(", ".join(f"{name}={value}" for name, value in settings.items()) or "none", kind="text")


def _notes(found: Comparison) -> list[str]:
    """Units, each once with all its columns; how intervals were computed; whether the data differs."""
    columns: dict[str, list[str]] = {}
    for name in found.columns:
        units = dict.fromkeys(run.found[name].unit for run in found.runs if name in run.found)
        columns.setdefault("; in other runs ".join(units), []).append(name)
    notes = [f"{', '.join(names)}: {unit}." for unit, names in columns.items()]
    if len({run.record["data_fingerprint"] for run in found.runs}) > 1:
        notes.append("The runs are of different data; across data their metrics are not comparable.")
    kinds = likelihoods(found.runs)
    if len(kinds) > 1 and set(LOG_LIKELIHOODS) & set(found.columns):
        named = ", ".join(name for name in found.columns if name in LOG_LIKELIHOODS)
        notes.append(f"{named}: not comparable between {'; '.join(kinds)}.")
    return notes + _intervals(run.get(name) for run in found.runs for name in found.columns)


def _intervals(found: Iterable[Estimate | str]) -> list[str]:
    how = dict.fromkeys(each.interval for each in found if isinstance(each, Estimate) and each.low is not None)
    return [f"95 % intervals: {'; '.join(how)}."] if how else []


def as_rich(table: Table, width: int) -> list[RichTable]:
    """The table in parts of as many columns as `width` holds; each part repeats the labels."""
    room = width - max(map(len, table.rows)) - 4
    parts: list[list[int]] = [[]]
    left = room
    for index, name in enumerate(table.header):
        lines = [name, *(line for row in table.rows.values() for line in row[index][:2])]
        size = max(map(len, lines)) + 2
        if parts[-1] and size > left:
            parts.append([])
            left = room
        parts[-1].append(index)
        left -= size
    return [_rich_part(table, columns) for columns in parts]


def _rich_part(table: Table, columns: Sequence[int]) -> RichTable:
    part = RichTable("run", box=box.SIMPLE)
    for index in columns:
        part.add_column(table.header[index], justify="left" if table.header[index] == _SETTINGS else "right")
    for label, row in table.rows.items():
        cells = [row[index] for index in columns]
        lines = ["\n".join(filter(None, cell[:2])) for cell in cells]
        part.add_row(
            Text(label),
            *(Text(text, "dim" if cell.kind == "reason" else "") for text, cell in zip(lines, cells, strict=True)),
        )
    return part


def as_markdown(found: Comparison) -> str:
    """Each table under its title, its notes below it."""
    return "\n".join(_markdown(table) for table in tabulate(found))


def _markdown(table: Table) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(' '.join(cell.split()).replace('|', '&#124;') for cell in cells)} |"

    def text(cell: Cell) -> str:
        return f"*{cell.text}*" if cell.kind == "reason" else f"{cell.text} {cell.detail}"

    lines = [line(["run", *table.header]), line(["---"] * (1 + len(table.header)))]
    lines += [line([label, *map(text, row)]) for label, row in table.rows.items()]
    return "\n\n".join([f"## {table.title}", "\n".join(lines), *table.notes]) + "\n"
