"""Small files of a run, damaged one at a time: one clear line, or as if the file were not there, and no traceback."""

import json
import pathlib
import shutil
from collections.abc import Sequence
from typing import Literal

import pytest
from PIL import Image
from run_files import call

from train import runs
from train.engine.files import parse
from train.engine.record import log
from train.engine.run_directory import Record, Session
from train.evaluation.estimates import Evaluation
from train.experiment import Count, Rate, Size, fits
from train.report import added

DEEP = "[" * 100_000 + "]" * 100_000
TEXTS = {
    "empty": "", "cut": '{"config": "con', "null": "null", "a list": "[]", "an object": "{}", "a string": '"x"',
    "a number": "3", "deep": DEEP, "deep within": '{"values": ' + DEEP + "}", "a long number": "1" * 5000,
    "half a pair": '{"config": "\\ud800"}',
}  # fmt: skip
SAMPLE = ("sample", "--num=1")
WRONG = [None, True, -1, 1e999, 10**400, "x", "\0", "\ud800", [], [[]], {}, {"x": {}}, {"x": [None]}]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    assert call("naive_bayes_blobs", "--run-dir", str(path), "--steps=100", "--devices=1", "--features=none") == 0
    figures = path / "figures"
    Image.new("RGB", (1, 1)).save(figures / "mine.png")
    mine = {"step": 100, "pictures": {"Mine": ["figures/mine.png", "Drawn by hand."]}}
    (figures / "added.json").write_text(json.dumps(mine))
    return path


@pytest.fixture
def run(trained, tmp_path) -> pathlib.Path:
    return shutil.copytree(trained, tmp_path / "run")


def tabulate(run: pathlib.Path) -> list[str]:
    return ["rate_distortion", "--label=family", "--picture", str(run / "picture.png")]


def variants(value, *, deepest: int = 3):
    """A value with each of its parts replaced by wrong ones, or left out."""
    if not isinstance(value, dict | list) or not deepest:
        return
    for key in value if isinstance(value, dict) else range(len(value)):
        for wrong in WRONG:
            yield {**value, key: wrong} if isinstance(value, dict) else [*value[:key], wrong, *value[key + 1 :]]
        for part in variants(value[key], deepest=deepest - 1):
            yield {**value, key: part} if isinstance(value, dict) else [*value[:key], part, *value[key + 1 :]]
        yield {k: v for k, v in value.items() if k != key} if isinstance(value, dict) else value[:key]


def attempt(run: pathlib.Path, capsys, *arguments: str) -> str:
    """What a command says: nothing at all, warnings, or one line of an error."""
    code = call(*arguments, str(run))
    said = capsys.readouterr().err
    errors = [line for line in said.splitlines() if not line.startswith("warning: ")]
    assert (code, len(errors)) in {(0, 0), (2, 1), (1, 1)}, said
    assert all(len(line) < 600 for line in errors), said
    return said


