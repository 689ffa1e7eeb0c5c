"""Watch a run while it trains: its curves and how it stands, on a page that renews itself.

    python -m train watch RUN [--every 10] [--open]

Writes RUN/watch.html anew whenever the run has logged more, until its report is there. It opens no model and no data,
and may run anywhere that sees the run's directory.
"""

import dataclasses
import pathlib
import tempfile
import time

import tyro

from train import runs
from train.engine import files, run_directory
from train.engine.record import log
from train.engine.record.standing import Standing
from train.engine.terminal import console, open_page
from train.experiment import Rate
from train.report import html, page, pictures
from train.report.page import Section


@dataclasses.dataclass(kw_only=True)
class Options:
    """Which run, and how often."""

    run: tyro.conf.Positional[str]
    """Directory of the run."""
    every: Rate = 10.0
    """Seconds between two looks."""
    open: bool = False
    """Open the page in a browser."""


def stand(path: pathlib.Path, lines: list[dict]) -> Standing:
    """How a run stands after these lines of its log; in a run of epochs the last step is not known."""
    values = run_directory.read_config(path)["values"]
    last = values.get("steps") if values.get("unit", "step") == "step" else None
    standing = Standing(last, values.get("select"))
    for line in lines:
        standing.see(line)
    return standing


def render(path: pathlib.Path, lines: list[dict], refresh: float | None) -> str:
    """The page, which a browser loads again every `refresh` seconds."""
    name = pathlib.Path(run_directory.read_config(path)["config"]).stem
    with tempfile.TemporaryDirectory() as folder:
        sections = [
            Section(title, page.figure(drawn.path, drawn.caption))
            for title, drawn in pictures.curves(lines, pathlib.Path(folder)).items()
        ]
    ended = "It has ended; report.html has all that was measured." if refresh is None else "It is not finished."
    return page.render(f"{name}, watched", [stand(path, lines).line(), ended], sections, refresh=refresh)


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train watch", description=__doc__)
    path, seen = pathlib.Path(options.run), None
    run_directory.read_config(path)
    while True:
        ended, lines = html.is_whole(path), log.read(path / "metrics.jsonl")
        if ended or lines != seen:
            files.write_text(path / "watch.html", render(path, lines, None if ended else options.every))
            console.print(stand(path, lines).line())
            if seen is None:
                console.print(f"page {path / 'watch.html'}")
                if options.open:
                    open_page(path / "watch.html")
        if ended:
            return
        seen = lines
        time.sleep(options.every)
