"""A run whose data lies elsewhere than in training: it is known by its content."""

import json
import pathlib
import shutil

import numpy as np
import pytest
from run_files import call

from train import config as configs
from train.engine.run_directory import read_config


@pytest.fixture
def moved(finished, tmp_path) -> pathlib.Path:
    """A run that was trained from a file that is gone."""
    run = tmp_path / "run"
    shutil.copytree(finished(10), run)
    record = read_config(run)
    record["values"]["data"] = f"npz:{tmp_path / 'gone.npz'}"
    (run / "config.json").write_text(json.dumps(record))
    return run


def test_readers_take_the_place_where_the_data_now_lies(moved, tiny, tmp_path, monkeypatch, capsys):
    assert call("sample", str(moved)) == 2
    assert "gone.npz" in capsys.readouterr().err
    shutil.copy(tiny.removeprefix("npz:"), tmp_path / "here.npz")
    monkeypatch.chdir(tmp_path)
    assert call("sample", str(moved), "--data", "npz:here.npz") == 0

    with np.load(tmp_path / "here.npz") as file:
        np.savez(tmp_path / "other.npz", **{**file, "x_test": file["x_test"][::-1]})
    assert call("sample", str(moved), "--data", "npz:other.npz") == 2
    assert "expected the data that it was trained on; --data npz:other.npz has other content" in capsys.readouterr().err


def test_runs_beside_it_are_read_from_where_its_data_lies(moved, finished, tiny, tmp_path, capsys):
    arguments = ("condition", str(moved), "--data", tiny, "--classifier", str(moved), "--y", "0")
    assert call(*arguments) == 2  # not for the data of the second run
    assert "expected the run of a family that classifies" in capsys.readouterr().err


def test_a_resume_goes_on_from_there_and_the_run_knows_the_new_place(moved, train, tiny, capsys):
    assert train(moved, "--steps", "20") == 0
    assert "resumed at step 10 of 20" in capsys.readouterr().out
    assert read_config(moved)["values"]["data"] == tiny


def test_other_content_is_another_run(moved, train, tiny, tmp_path, capsys):
    with np.load(tiny.removeprefix("npz:")) as file:
        np.savez(tmp_path / "other.npz", **{**file, "x_test": file["x_test"][::-1]})
    assert train(moved, "--data", f"npz:{tmp_path / 'other.npz'}") == 2
    said = capsys.readouterr().err
    assert "data fingerprint is" in said
    assert "data is npz:" in said


def test_a_relative_path_is_recorded_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bound = configs.bind(configs.load("vae_digits"), ["--data", "npz:some/data.npz"])
    assert bound.values["data"] == bound.experiment.data == f"npz:{tmp_path / 'some' / 'data.npz'}"
    assert configs.bind(configs.load("vae_digits"), ["--data", "npz:~/x.npz"]).values["data"].startswith("npz:/")
    assert configs.bind(configs.load("vae_digits"), []).values["data"] == "digits"
