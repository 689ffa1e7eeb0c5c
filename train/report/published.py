"""The published numbers that a run is to be held against: the rows of rows.toml whose protocol it follows."""

import json
import pathlib
import shlex
from collections.abc import Mapping
from typing import Any

from train import config as configs
from train.errors import InputError
from train.report import rows
from train.report.rows import Row

# What a row's protocol leaves to whoever runs it; a run of fewer steps is shown with the number of both.
_FREE = ("seed", "seeds", "steps")
_ROWS = configs.ROOT / "docs" / "results" / "rows.toml"


def expected(record: Mapping[str, Any]) -> dict[str, tuple[Row, str]]:
    """The row of each metric, and the length of its training, for a run with this config.json."""
    if not _ROWS.exists():
        return {}
    found = {}
    for row in rows.read(_ROWS):
        name, *arguments = shlex.split(row.command.format(seed=record["values"].get("seed", 0)))
        if row.part == "test" and record["config"] == f"configs/{pathlib.Path(name).stem}.py":
            try:
                bound = configs.bind(configs.load(name), arguments)
            except InputError:  # an option that the config no longer has
                continue
            asked, mine = json.loads(json.dumps([bound.values, {**bound.defaults, **record["values"]}]))
            if all(mine.get(name) == value for name, value in asked.items() if name not in _FREE):
                found[row.metric] = row, f"{bound.experiment.steps:,} {bound.experiment.unit}s"
    return found
