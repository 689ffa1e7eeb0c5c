"""The table and picture of a sweep, from what the runs' evaluations say."""

import json

import pytest

from train.__main__ import main


def call(*arguments: str) -> int:
    try:
        main(["rate_distortion", *arguments])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def make_run(path, beta: float, kl: float, reconstruction: float) -> str:
    path.mkdir()
    record = {"config": "configs/vae_digits.py", "values": {"beta": beta}, "data_fingerprint": "", "steps_per_call": 1}
    (path / "config.json").write_text(json.dumps(record))
    estimate = {"unit": "nats", "low": None, "high": None, "interval": "", "seeds": []}
    metrics = {"kl": estimate | {"value": kl}, "reconstruction": estimate | {"value": reconstruction}}
    (path / "evaluation.json").write_text(json.dumps({"step": 1, "metrics": metrics}))
    return str(path)


def test_a_sweep_is_a_table_and_a_picture(tmp_path, capsys):
    runs = [make_run(tmp_path / "a", 1.0, 20, 70), make_run(tmp_path / "b", 4.0, 10, 90.5)]
    assert call(*runs, "--picture", str(tmp_path / "curve.xyz")) == 2
    assert call(*runs, "--picture", str(tmp_path / "none" / "curve.png")) == 2
    assert "expected a file ending in .png" in capsys.readouterr().err
    assert call(*runs, "--picture", str(tmp_path / "curve.png")) == 0

    lines = capsys.readouterr().out.splitlines()
    assert lines[2:4] == ["| 4.0 | 10.00 | 90.50 | 100.50 |", "| 1.0 | 20.00 | 70.00 | 90.00 |"]
    record = json.loads((tmp_path / "curve.json").read_text())
    assert record["results"]["points"][0] == {"beta": "4.0", "rate": 10, "distortion": 90.5}
    assert record["options"]["runs"] == runs
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("more", "said"), [(["--label", "alpha"], "has no alpha; expected one of beta"), (["nowhere"], "nowhere"), ([], "")]
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, capsys, more, said):
    runs = [make_run(tmp_path / "a", 1.0, 20, 70)] if more else []
    assert call(*runs, *more, "--picture", str(tmp_path / "curve.png")) == 2

    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "curve.png").exists()
