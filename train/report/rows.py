"""The table of published numbers: rows.toml, the verdict on each row, and the table as text."""

import dataclasses
import json
import pathlib
import tomllib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Literal, get_args

import numpy as np

from train.engine.files import read_json, write_text
from train.errors import InputError
from train.evaluation import estimates
from train.evaluation.estimates import Estimate

Verdict = Literal["reproduced", "close", "missed", "budget", "open"]
Mark = Literal["V", "2nd", "mem"]
_CLOSE = 0.01  # of the published value
_DIGITS = {"of 1": 4, "nats": 2, "modes": 1}  # with which values of a unit are written
_HEAD = """# Published numbers, and what is reached here

Written by `python -m train reproduce` from rows.toml. A row is one model on one data set. *Reproduced*: under the
published protocol, the published value, with its spread or else half of its last digit, meets our 95 % interval (over
seeds; over test examples where a fit has no randomness). *Close*: within 1 % of it. *Budget*: fewer steps than the
protocol has. *Open*: not measured yet. Marks say where the published number and its protocol are from: V read in paper
or code, 2nd quoted elsewhere, mem from memory. A row is counted unless both are from memory.
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One model on one data set, as published and as measured here."""

    id: str
    paper: str
    table: str
    row: str
    system: str
    data: str
    metric: str  # its name in evaluation.json
    published: str  # as it is printed there, so that its last digit is known
    spread: float  # of the published value; 0 where none is given
    unit: str
    mark_number: Mark  # V: read in paper or code; 2nd: quoted elsewhere; mem: from memory
    mark_protocol: Mark
    command: str  # arguments of `python -m train`; {seed} stands for the seed
    seeds: int
    part: str = "test"  # of the data on which it is measured
    file: str = ""  # record, or folder of records of single seeds, below docs/results; "": nothing yet
    value: str = ""  # as rounded in the pages; "": not measured
    low: str = ""
    high: str = ""
    verdict: Verdict = "open"
    cause: str = ""  # why the number is missed
    deviations: str = ""  # from the published protocol

    @property
    def counts(self) -> bool:
        """Whether the row counts as reproduced: number and protocol are not both from memory."""
        return self.verdict == "reproduced" and {self.mark_number, self.mark_protocol} != {"mem"}


def read(path: pathlib.Path) -> list[Row]:
    """Read the rows of a rows.toml; InputError that names the row where one is not as expected."""
    try:
        found = tomllib.loads(path.read_text())["row"]
    except (OSError, KeyError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: expected a file of [[row]] tables ({error})") from error
    rows = []
    for number, values in enumerate(found):
        name = values.get("id", number)
        try:
            row = Row(**values)
        except TypeError as error:
            raise InputError(f"{path}: row {name}: expected other fields ({error})") from error
        if row.unit not in _DIGITS:
            raise InputError(f"{path}: row {name}: unit {row.unit!r}; expected {', '.join(_DIGITS)}")
        if row.verdict not in get_args(Verdict):
            raise InputError(f"{path}: row {name}: verdict {row.verdict!r}; expected {', '.join(get_args(Verdict))}")
        rows.append(row)
    return rows


def is_cut(record: pathlib.Path) -> bool:
    """Whether the record of a seed is of fewer steps than the protocol has."""
    return read_json(record, dict[str, Any], "a record").get("budget") == "cpu"


def write(path: pathlib.Path, rows: Iterable[Row]) -> None:
    """Write rows.toml; fields that are empty are left out."""

    def table(row: Row) -> str:
        lines = [
            f"{name} = {json.dumps(value, ensure_ascii=False)}"
            for name, value in dataclasses.asdict(row).items()
            if value != "" and (name, value) != ("part", "test")
        ]
        return "\n".join(["[[row]]", *lines]) + "\n"

    write_text(path, "\n".join(map(table, rows)))


def measured(row: Row, results: pathlib.Path) -> Estimate:
    """The estimate in a row's record, or over the records of single seeds; InputError where one cannot be read."""
    path = results / row.file
    try:
        files = sorted(path.glob("*.json"), key=lambda file: int(file.stem)) if path.is_dir() else [path]
        found = [Estimate(**json.loads(file.read_text())["metrics"][row.metric]) for file in files]
        first, *others = found
        if not others and len(first.seeds) == 1:
            return first
        seeds = [estimate.seeds[0] for estimate in found] if others else first.seeds
        values = [np.array([seed], float) for seed in seeds]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path}: expected a record with {row.metric} for row {row.id} ({error})") from error
    most = float(first.unit.split()[1]) if row.unit in ("modes", "of 1") else None  # "of 25"
    return estimates.estimate(first.unit, values, most=most)


