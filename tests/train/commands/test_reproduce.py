"""`python -m train reproduce` trains the seeds that a row lacks and writes its verdict."""

import dataclasses
import json
import shutil

import pytest

from train.commands import reproduce
from train.config import ROOT
from train.errors import InputError, RunFailedError
from train.evaluation.estimates import Estimate
from train.report import rows as table

(FIRST, *_) = table.read(ROOT / "docs" / "results" / "rows.toml")
ROW = dataclasses.replace(
    FIRST, id="tiny", table="table 9", metric="nll", unit="nats", published="2.0", file="", value="", low="", high="",
    verdict="open", seeds=3, command="vae_digits --beta {seed}",
)  # fmt: skip


@pytest.fixture
def results(tmp_path):
    table.write(tmp_path / "rows.toml", [ROW, dataclasses.replace(ROW, id="other", table="table 10")])
    return tmp_path


@pytest.fixture
def calls(monkeypatch):
    """Commands that were run; a record of 1 + the seed is what each leaves."""
    made = []

    def call(arguments):
        made.append(list(arguments))
        if arguments[0] == "evaluate":
            return
        seed = int(arguments[arguments.index("--seed") + 1])
        run = reproduce.pathlib.Path(arguments[arguments.index("--run-dir") + 1])
        run.mkdir(parents=True)
        estimate = Estimate(1.0 + seed, "nats", 0.0, 9.0, "bootstrap, 5 examples", [1.0 + seed])
        for name in ("evaluation", "evaluation_valid"):
            (run / f"{name}.json").write_text(json.dumps({"metrics": {"nll": estimate._asdict()}}))

    monkeypatch.setattr(reproduce, "_call", call)
    return made


def run(results, *arguments):
    reproduce.main([*arguments, "--results", str(results), "--run-dir", str(results / "runs")])


def test_a_row_gets_its_records_and_verdict_once(results, calls, capsys):
    run(results, "tiny")

    assert [call[:5] for call in calls] == [["vae_digits", "--beta", f"{s}", "--seed", f"{s}"] for s in range(3)]
    assert sorted(path.name for path in (results / "rows" / "tiny").iterdir()) == ["0.json", "1.json", "2.json"]
    tiny, other = table.read(results / "rows.toml")
    assert (tiny.file, tiny.value, tiny.verdict) == ("rows/tiny", "2.00", "reproduced")
    assert other.verdict == "open"
    assert (results / "published.md").read_text() == table.page([tiny, other])
    assert "tiny: 2.00" in capsys.readouterr().out

    run(results, "tiny")
    assert len(calls) == 3


def test_a_stopped_row_goes_on_with_the_seeds_that_it_lacks(results, calls):
    folder = results / "rows" / "tiny"
    run(results, "tiny", "--seeds", "2")
    (folder / "0.json").unlink()
    shutil.rmtree(results / "runs")
    calls.clear()
    run(results, "tiny")
    assert [call[call.index("--seed") + 1] for call in calls] == ["0", "2"]


def test_only_a_budget_is_trained_again_where_a_record_stands(results, calls, capsys):
    record = dataclasses.replace(ROW, file="record.json", value="2.00", low="1.00", high="3.00", verdict="reproduced")
    table.write(results / "rows.toml", [record, dataclasses.replace(record, id="short", verdict="budget", seeds=2)])
    run(results, "tiny")
    assert not calls
    assert "record.json" in capsys.readouterr().out

    run(results)
    assert [call[call.index("--seed") + 1] for call in calls] == ["0", "1"]
    first, short = table.read(results / "rows.toml")
    assert first == record
    assert (short.file, short.value, short.verdict) == ("rows/short", "1.50", "reproduced")


def test_a_row_of_validation_data_is_evaluated_there(results, calls):
    table.write(results / "rows.toml", [dataclasses.replace(ROW, part="valid", seeds=2)])
    run(results)
    assert calls[1] == ["evaluate", str(results / "runs" / "tiny" / "0"), "--part", "valid", "--features", "none"]
    assert table.read(results / "rows.toml")[0].value == "1.50"


def test_the_list_says_what_is_missing(results, calls, capsys):
    run(results, "--list", "--table", "table 9")
    said = capsys.readouterr().out
    assert "tiny" in said
    assert "3 of 3 seeds missing" in said
    assert "other" not in said
    assert "| all | 0 | 0 | 0 | 0 | 0 | 2 |" in said
    assert not calls


def test_a_budget_cuts_the_steps_and_the_verdict_says_so(results, calls, monkeypatch):
    monkeypatch.setattr(reproduce, "cut_steps", lambda row, seconds: ["--steps", f"{seconds:.0f}"])
    run(results, "tiny", "--budget", "cpu", "--hours", "3")
    assert calls[0][-4:-2] == ["--steps", "3600"]
    assert table.read(results / "rows.toml")[0].verdict == "budget"


def test_steps_are_cut_to_whole_evaluations(monkeypatch):
    seconds, job, asked = reproduce.time_step(ROW)
    assert seconds > 0
    assert (asked.steps, job.experiment.steps) == (6000, 6000)
    monkeypatch.setattr(reproduce, "time_step", lambda row: (0.5, job, asked))
    assert reproduce.cut_steps(ROW, 0.5 * (asked.evaluate_every + 1)) == ["--steps", str(asked.evaluate_every)]
    assert reproduce.cut_steps(ROW, 1e9) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tyni"], "row 'tyni': expected one of tiny, other"),
        (["--hours", "2"], "--budget cpu and --hours: expected both or neither"),
        (["--budget", "cpu"], "--budget cpu and --hours: expected both or neither"),
        (["--time"], "--time: expected --list"),
        (["--table", "chess"], "--table 'chess': no row's paper or table contains it"),
    ],
)
def test_wrong_options_are_one_line(results, arguments, message):
    with pytest.raises(InputError, match=message):
        run(results, *arguments)


def test_cut_seeds_are_trained_whole_without_the_budget(results, calls, monkeypatch):
    monkeypatch.setattr(reproduce, "cut_steps", lambda row, seconds: ["--steps", "5"])
    run(results, "tiny", "--budget", "cpu", "--hours", "3")
    run(results, "tiny", "--budget", "cpu", "--hours", "3")
    assert len(calls) == 3
    shutil.rmtree(results / "runs")

    run(results, "tiny", "--seeds", "2")
    assert len(calls) == 5
    assert table.read(results / "rows.toml")[0].verdict == "budget"  # one of three is still cut
    shutil.rmtree(results / "runs")
    run(results, "tiny")
    assert len(calls) == 6
    assert table.read(results / "rows.toml")[0].verdict == "reproduced"


def test_a_run_that_was_stopped_is_no_record(results, monkeypatch):
    monkeypatch.setattr(reproduce, "_call", lambda arguments: None)
    with pytest.raises(RunFailedError, match="was stopped; the same command goes on from there"):
        run(results, "tiny")
    assert not list((results / "rows" / "tiny").iterdir())


def test_one_seed_of_several_settles_nothing(results, calls):
    run(results, "tiny", "--seeds", "1")
    tiny, _ = table.read(results / "rows.toml")
    assert (tiny.value, tiny.verdict) == ("1.00", "open")
