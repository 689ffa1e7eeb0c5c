"""A run from its command to its report, stopped and continued in every way."""

import contextlib
import itertools
import json
import re
import shutil
import signal

import jax
import numpy as np
import pytest
from run_files import bits_of, log_of

from train import errors, runs
from train import run as running


def test_a_run_writes_what_it_promises_and_a_second_call_finds_it_complete(train, tmp_path, capsys):
    assert train(tmp_path / "run", "--steps", "20") == 0

    said = capsys.readouterr().out
    assert re.search(r"^negative_elbo \d+\.\d\d nats", said, re.MULTILINE)
    assert re.search(r"^importance_weighted_nll \d+\.\d\d nats  95 % \[.*bootstrap, 13 examples", said, re.MULTILINE)
    assert said.strip().endswith(f"report {tmp_path / 'run' / 'report.html'}")
    names = {entry.name for entry in (tmp_path / "run").iterdir()}
    assert names - {"source.patch"} == {  # which is there while tests run on uncommitted changes
        "checkpoints", "config.json", "environment.txt", "evaluation.json", "evaluation.npz", "figures", "lock",
        "metrics.jsonl", "provenance.json", "report.html", "source", "tensorboard",
    }  # fmt: skip
    assert {entry.name for entry in (tmp_path / "run" / "figures").iterdir()} == {
        "curves.svg", "samples.png", "reconstructions.png", "latent.svg",
    }  # fmt: skip
    (session,) = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert session["machinery"]["jax"] == jax.__version__
    assert f"jax=={jax.__version__}" in (tmp_path / "run" / "environment.txt").read_text().splitlines()
    assert session["seconds_to_first_call"] >= session["of_it_compiling"] > 0

    before = (tmp_path / "run" / "report.html").stat().st_mtime_ns
    assert train(tmp_path / "run", "--steps", "20") == 0
    assert "is complete: 20 steps" in capsys.readouterr().out
    assert (tmp_path / "run" / "report.html").stat().st_mtime_ns == before


@pytest.mark.parametrize("first", [10, 13])
def test_a_run_that_is_given_more_steps_ends_where_a_longer_one_does(train_only, finished, tmp_path, first):
    whole = finished(25)
    assert train_only(tmp_path / "parts", "--steps", str(first)) == 0
    assert train_only(tmp_path / "parts", "--steps", "25") == 0

    assert bits_of(whole, 25) == bits_of(tmp_path / "parts", 25)
    assert log_of(whole) == log_of(tmp_path / "parts")


def test_a_run_that_was_told_to_stop_goes_on_to_the_same_bits(train, tmp_path, monkeypatch, capsys):
    """Of two seeds. `make chaos` stops and kills processes, at any moment."""
    more = ("--steps", "25", "--seeds", "2")
    assert train(tmp_path / "whole", *more) == 0

    stop_requests = running.terminal.stop_requests

    @contextlib.contextmanager
    def with_a_signal_in_the_third_call():
        calls = itertools.count(1)
        with stop_requests() as requested:

            def was_requested() -> bool:
                if next(calls) == 3:
                    signal.raise_signal(signal.SIGTERM)
                return requested()

            yield was_requested

    with monkeypatch.context() as patch:
        patch.setattr(running.terminal, "stop_requests", with_a_signal_in_the_third_call)
        assert train(tmp_path / "parts", *more) == 0
    assert "stopped and saved at step 15" in capsys.readouterr().out
    assert not (tmp_path / "parts" / "evaluation.json").exists()
    assert train(tmp_path / "parts", *more) == 0

    assert "resumed at step 15 of 25" in capsys.readouterr().out
    assert bits_of(tmp_path / "whole", 25) == bits_of(tmp_path / "parts", 25)
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "parts")
    metrics = [json.loads((tmp_path / name / "evaluation.json").read_text())["metrics"] for name in ("whole", "parts")]
    assert metrics[0] == metrics[1]


def test_the_log_is_cut_back_to_the_checkpoint(train_only, finished, tmp_path):
    shutil.copytree(finished(20), tmp_path / "run")
    expected = log_of(tmp_path / "run")
    with (tmp_path / "run" / "metrics.jsonl").open("a") as log:
        log.write('{"step": 25, "loss": 1.0}\n{"step": 3')
    assert train_only(tmp_path / "run", "--steps", "30") == 0

    steps = [line["step"] for line in log_of(tmp_path / "run")]
    assert log_of(tmp_path / "run")[: len(expected)] == expected
    assert steps == sorted(steps)
    assert steps.count(25) == 1


