"""Compare evaluated runs in one table: metrics, settings that differ, paired differences.

    python -m train compare RUN RUN ... [--out table.html] [--metrics nll frechet_distance]

The .html also has validation curves over one another and pictures side by side; a click on a head sorts its tables.
A RUN may be a folder of runs. A cell without a value says why. Differences are to the first run, or to --reference.
Seeds that two runs have in common are paired; where that is one seed, the test examples are.
"""

import dataclasses
import pathlib

import tyro

from train import runs
from train.engine import files
from train.engine.terminal import console
from train.errors import InputError
from train.report.comparison.data import as_csv, as_json
from train.report.comparison.runs import compare
from train.report.comparison.side_by_side import as_html
from train.report.comparison.tables import as_markdown, as_rich, tabulate

_FORMATS = {".md": as_markdown, ".csv": as_csv, ".json": as_json, ".html": as_html}


@dataclasses.dataclass(kw_only=True)
class Options:
    """Which runs, by which metrics, and where the table is written."""

    runs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Directories of evaluated runs, or folders of them."""
    out: tuple[str, ...] = ()
    """Files of the table, ending in .md, .csv, .json or .html; none: it is printed."""
    metrics: tuple[str, ...] = ()
    """Metrics and costs by the names of evaluation.json; none: all."""
    reference: str | None = None
    """Run, by its name in the table or its directory, to which the differences are; None: the first."""


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train compare", description=__doc__)
    for file in map(pathlib.Path, options.out):
        if file.suffix not in _FORMATS or not file.parent.is_dir() or file.is_dir():
            suffixes = ", ".join(_FORMATS)
            raise InputError(f"--out {file}: expected a file ending in one of {suffixes}, in an existing directory")
    if not options.runs:
        raise InputError("expected at least one run, or a folder of runs")
    found = compare(options.runs, options.metrics, options.reference)
    for file in map(pathlib.Path, options.out):
        files.write_text(file, _FORMATS[file.suffix](found))
        print(file)
    if options.out:
        return
    if not console.is_terminal:
        print(as_markdown(found), end="")
        return
    for table in tabulate(found):
        console.print(table.title)
        for part in as_rich(table, console.width):
            console.print(part)
        for note in table.notes:
            console.print(note)
