"""The table of published numbers agrees with its records and with every page that quotes it."""

import dataclasses
import importlib
import json
import shlex

import pytest

from train.config import ROOT
from train.errors import InputError
from train.evaluation.estimates import Estimate
from train.report import rows as table

RESULTS = ROOT / "docs" / "results"
ROWS = table.read(RESULTS / "rows.toml")
MEASURED = [row for row in ROWS if row.file]
PAGES = [ROOT / "README.md", *sorted(RESULTS.glob("*.md"))]


def by_id(row):
    return row.id


def test_ids_are_unique():
    assert len({row.id for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", MEASURED, ids=by_id)
def test_values_and_verdicts_are_those_of_the_records(row):
    found = table.measured(row, RESULTS)
    assert table.with_measurement(row, found, cut=row.verdict == "budget") == row
    assert bool(row.cause) == (row.verdict in ("close", "missed"))
    assert row.verdict != "budget" or row.deviations


@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_commands_name_a_config(row):
    importlib.import_module(f"configs.{shlex.split(row.command)[0]}")
    assert row.file or (row.value, row.verdict) == ("", "open")


@pytest.mark.parametrize("row", MEASURED, ids=by_id)
def test_pages_that_link_a_record_have_its_value(row):
    for page in PAGES:
        text = page.read_text()
        assert f"({row.file})" not in text or row.value in text, page


@pytest.mark.parametrize("row", MEASURED, ids=by_id)
def test_a_config_that_names_a_record_has_its_value(row):
    docstring = importlib.import_module(f"configs.{shlex.split(row.command)[0]}").__doc__
    if f"docs/results/{row.file}" in docstring:
        assert row.value in docstring
        assert row.published in docstring


def test_the_page_is_written_from_the_table():
    assert (RESULTS / "published.md").read_text() == table.page(ROWS)


def test_the_readme_has_the_totals():
    assert table.totals(ROWS) in (ROOT / "README.md").read_text()


def a_row(**values) -> table.Row:
    return dataclasses.replace(ROWS[0], spread=0.0, unit="nats", **values)


@pytest.mark.parametrize(
    ("published", "spread", "interval", "verdict"),
    [
        ("88.56", 0.0, (88.0, 88.554), "close"),
        ("88.56", 0.0, (88.0, 88.556), "reproduced"),
        ("94.5", 0.0, (94.54, 94.6), "reproduced"),
        ("94.5", 0.0, (94.56, 94.6), "close"),
        ("10.0", 1.0, (11.0, 12.0), "reproduced"),
        ("10.0", 1.0, (11.1, 12.0), "missed"),
        ("-5", 0.0, (-4.6, -4.4), "reproduced"),
    ],
)
def test_a_row_is_reproduced_where_the_published_value_meets_the_interval(published, spread, interval, verdict):
    row = dataclasses.replace(a_row(published=published), spread=spread)
    assert table.judge(row, sum(interval) / 2, *interval) == verdict


def test_records_of_single_seeds_give_an_interval_over_seeds(tmp_path):
    for seed, value in enumerate([1.0, 2.0, 3.0]):
        estimate = Estimate(value, "nats", 0.0, 9.0, "bootstrap, 5 examples", [value])
        (tmp_path / f"{seed}.json").write_text(json.dumps({"metrics": {"nll": estimate._asdict()}}))
    found = table.measured(a_row(metric="nll", file="."), tmp_path)

    # Student's t with 2 degrees of freedom: 4.302653 times 1 / sqrt(3).
    assert found.value == 2.0
    assert found.low == pytest.approx(2 - 4.302653 / 3**0.5, abs=1e-5)


def test_only_rows_with_something_read_are_counted():
    row = a_row(verdict="reproduced", mark_number="mem", mark_protocol="mem")
    assert not row.counts
    assert dataclasses.replace(row, mark_protocol="V").counts


@pytest.mark.parametrize(
    ("text", "named"),
    [("[[row]]\nid = 'a'\n", "row a"), ("x = 1", "\\[\\[row\\]\\] tables"), ("[[row", "\\[\\[row\\]\\] tables")],
)
def test_damaged_tables_are_refused_by_name(tmp_path, text, named):
    (tmp_path / "rows.toml").write_text(text)
    with pytest.raises(InputError, match=named):
        table.read(tmp_path / "rows.toml")
