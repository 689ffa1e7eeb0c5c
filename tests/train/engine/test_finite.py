"""States that are not finite: never saved, passed over where an older program saved one, and said."""

import pathlib

import jax
import jax.numpy as jnp
import pytest

from jaxgen.recipe import State
from train.__main__ import main
from train.engine.checkpoint import series as checkpoint

RACE = str(pathlib.Path(__file__).resolve().parents[1] / "race.py")
# The metrics of step 10 are of the parameters before its update, and no evaluation follows it.
NAN = ("--nan-after=10", "--evaluate-every=50")


def call(path: pathlib.Path, *options: str) -> int:
    try:
        main([RACE, "--run-dir", str(path), "--devices=1", "--steps=50", "--checkpoint-every=5", *options])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def saved(path: pathlib.Path) -> set[str]:
    return {entry.name for entry in (path / "checkpoints").iterdir()}


@pytest.fixture
def spoiled(tmp_path, monkeypatch):
    """A function that trains a run for 20 steps whose checkpoints from a step on are NaN, as they could once be."""

    def train(first_bad: int) -> pathlib.Path:
        save = checkpoint.Checkpoints.save

        def spoil(self, step, state, *others):
            self._was_read = True  # or it would be read back, and refused
            bad = {**state.model, "at": state.model["at"] * jnp.nan} if step >= first_bad else state.model
            save(self, step, State(bad, state.train), *others)

        with monkeypatch.context() as patch:
            patch.setattr(checkpoint.Checkpoints, "save", spoil)
            patch.setattr(checkpoint, "_require_finite", lambda state, step: None)
            assert call(tmp_path / "run", "--steps=10", "--evaluate-every=10") == (2 if first_bad <= 5 else 0)
        return tmp_path / "run"

    return train


@pytest.mark.parametrize("seeds", ["1", "2"])
def test_a_state_that_is_not_finite_is_not_saved(tmp_path, capsys, seeds):
    assert call(tmp_path / "run", *NAN, "--seeds", seeds) == 1

    said = capsys.readouterr().err
    assert (
        said
        == "failed: step 10: the state after it is not finite (.model['at']); checkpoints before it, if any, are kept\n"
    )
    assert saved(tmp_path / "run") == {"5"}
    assert call(tmp_path / "run", *NAN, "--seeds", seeds) == 1
    assert saved(tmp_path / "run") == {"5"}


def test_a_resume_and_a_reader_pass_over_what_is_not_finite(spoiled, capsys):
    path = spoiled(10)
    said = f"{path / 'checkpoints' / '10'} is broken"
    capsys.readouterr()
    main(["evaluate", str(path)])
    out, err = capsys.readouterr()
    assert f"warning: checkpoint {said} and is skipped: model['at'] is not finite" in err
    assert "step 5 of 10" in out

    assert call(path, "--steps=20", "--evaluate-every=10") == 0
    out, err = capsys.readouterr()
    assert f"warning: checkpoint {said} and is removed: model['at'] is not finite" in err
    assert "resumed at step 5 of 20" in out


def test_a_run_without_a_finite_checkpoint_fails_in_one_line_and_keeps_them(spoiled, capsys):
    path = spoiled(0)
    capsys.readouterr()

    assert call(path, "--steps=20", "--evaluate-every=10") == 1
    said = capsys.readouterr().err
    assert said.startswith(f"failed: no checkpoint in {path / 'checkpoints'} can be read")
    assert "not finite" in said
    assert said.count("\n") == 1
    assert saved(path) == {"5", "10"}


def test_counts_and_keys_are_not_asked_whether_they_are_finite():
    tree = {"key": jax.random.key(0), "count": jnp.arange(3), "half": jnp.ones(2, jnp.bfloat16), "whole": jnp.ones(2)}

    assert checkpoint.not_finite(tree) is None
    assert checkpoint.not_finite({"count": jnp.arange(3)}) is None
    for bad in (jnp.nan, jnp.inf, -jnp.inf):
        assert checkpoint.not_finite({**tree, "half": tree["half"].at[1].set(bad)}) == "['half']"
