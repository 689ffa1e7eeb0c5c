"""Checkpoints that are broken, out of the way or of something else."""

import json
import os
import pathlib
import shutil

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from run_files import bits_of

from jaxgen.recipe import State
from train.__main__ import main
from train.engine import files
from train.engine.checkpoint import Checkpoints, read_model, stored
from train.engine.checkpoint.stored import BrokenError
from train.engine.selection import Selection
from train.errors import RunFailedError

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
def test_a_broken_newest_checkpoint_is_named_removed_and_trained_again(train_only, finished, tmp_path, capsys, damage):
    whole = finished(30)
    shutil.copytree(finished(20), tmp_path / "run")
    damage(tmp_path / "run" / "checkpoints" / "20")
    capsys.readouterr()

    assert train_only(tmp_path / "run", "--steps", "30") == 0

    out, err = capsys.readouterr()
    assert f"warning: checkpoint {tmp_path / 'run' / 'checkpoints' / '20'} is broken and is removed" in err
    assert "resumed at step 10 of 30" in out
    assert bits_of(whole, 30) == bits_of(tmp_path / "run", 30)
    assert bits_of(whole, 20) == bits_of(tmp_path / "run", 20)


def flip_a_bit_of_its_description(checkpoint: pathlib.Path) -> None:
    file = checkpoint / "meta" / "metadata"
    file.write_text(file.read_text().replace("float32", "floau32", 1))


@pytest.mark.parametrize("rule", ["cut", "emptied", "zeroed", "removed"])
def test_arrays_in_files_of_their_own_may_be_damaged_in_any_way(tmp_path, capsys, rule):
    """Small arrays are stored inline, and Orbax fails in other ways."""
    like = large_state(0.0)
    with Checkpoints(tmp_path) as checkpoints:
        for step in (10, 20):
            checkpoints.save(step, large_state(step), jax.random.key(0), Selection(None, None, 1))
    (file,) = [file for file in data_files(tmp_path / "checkpoints" / "20" / "model") if file.stat().st_size > 1e5]
    whole = file.read_bytes()
    file.write_bytes({"cut": whole[:1000], "emptied": b"", "zeroed": bytes(len(whole)), "removed": b""}[rule])
    if rule == "removed":
        file.unlink()

    assert read_model(tmp_path / "checkpoints", like.model).step == 10
    with Checkpoints(tmp_path) as checkpoints:
        restored = checkpoints.restore(like, jax.random.key(0), lambda step: True, most_lost=10)
    assert restored is not None
    assert restored.step == 10
    chex.assert_trees_all_equal(restored.state, large_state(10))
    said = capsys.readouterr().err
    assert said.count("is broken") == said.count("\n") == 2


def large_state(value: float) -> State:
    leaf = value + jnp.arange(200_000.0)
    return State({"kernel": leaf}, {"moment": 2 * leaf})


def data_files(folder: pathlib.Path) -> list[pathlib.Path]:
    return [file for file in folder.rglob("*") if file.is_file() and file.parent.name == "d"]


def test_no_flipped_bit_of_an_array_is_trained_on(tmp_path):
    """Of what can be read at all, nothing differs from what was written."""
    state, random = large_state(1.0), np.random.default_rng(0)
    with Checkpoints(tmp_path / "whole") as checkpoints:
        checkpoints.save(10, state, jax.random.key(3), Selection(None, None, 1))
    refused = 0
    for trial in range(16):
        shutil.copytree(tmp_path / "whole", tmp_path / str(trial))
        files = data_files(tmp_path / str(trial))
        file = files[trial % len(files)]
        content = bytearray(file.read_bytes())
        content[random.integers(len(content))] ^= 1 << int(random.integers(8))
        file.write_bytes(content)
        with Checkpoints(tmp_path / str(trial)) as checkpoints:
            try:
                restored = checkpoints.restore(state, jax.random.key(0), lambda step: True, most_lost=10)
            except RunFailedError:
                refused += 1
                continue
        assert restored is not None
        chex.assert_trees_all_equal(restored.state, state)
        assert (jax.random.key_data(restored.key) == jax.random.key_data(jax.random.key(3))).all()
    assert refused >= 5  # most bits are those of the arrays


def test_a_damaged_description_is_no_other_model(train_only, finished, tmp_path, capsys):
    shutil.copytree(finished(20), tmp_path / "run")
    flip_a_bit_of_its_description(tmp_path / "run" / "checkpoints" / "20")
    capsys.readouterr()

    assert train_only(tmp_path / "run", "--steps", "30") == 0
    out, err = capsys.readouterr()
    assert "resumed at step 10 of 30" in out
    assert err.count("is broken and is removed") == 1


def test_a_directory_with_a_number_for_a_name_is_no_checkpoint(train_only, finished, tmp_path, capsys):
    shutil.copytree(finished(20), tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "999").mkdir()
    capsys.readouterr()

    assert train_only(tmp_path / "run", "--steps", "30") == 0
    out, err = capsys.readouterr()
    assert "resumed at step 20 of 30" in out
    assert "999 is broken and is removed: it has no meta" in err


def test_a_checkpoint_without_digests_still_opens(train_only, finished, tmp_path):
    shutil.copytree(finished(20), tmp_path / "run")
    for step in (10, 20):
        file = tmp_path / "run" / "checkpoints" / str(step) / "meta" / "metadata"
        file.write_text(
            json.dumps({name: value for name, value in json.loads(file.read_text()).items() if "digest" not in name})
        )
    assert train_only(tmp_path / "run", "--steps", "30") == 0


