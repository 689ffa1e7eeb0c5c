"""Checkpoints that are broken, out of the way or of something else."""

import pathlib
import shutil

import pytest
from run_files import bits_of

from train.__main__ import main

ROOT = pathlib.Path(__file__).resolve().parents[3]


def break_files(checkpoint: pathlib.Path) -> None:
    for file in (checkpoint / "model").rglob("*"):
        if file.is_file() and file.parent.name == "d":
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(checkpoint: pathlib.Path) -> None:
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()


def lose_training_state(checkpoint: pathlib.Path) -> None:
    shutil.rmtree(checkpoint / "train")


@pytest.mark.parametrize("damage", [break_files, empty, lose_training_state])
def test_a_broken_newest_checkpoint_is_named_removed_and_trained_again(train, finished, tmp_path, capsys, damage):
    whole = finished(30)
    shutil.copytree(finished(20), tmp_path / "run")
    damage(tmp_path / "run" / "checkpoints" / "20")
    capsys.readouterr()

    assert train(tmp_path / "run", "--steps", "30") == 0

    out, err = capsys.readouterr()
    assert f"warning: checkpoint {tmp_path / 'run' / 'checkpoints' / '20'} is broken and is removed" in err
    assert "resumed at step 10 of 30" in out
    assert bits_of(whole, 30) == bits_of(tmp_path / "run", 30)
    assert bits_of(whole, 20) == bits_of(tmp_path / "run", 20)


def test_a_run_whose_checkpoints_are_all_broken_says_so_and_removes_none(train, finished, tmp_path, capsys):
    shutil.copytree(finished(20), tmp_path / "run")
    for step in (10, 20):
        break_files(tmp_path / "run" / "checkpoints" / str(step))
    capsys.readouterr()

    assert train(tmp_path / "run", "--steps", "30") == 1

    said = capsys.readouterr().err
    assert said.startswith(f"failed: no checkpoint in {tmp_path / 'run' / 'checkpoints'} can be read")
    assert said.count("\n") == 1
    assert {entry.name for entry in (tmp_path / "run" / "checkpoints").iterdir()} == {"10", "20"}


def test_a_disk_that_fails_removes_no_checkpoint(train, finished, tmp_path, monkeypatch, capsys):
    shutil.copytree(finished(20), tmp_path / "run")

    def fail(*_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("orbax.checkpoint.CheckpointManager.restore", fail)
        assert train(tmp_path / "run", "--steps", "30") == 1
    assert "Input/output error" in capsys.readouterr().err
    assert {entry.name for entry in (tmp_path / "run" / "checkpoints").iterdir()} == {"10", "20"}
    assert train(tmp_path / "run", "--steps", "30") == 0


def test_another_optimizer_is_refused_and_loses_nothing(tmp_path, tiny, capsys):
    source = (ROOT / "configs" / "vae_digits.py").read_text()
    config = tmp_path / "mine.py"
    config.write_text(source)
    call = [str(config), "--data", tiny, "--run-dir", str(tmp_path / "run"), "--devices=1", "--batch-size=16",
            "--evaluate-every=10", "--checkpoint-every=10", "--num-samples=2", "--features=none"]  # fmt: skip
    main([*call, "--steps=10"])
    config.write_text(source.replace("(optax.adam)(learning_rate)", "(optax.sgd)(learning_rate)"))
    capsys.readouterr()

    with pytest.raises(SystemExit) as stop:
        main([*call, "--steps=20"])

    assert stop.value.code == 2
    assert "is of another model or optimizer" in capsys.readouterr().err
    assert (tmp_path / "run" / "checkpoints" / "10").exists()


def test_a_checkpoint_of_another_model_is_refused_and_kept(train, finished, tmp_path, capsys):
    shutil.copytree(finished(10), tmp_path / "run")
    assert train(tmp_path / "other", "--steps", "20", "--latent-dim", "4") == 0
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    shutil.copytree(tmp_path / "other" / "checkpoints", tmp_path / "run" / "checkpoints")
    capsys.readouterr()

    assert train(tmp_path / "run", "--steps", "30") == 2

    said = capsys.readouterr().err
    assert "is of another model" in said
    assert said.count("\n") == 1
    assert (tmp_path / "run" / "checkpoints" / "20").exists()