def with_measurement(row: Row, found: Estimate, *, cut: bool = False) -> Row:
    """The row with value, interval and verdict; `cut` says that the protocol's steps were cut."""
    if found.value is None or found.low is None or found.high is None:
        raise InputError(f"row {row.id}: expected {row.metric} with an interval, over seeds or test examples")
    digits = _DIGITS[row.unit]
    value, low, high = (f"{number:.{digits}f}" for number in (found.value, found.low, found.high))
    judged: Verdict = "budget" if cut else judge(row, found.value, found.low, found.high)
    if row.seeds > 1 and len(found.seeds) == 1:  # its interval is over examples alone
        judged = "open"
    return dataclasses.replace(row, value=value, low=low, high=high, verdict=judged)


def judge(row: Row, value: float, low: float, high: float) -> Verdict:
    """`reproduced` where the published value meets the 95 % interval, `close` within 1 % of it, else `missed`.

    The published value is taken with its spread, or half of its last digit where it has none.
    """
    published, half = float(row.published), row.spread or 0.5 * 10.0 ** int(Decimal(row.published).as_tuple().exponent)
    if low <= published + half and published - half <= high:
        return "reproduced"
    return "close" if abs(value - published) <= _CLOSE * abs(published) else "missed"


def markdown(rows: Sequence[Row]) -> str:
    """The table as Markdown, a line a row."""
    lines = [
        "| row | system, data | published | here, 95 % interval | verdict | command, cause, deviations |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        spread = f" +- {row.spread:g}" if row.spread else ""
        ours = f"[{row.value}]({row.file}) [{row.low}, {row.high}]" if row.value else ""
        notes = [f"`{row.command}`", row.cause, row.deviations]
        source = f"{row.paper}, {row.table}: {row.row}"
        lines.append(
            f"| `{row.id}` | {row.system}, {row.data} | {row.published}{spread} {row.unit} ({source}; "
            f"{row.mark_number}/{row.mark_protocol}) | {ours} | {row.verdict} | {'. '.join(filter(None, notes))} |"
        )
    return "\n".join(lines) + "\n"


def page(rows: Sequence[Row]) -> str:
    """The page of the table, docs/results/published.md."""
    return f"{_HEAD}\n{summary(rows)}\n{markdown(rows)}"


def totals(rows: Sequence[Row]) -> str:
    """The number of rows by verdict, as part of a sentence."""
    numbers = {verdict: sum(row.verdict == verdict for row in rows) for verdict in get_args(Verdict)}
    return (
        f"{numbers['reproduced']} are reproduced, {numbers['close']} missed by less than 1 %, {numbers['missed']} by "
        f"more, {numbers['budget']} tried with fewer steps, {numbers['open']} not measured yet"
    )


def summary(rows: Sequence[Row]) -> str:
    """The number of rows by system and verdict, as Markdown."""
    verdicts = get_args(Verdict)
    lines = ["| system | counted | " + " | ".join(verdicts) + " |", "| --- " * (len(verdicts) + 2) + "|"]
    systems = list(dict.fromkeys(row.system for row in rows))
    for system in [*systems, "all"]:
        chosen = [row for row in rows if system in (row.system, "all")]
        numbers = [sum(row.counts for row in chosen)]
        numbers += [sum(row.verdict == verdict for row in chosen) for verdict in verdicts]
        lines.append(f"| {system} | " + " | ".join(map(str, numbers)) + " |")
    return "\n".join(lines) + "\n"