def test_seeds_give_an_interval_and_each_is_the_seed_alone(train, tmp_path):
    assert train(tmp_path / "two", "--steps", "10", "--seed", "4", "--seeds", "2") == 0
    assert train(tmp_path / "alone", "--steps", "10", "--seed", "5") == 0

    two = runs.load(str(tmp_path / "two"), None)
    alone = runs.load(str(tmp_path / "alone"), None)
    for found, expected in zip(
        *(jax.tree.leaves(run.models[index]) for run, index in ((two, 1), (alone, 0))), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    metric = json.loads((tmp_path / "two" / "evaluation.json").read_text())["metrics"]["negative_elbo"]
    other = json.loads((tmp_path / "alone" / "evaluation.json").read_text())["metrics"]["negative_elbo"]
    assert metric["interval"] == "Student t, 2 seeds"
    assert metric["low"] < metric["value"] < metric["high"]
    np.testing.assert_allclose(metric["seeds"][1], other["value"], rtol=1e-5)


def test_a_metric_that_is_not_finite_stops_the_run_at_its_step(train_only, tmp_path, capsys):
    assert train_only(tmp_path / "bad", "--steps", "40", "--learning-rate", "1e30") == 1

    said = capsys.readouterr().err
    step, metric = re.search(r"failed: step (\d+): (\w+) is (?:nan|inf) at learning rate 1e\+30", said).groups()
    assert 1 < int(step) <= 40
    assert metric in ("loss", "kl", "reconstruction")
    assert len(said.strip().splitlines()) == 1


def test_another_number_of_steps_in_a_call_is_warned_of(train_only, finished, tmp_path, capsys):
    shutil.copytree(finished(10), tmp_path / "run")
    assert train_only(tmp_path / "run", "--steps", "20", "--steps-per-call", "10") == 0

    assert "steps_per_call was 5 and is now 10" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "config.json").read_text())["steps_per_call"] == 5


def test_a_number_of_steps_in_a_call_that_fits_no_checkpoint_is_refused_and_loses_nothing(
    train, finished, tmp_path, capsys
):
    shutil.copytree(finished(20), tmp_path / "run")
    capsys.readouterr()
    more = ("--steps", "30", "--steps-per-call", "7", "--evaluate-every", "7", "--checkpoint-every", "7")
    assert train(tmp_path / "run", *more) == 2

    said = capsys.readouterr().err
    assert "--steps-per-call: expected a divisor of the newest of the steps 10, 20" in said
    assert json.loads((tmp_path / "run" / "config.json").read_text())["values"]["steps"] == 20
    assert (tmp_path / "run" / "report.html").exists()
    assert {entry.name for entry in (tmp_path / "run" / "checkpoints").iterdir()} == {"10", "20"}


def test_a_damaged_line_of_the_log_costs_that_line_alone(train_only, finished, tmp_path):
    log = tmp_path / "run" / "metrics.jsonl"
    shutil.copytree(finished(20), tmp_path / "run")
    first, *others = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"\xff" + first + b"".join(others))

    assert train_only(tmp_path / "run", "--steps", "30") == 0
    assert log.read_bytes().startswith(b"".join(others[:-1]))


def test_what_jax_could_not_do_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop, errors.one_line_failures():
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory\nmore of it")
    assert stop.value.code == 1
    assert capsys.readouterr().err == "failed: JaxRuntimeError: RESOURCE_EXHAUSTED: Out of memory\n"


def test_a_disk_that_is_full_is_one_line_and_the_run_goes_on_later(train_only, finished, tmp_path, monkeypatch, capsys):
    whole = finished(20)
    capsys.readouterr()
    usage = shutil.disk_usage
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda path: usage(path)._replace(free=100))
        assert train_only(tmp_path / "run", "--steps", "20") == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"failed: checkpoint 10 needs \d+ bytes and .* has 100 free\n", said)

    assert train_only(tmp_path / "run", "--steps", "20") == 0
    assert bits_of(whole, 20) == bits_of(tmp_path / "run", 20)
