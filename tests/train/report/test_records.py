"""Every record is of a commit, and the pages have the numbers of the records that they link."""

import ast
import functools
import json
import re
from collections.abc import Iterator

import numpy as np
import pytest

from train.config import ROOT
from train.evaluation import estimates

RESULTS = ROOT / "docs" / "results"
PAGES = [ROOT / "README.md", *sorted(RESULTS.glob("*.md")), *sorted((ROOT / "docs" / "seeds").glob("*.md"))]
FILES = sorted(RESULTS.rglob("*.json"))

# Records without a commit, from before it was recorded; this list may only shrink.
WITHOUT = {"densities/outliers_fashion.json", "wae/rebalance.json"}

LINK = re.compile(r"\]\(([\w./-]+\.json)\)")
NUMBER = r"[+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?"
WITH_INTERVAL = re.compile(rf"({NUMBER})\**(?: \w+)? \[({NUMBER}), ({NUMBER})\]")


def dictionaries(found) -> Iterator[dict]:
    """All dictionaries in a value of JSON."""
    if isinstance(found, dict):
        yield found
    for part in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from dictionaries(part)


def test_every_record_is_of_a_commit():
    dirty, without = set(), set()
    for file in FILES:
        found = [each for each in dictionaries(json.loads(file.read_text())) if "commit" in each]
        name = str(file.relative_to(RESULTS))
        without |= set() if found else {name}
        dirty |= {name} if any(map(is_dirty, found)) else set()
    assert not dirty
    assert without == WITHOUT


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_record_names_no_directory_of_the_machine_that_made_it(file):
    assert re.findall(r"/(?:home|root|tmp|work)/[\w./-]*", file.read_text()) == []


def is_dirty(found: dict) -> bool:
    """Whether code had uncommitted changes; where they were recorded, a "+" may be of other files, such as results."""
    return found["commit"] is None or (found["commit"].endswith("+") and found.get("changes", "unknown") is not None)


@functools.cache
def intervals_of(file) -> list[tuple[float, float, float]]:
    """Every value with its interval in a record, also as a percentage and negated; of a count as computed today."""
    found = []
    for name, each in ((name, each) for d in dictionaries(json.loads(file.read_text())) for name, each in d.items()):
        if isinstance(each, dict) and {"value", "low", "high"} <= each.keys() and each["low"] is not None:
            if name == "modes":
                seeds = [np.array([seed]) for seed in each["seeds"]]
                each = estimates.estimate(each["unit"], seeds, most=float(each["unit"].split()[1]))._asdict()
            numbers = each["value"], each["low"], each["high"]
            negative = -each["value"], -each["high"], -each["low"]  # log p of an NLL
            found += [numbers, tuple(100 * number for number in numbers), negative]
    return found


@functools.cache
def all_intervals() -> list[tuple[float, float, float]]:
    return [numbers for file in FILES for numbers in intervals_of(file)]


def is_rounded(text: str, number: float) -> bool:
    """Whether the text is the number, to the digits that the text has."""
    text = text.replace(",", "")
    digits, _, exponent = text.partition("e")
    last = 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
    return abs(float(text) - number) <= 0.5000001 * last


def quoted() -> list:
    """(page, number, low, high, records) of every interval in a line that links records."""
    found = []
    for page in PAGES:
        for line in page.read_text().splitlines():
            records = [page.parent / name for name in LINK.findall(line)]
            if records:
                found += [
                    pytest.param(each, records, id=f"{page.stem}: {each[0]}") for each in WITH_INTERVAL.findall(line)
                ]
    return found


@pytest.mark.parametrize(("texts", "records"), quoted())
def test_an_interval_beside_a_record_is_the_record_s(texts, records):
    there = [numbers for record in records for numbers in intervals_of(record)]
    assert any(all(map(is_rounded, texts, numbers)) for numbers in there), records


@pytest.mark.parametrize(
    "source", [ROOT / "README.md", *sorted((ROOT / "configs").glob("*.py"))], ids=lambda path: path.stem
)
def test_every_interval_of_the_readme_and_of_a_config_is_in_a_record(source):
    text = source.read_text()
    text = ast.get_docstring(ast.parse(text)) or "" if source.suffix == ".py" else text
    for low, high in re.findall(rf"\[({NUMBER}), ({NUMBER})\]", " ".join(text.split())):
        assert any(is_rounded(low, there) and is_rounded(high, here) for _, there, here in all_intervals()), (low, high)


def test_a_number_that_is_not_the_record_s_would_be_noticed():
    assert is_rounded("33.51", 33.5149)
    assert not is_rounded("33.52", 33.5149)
    assert is_rounded("7.74e+04", 77390.0)
    assert not is_rounded("7.73e+04", 77390.0)
    assert WITH_INTERVAL.findall("| **0.050** [0.044, 0.056] | 1,942 nats [-5.2, +6] |") == [
        ("0.050", "0.044", "0.056"), ("1,942", "-5.2", "+6"),
    ]  # fmt: skip
