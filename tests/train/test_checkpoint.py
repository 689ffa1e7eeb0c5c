"""Checkpoints that are broken, out of the way or of something else."""

import pathlib
import shutil

import pytest
from run_files import bits_of


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
def test_a_broken_newest_checkpoint_is_named_removed_and_trained_again(train, tmp_path, capsys, damage):
    assert train(tmp_path / "whole", "--steps", "30") == 0
    assert train(tmp_path / "run", "--steps", "20") == 0
    damage(tmp_path / "run" / "checkpoints" / "20")
    capsys.readouterr()

    assert train(tmp_path / "run", "--steps", "30") == 0

    out, err = capsys.readouterr()
    assert f"warning: checkpoint {tmp_path / 'run' / 'checkpoints' / '20'} is broken and is removed" in err
    assert "resumed at step 10 of 30" in out
    assert bits_of(tmp_path / "whole", 30) == bits_of(tmp_path / "run", 30)
    assert bits_of(tmp_path / "whole", 20) == bits_of(tmp_path / "run", 20)


def test_a_run_whose_checkpoints_are_all_broken_starts_again(train, tmp_path, capsys):
    assert train(tmp_path / "run", "--steps", "20") == 0
    expected = bits_of(tmp_path / "run", 20)
    (tmp_path / "run" / "evaluation.json").unlink()
    for step in (10, 20):
        break_files(tmp_path / "run" / "checkpoints" / str(step))

    assert train(tmp_path / "run", "--steps", "20") == 0

    assert capsys.readouterr().err.count("is broken and is removed") == 2
    assert bits_of(tmp_path / "run", 20) == expected


def test_a_checkpoint_of_another_model_is_refused_and_kept(train, tmp_path, capsys):
    assert train(tmp_path / "run", "--steps", "10") == 0
    assert train(tmp_path / "other", "--steps", "20", "--latent-dim", "4") == 0
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    shutil.copytree(tmp_path / "other" / "checkpoints", tmp_path / "run" / "checkpoints")
    capsys.readouterr()

    assert train(tmp_path / "run", "--steps", "30") == 2

    said = capsys.readouterr().err
    assert "is of another model" in said
    assert said.count("\n") == 1
    assert (tmp_path / "run" / "checkpoints" / "20").exists()