@pytest.mark.parametrize("text", [*TEXTS.values(), b"\xff\xfe"], ids=[*TEXTS, "bytes"])
def test_texts_that_are_no_such_file(run, text, capsys):
    opened = runs.load(str(run), None)
    for name, command, says in [
        (
            "config.json",
            SAMPLE,
            "is no run: expected a directory that `python -m train` made, with a readable config.json",
        ),
        ("provenance.json", SAMPLE, "" if text == "[]" else "provenance.json cannot be read; where the run comes from"),
        ("evaluation.json", tabulate(run), "evaluation.json cannot be read; expected the output of"),
    ]:
        before = (run / name).read_bytes()
        (run / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        assert says in attempt(run, capsys, *command)
        (run / name).write_bytes(before)
    assert added.read(opened) != {}
    for name in ("metrics.jsonl", "figures/added.json"):
        (run / name).write_bytes((text if isinstance(text, bytes) else text.encode()) + b"\n")
    assert added.read(opened) == {}
    assert log.read(run / "metrics.jsonl") == []


@pytest.mark.parametrize("name", ["config.json", "evaluation.json", "metrics.jsonl", "figures/added.json"])
def test_a_folder_in_place_of_a_file(run, name, capsys):
    (run / name).unlink()
    (run / name).mkdir()
    said = attempt(run, capsys, *tabulate(run)) + attempt(run, capsys, *SAMPLE)
    assert "\n" in said or name in ("metrics.jsonl", "figures/added.json")
    if name == "metrics.jsonl":
        assert log.read(run / name) == []


def test_values_of_the_wrong_kind_in_config_json(run, capsys):
    whole = json.loads((run / "config.json").read_text())
    found = set()
    for number, record in enumerate(variants(whole)):
        (run / "config.json").write_text(json.dumps(record))
        found.add(attempt(run, capsys, *SAMPLE).partition(":")[0])
        if number % 10 == 0:
            attempt(run, capsys, "naive_bayes_blobs", "--steps=100", "--devices=1", "--features=none", "--run-dir")
    assert found <= {"", "error"}
    assert "error" in found


@pytest.mark.parametrize(("name", "kind"), [("provenance.json", list[Session]), ("evaluation.json", Evaluation)])
def test_values_of_the_wrong_kind(run, capsys, name, kind):
    """What passes for such a file is read, evaluated and reported without a traceback; few do, so that it is quick."""
    whole = json.loads((run / name).read_text())
    assert parse(json.dumps(whole), kind) == whole
    passed = []
    for value in variants(whole):
        try:
            parse(json.dumps(value), kind)
        except ValueError:
            continue
        passed.append(value)
    assert 0 < len(passed) < 2000
    for value in passed[:: max(1, len(passed) // 3)]:
        (run / name).write_text(json.dumps(value))
        if name == "provenance.json":
            attempt(run, capsys, "evaluate", "--features=none")
        else:
            call("naive_bayes_blobs", "--run-dir", str(run), "--steps=100", "--devices=1", "--features=none")
            assert "Traceback" not in capsys.readouterr().err


def test_values_of_the_wrong_kind_in_the_log(run, capsys):
    path = run / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    damaged = [json.dumps(value) for value in variants(lines[0])]
    for chosen in (damaged, *([line] for line in damaged[::16])):
        path.write_text("".join(line + "\n" for line in [*chosen, *map(json.dumps, lines[1:])]))
        assert attempt(run, capsys, "evaluate", "--features=none") == ""
    path.write_text("".join(line + "\n" for line in [*damaged, *map(json.dumps, lines)]))
    assert [line for line in log.read(path) if line in lines][-len(lines) :] == lines


def test_a_report_holds_no_other_file_than_pictures_of_its_run(run, tmp_path, capsys):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (1, 1)).save(secret)
    (run / "figures" / "link.png").symlink_to(secret)
    (run / "figures" / "text.txt").write_text("text")
    shutil.copyfile(secret, run / "source" / "beside.png")
    files = [
        str(secret),
        "../secret.png",
        "source/beside.png",
        "figures/../source/beside.png",
        "figures/link.png",
        "figures/text.txt",
        "figures/absent.png",
        "config.json",
    ]
    pictures = {f"Number {number}": [file, "Not yours."] for number, file in enumerate(files)}
    mine = {"Mine": ["figures/mine.png", "Drawn by hand."]}
    (run / "figures" / "added.json").write_text(json.dumps({"step": 100, "pictures": pictures | mine}))
    assert attempt(run, capsys, "evaluate", "--features=none") == ""
    page = (run / "report.html").read_text()
    assert "Drawn by hand." in page
    assert "Not yours." not in page


def test_a_link_to_another_directory_is_not_followed_by_a_reader(run, tmp_path, capsys):
    shutil.move(run / "figures", tmp_path / "elsewhere")
    (run / "figures").symlink_to(tmp_path / "elsewhere")
    before = {file: file.read_bytes() for file in (tmp_path / "elsewhere").iterdir()}
    assert "expected a directory without links to others in it" in attempt(run, capsys, "evaluate", "--features=none")
    assert {file: file.read_bytes() for file in (tmp_path / "elsewhere").iterdir()} == before


def test_a_changed_line_of_the_log_is_said(run, capsys):
    """The metrics of a step that no other line contradicts."""
    path = run / "metrics.jsonl"
    arguments = ("naive_bayes_blobs", "--devices=1", "--features=none", "--run-dir", str(run))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0].replace('"loss": 3', '"loss": 4'), *lines[1:]]))
    assert call(*arguments, "--steps=200") == 0
    said = "is not what was written up to step 100: a line was changed, added or removed"
    assert capsys.readouterr().err == f"warning: {path} {said}\n"
    assert call(*arguments, "--steps=300") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (3, Size, True), (0, Size, False), (True, Size, False), (3.0, Size, False), (10**400, Size, False),
        (1, Rate, True), (0.5, Rate, True), (float("inf"), Rate, False), ("1", Rate, False),
        (None, Size | None, True), (0, Size | None, False), ([3, 4], tuple[Size, ...], True),
        ([3, 0], tuple[Size, ...], False), ([1, 2], tuple[Count, Count], True), ([1], tuple[Count, Count], False),
        ({"config": "c", "values": {}, "data_fingerprint": "", "steps_per_call": 1}, Record, True),
        ({"config": "c", "values": {}, "data_fingerprint": "", "steps_per_call": 0}, Record, False),
        ({"config": "c", "values": {}, "data_fingerprint": ""}, Record, False),
        ([{"machinery": {}, "later": [1]}], list[Session], True),
        ([{"machinery": {}, "source": 1}], list[Session], False), ([1], tuple, True), ((1,), tuple, False),
        ([1], Sequence[int], True), ({"a": 1}, dict, True), (1, dict, False), (None, None, True), (0, None, False),
        ("a", Literal["a"], True), (1, Literal[True], False), (True, bool, True), (1, bool, False),
    ],
)  # fmt: skip
def test_kinds(value, kind, expected):
    assert fits(value, kind) is expected
