"""A run directory that an earlier layout of the application wrote opens, evaluates and continues."""

import json
import pathlib
import tarfile

import pytest

from train import runs
from train.__main__ import main

ARCHIVE = pathlib.Path(__file__).parent / "old_run.tar.gz"


@pytest.fixture
def run(tmp_path: pathlib.Path) -> pathlib.Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "run"


def metrics_of(run: pathlib.Path) -> dict[str, float]:
    metrics = json.loads((run / "evaluation.json").read_text())["metrics"]
    return {name: metrics[name]["value"] for name in ("nll", "accuracy")}


def test_it_evaluates_to_what_it_recorded(run):
    recorded = metrics_of(run)
    main(["evaluate", str(run), "--features", "none"])

    assert metrics_of(run) == pytest.approx(recorded, rel=1e-5)  # of another version of jax
    assert runs.load(str(run), None).step == 1000


def test_it_continues(run, capsys):
    main(["naive_bayes_blobs", "--run-dir", str(run), "--steps", "1100", "--features", "none", "--devices", "1"])

    assert "resumed at step 1000 of 1100" in capsys.readouterr().out
    assert runs.load(str(run), None).step == 1100
    # What the older config.json lacked stands there now.
    assert json.loads((run / "config.json").read_text())["values"]["valid_rows"] is None