@pytest.mark.parametrize("character", ["[", "*", "?", "\\"])
def test_a_path_that_orbax_takes_for_a_pattern_is_refused_before_training(train_only, tmp_path, capsys, character):
    parent = tmp_path / f"a{character}b"
    assert train_only(parent / "run", "--steps", "10") == 2
    assert f"expected a path without {character}" in capsys.readouterr().err
    assert not parent.exists()


@pytest.mark.parametrize("name", ["a b", "a]b", "a%20b", "a#b", "a{b}", "ä日本", "a'b", 'a"b', "gs:x", "a\nb"])
def test_checkpoints_can_be_read_whatever_else_is_in_their_path(tmp_path, name):
    state = large_state(1.0)
    with Checkpoints(tmp_path / name) as checkpoints:
        checkpoints.save(10, state, jax.random.key(0), Selection(None, None, 1))
    chex.assert_trees_all_equal(read_model(tmp_path / name / "checkpoints", state.model).model, state.model)


def test_a_first_checkpoint_that_cannot_be_read_back_ends_the_run(tmp_path, monkeypatch):
    def lose(*_, **__):
        raise BrokenError("nothing is there")

    monkeypatch.setattr("train.engine.checkpoint.stored._restore", lose)
    with Checkpoints(tmp_path) as checkpoints, pytest.raises(RunFailedError, match="cannot be read back"):
        checkpoints.save(10, large_state(1.0), jax.random.key(0), Selection(None, None, 1))


def test_a_first_checkpoint_is_read_back_beside_the_device(tmp_path, monkeypatch):
    """The device holds the state once, and need not have room for it twice."""
    seen = []
    monkeypatch.setattr(stored, "_compare_digests", lambda meta, parts: seen.append(parts))
    with Checkpoints(tmp_path) as checkpoints:
        for step in (10, 20):
            checkpoints.save(step, large_state(step), jax.random.key(0), Selection(None, None, 1))
    (parts,) = seen
    assert {type(leaf) for leaf in jax.tree.leaves((parts["model"], parts["train"]["state"]))} == {np.ndarray}
    chex.assert_trees_all_equal(parts["model"], large_state(10).model)


def test_a_checkpoint_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(10, large_state(1.0), jax.random.key(0), Selection(None, None, 1))
    written = tmp_path / "checkpoints" / "10"
    expected = {str(path) for path in [written.parent, written, *written.rglob("*")]}
    assert expected <= set(flushed)


def test_a_small_file_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    files.write_text(tmp_path / "a.json", "{}")
    # Under its temporary name, and then the directory that has it under its own.
    assert flushed == [str(tmp_path / "a.json.tmp"), str(tmp_path)]


def test_a_run_whose_checkpoints_are_all_broken_says_so_and_removes_none(train_only, finished, tmp_path, capsys):
    shutil.copytree(finished(20), tmp_path / "run")
    for step in (10, 20):
        break_files(tmp_path / "run" / "checkpoints" / str(step))
    capsys.readouterr()

    assert train_only(tmp_path / "run", "--steps", "30") == 1

    said = capsys.readouterr().err
    assert said.startswith(f"failed: no checkpoint in {tmp_path / 'run' / 'checkpoints'} can be read")
    assert said.count("\n") == 1
    assert {entry.name for entry in (tmp_path / "run" / "checkpoints").iterdir()} == {"10", "20"}


def test_a_disk_that_fails_removes_no_checkpoint(train_only, finished, tmp_path, monkeypatch, capsys):
    shutil.copytree(finished(20), tmp_path / "run")

    def fail(*_, **__):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("orbax.checkpoint.CheckpointManager.restore", fail)
        assert train_only(tmp_path / "run", "--steps", "30") == 1
    assert "Input/output error" in capsys.readouterr().err
    assert {entry.name for entry in (tmp_path / "run" / "checkpoints").iterdir()} == {"10", "20"}
    assert train_only(tmp_path / "run", "--steps", "30") == 0


def test_another_optimizer_is_refused_and_loses_nothing(tmp_path, tiny, capsys):
    source = (ROOT / "configs" / "vae_digits.py").read_text()
    config = tmp_path / "mine.py"
    config.write_text(source)
    call = [str(config), "--data", tiny, "--run-dir", str(tmp_path / "run"), "--devices=1", "--batch-size=16",
            "--hidden=8", "--latent-dim=3", "--evaluate-every=10", "--checkpoint-every=10", "--steps-per-call=5",
            "--num-samples=4", "--features=none"]  # fmt: skip
    main([*call, "--steps=10"])
    config.write_text(source.replace("(optax.adam)(learning_rate)", "(optax.sgd)(learning_rate)"))
    capsys.readouterr()

    with pytest.raises(SystemExit) as stop:
        main([*call, "--steps=20"])

    assert stop.value.code == 2
    assert "is of another model or optimizer" in capsys.readouterr().err
    assert (tmp_path / "run" / "checkpoints" / "10").exists()


def test_a_checkpoint_of_another_model_is_refused_and_kept(train_only, finished, tmp_path, capsys):
    shutil.copytree(finished(10), tmp_path / "run")
    assert train_only(tmp_path / "other", "--steps", "20", "--latent-dim", "4") == 0
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    shutil.copytree(tmp_path / "other" / "checkpoints", tmp_path / "run" / "checkpoints")
    capsys.readouterr()

    assert train_only(tmp_path / "run", "--steps", "30") == 2

    said = capsys.readouterr().err
    assert "is of another model" in said
    assert said.count("\n") == 1
    assert (tmp_path / "run" / "checkpoints" / "20").exists()
