"""The model that is best on validation data: kept for each seed, resumed exactly, read by default."""

import contextlib
import functools
import itertools
import json
import pathlib
import shutil
import types

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from run_files import bits_of, log_of

from train import config as configs
from train import preflight, runs
from train import run as running
from train.__main__ import main
from train.engine import keys, run_directory, selection
from train.engine.compile import compile_steps
from train.experiment import ADDED

RACE = str(pathlib.Path(__file__).resolve().parents[1] / "race.py")
SELECT = ("--select", "nll")
STOPS = (*SELECT, "--patience", "2")
NUM_TRAIN = 1294  # of the digits


@functools.cache
def job_of(options: tuple[str, ...]) -> preflight.Job:
    """The job of a new run, whose steps are compiled once for all runs of these options."""
    config = configs.load(RACE)
    return preflight.validate(config, configs.bind(config, ["--devices", "1", *options]), pathlib.Path("runs/new"))


def train(path: pathlib.Path, *options: str) -> bool:
    """Train without evaluating: whether the run ended."""
    job = job_of(options)
    with run_directory.RunDirectory(path) as directory:
        directory.claim(job.record, job.defaults)
        return running.train(job, path, None, 0.0)


def train_until(path: pathlib.Path, calls: int, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    @contextlib.contextmanager
    def stop_requests():
        asked = itertools.count(1)
        yield lambda: next(asked) >= calls

    with monkeypatch.context() as patch:
        patch.setattr(running.terminal, "stop_requests", stop_requests)
        assert not train(path, *options)


def read(folder: pathlib.Path) -> dict:
    """The newest entry of `checkpoints` or `best`, arrays as bytes."""
    with contextlib.closing(ocp.CheckpointManager(folder)) as manager:
        items = ocp.args.Composite(model=ocp.args.StandardRestore(), meta=ocp.args.JsonRestore())
        step = manager.latest_step()
        read = manager.restore(step, args=items)
    return {
        "step": step,
        "selection": read["meta"]["selection"],
        "model": jax.tree.map(lambda leaf: np.asarray(leaf).tobytes(), read["model"]),
    }


def same(first: pathlib.Path, second: pathlib.Path) -> bool:
    """Whether two runs ended with the same bits, selection and log."""
    step = read(first / "checkpoints")["step"]
    return (
        read(first / "checkpoints") == read(second / "checkpoints")
        and read(first / "best")["model"] == read(second / "best")["model"]
        and read(first / "best")["selection"]["step"] == read(second / "best")["selection"]["step"]
        and bits_of(first, step) == bits_of(second, step)
        and log_of(first) == log_of(second)
    )


def validated(path: pathlib.Path, name: str = "valid_nll") -> tuple[list[int], np.ndarray]:
    """(steps [E], values [E, S])."""
    lines = [line for line in log_of(path) if name in line]
    return [line["step"] for line in lines], np.array([np.atleast_1d(line[name]) for line in lines], float)


def seen(**of: list) -> selection.Seen:
    return selection.Seen(**{name: np.array(value) for name, value in of.items()})


def test_what_an_evaluation_changes():
    # Seed 0 improves, 1 does not for the second time, 2 has stopped (and is NaN), 3 is only as good as before.
    before = seen(
        value=[3.0, 3.0, 2.0, 1.0], step=[5, 5, 5, 5], since=[1, 1, 2, 0], stopped=[False, False, True, False]
    )
    found = selection.after(before, 20, np.array([2.5, 3.5, np.nan, 1.0]), less_is_better=True, patience=2)

    assert found.value.tolist() == [2.5, 3.0, 2.0, 1.0]
    assert found.step.tolist() == [20, 5, 5, 5]
    assert found.since.tolist() == [0, 2, 2, 1]
    assert found.stopped.tolist() == [False, True, True, False]
    rising = selection.after(before, 20, np.array([2.5, 3.5, np.nan, 1.0]), less_is_better=False, patience=None)
    assert rising.step.tolist() == [5, 20, 5, 5]
    assert rising.stopped.tolist() == before.stopped.tolist()


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> pathlib.Path:
    """Three seeds in one compile that stop at different steps, evaluated and reported."""
    path = tmp_path_factory.mktemp("runs") / "three"
    main([RACE, "--run-dir", str(path), "--devices=1", "--seeds=3", "--select=nll", "--patience=2", "--steps=200"])
    return path


def test_each_seed_s_best_is_kept_and_read_by_default(three):
    steps, values = validated(three)
    expected = [steps[index] for index in np.nanargmin(values, axis=0)]
    evaluation = json.loads((three / "evaluation.json").read_text())

    assert len(set(expected)) > 1
    assert evaluation["step"] == expected
    assert evaluation["selected_by"] == "nll"
    run, last = runs.load(str(three), None), runs.load(str(three), None, "last")
    assert run.step == expected
    for model, value in zip(run.models, np.nanmin(values, axis=0), strict=True):
        np.testing.assert_allclose(np.square(model["at"] - model["target"]), value, rtol=1e-6)
    assert last.selected_by is None
    assert last.step == run.trained == read(three / "checkpoints")["step"]
    assert all(late["at"] > best["at"] for late, best in zip(last.models, run.models, strict=True))


def test_a_run_whose_seeds_have_all_stopped_is_complete(three, capsys):
    steps, values = validated(three)
    stopped = [best + 10 for best in json.loads((three / "evaluation.json").read_text())["step"]]

    assert steps[-1] == max(stopped) < 200
    for curve, at in zip(values.T, stopped, strict=True):
        np.testing.assert_array_equal(np.isnan(curve), np.array(steps) > at)
    capsys.readouterr()
    main([RACE, "--run-dir", str(three), "--devices=1", "--seeds=3", "--select=nll", "--patience=2", "--steps=300"])
    assert f"is complete: {steps[-1]} steps" in capsys.readouterr().out
    main(["evaluate", str(three), "--step", "last"])
    assert f"step {steps[-1]} of 200" in capsys.readouterr().out
    assert json.loads((three / "evaluation.json").read_text())["selected_by"] is None
    main(["evaluate", str(three)])
    assert json.loads((three / "evaluation.json").read_text())["selected_by"] == "nll"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_frozen_seed_is_the_seed_alone(three, tmp_path, seed):
    assert train(tmp_path / "alone", "--seed", str(seed), *STOPS, "--steps", "200")

    alone, among = tmp_path / "alone", [runs.load(str(three), None, step) for step in ("best", "last")]
    for step, run in zip(("best", "last"), among, strict=True):
        (expected,) = runs.load(str(alone), None, step).models
        found = run.models[seed]
        assert {name: np.asarray(leaf).tobytes() for name, leaf in found.items()} == {
            name: np.asarray(leaf).tobytes() for name, leaf in expected.items()
        }
    assert runs.load(str(alone), None).step == among[0].step[seed]


def test_seeds_stop_on_two_devices_where_they_do_on_one(three, tmp_path):
    main(
        [RACE, "--run-dir", str(tmp_path / "two"), "--devices=2", "--seeds=3", "--select=nll", "--patience=2",
         "--steps=200"]
    )  # fmt: skip

    found = [read(run / "checkpoints")["selection"] for run in (three, tmp_path / "two")]
    assert found[0]["step"] == found[1]["step"]
    # The square of a distance of up to 0.1 between points of up to 2.5, which rounding moves by 1e-5 in 100 steps.
    np.testing.assert_allclose(found[0]["value"], found[1]["value"], rtol=0, atol=2 * 0.1 * 1e-5)


def test_a_frozen_seed_keeps_its_state_under_vmap(three):
    """Accelerators train seeds at once: a batched condition chooses between two states."""
    run = runs.load(str(three), None)
    device = types.SimpleNamespace(platform="gpu")
    take = compile_steps(run.recipe, run.experiment.prepare, [device], batch_size=16, seeds=3).call
    key, data = keys.make_seed_keys(0, 3), jax.tree.map(jnp.asarray, run.dataset.train)
    rows = preflight.training_rows(run.experiment, NUM_TRAIN, 1, 0, 5)
    states = jax.vmap(run.recipe.init, in_axes=(0, None))(keys.make_seed_keys(0, 3).init, {})
    before = jax.tree.map(np.array, states)
    after, metrics = take(key.steps, states, data, 0, rows, np.array([True, False, True]))

    kept = jax.tree.map(lambda old, new: (old == np.asarray(new)).reshape(3, -1).all(axis=1), before, after)
    assert kept.model["at"].tolist() == kept.train.tolist() == [False, True, False]
    assert kept.model["weights"][1]
    assert np.isnan(metrics["loss"]).all(axis=1).tolist() == [False, True, False]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A function of the number of seeds: a run that was not stopped, and its options."""

    @functools.cache
    def run(seeds: str) -> tuple[pathlib.Path, tuple[str, ...]]:
        options = ("--seeds", seeds, *STOPS)
        path = tmp_path_factory.mktemp("runs") / "whole"
        assert train(path, *options)
        return path, options

    return run


@pytest.mark.parametrize(("seeds", "calls"), [("1", 4), ("3", 1), ("3", 4), ("3", 5)])
def test_a_run_that_was_told_to_stop_selects_what_one_that_was_not_does(whole, tmp_path, monkeypatch, seeds, calls):
    path, options = whole(seeds)
    train_until(tmp_path / "parts", calls, monkeypatch, *options)
    assert train(tmp_path / "parts", *options)

    assert same(path, tmp_path / "parts")


def test_more_steps_go_on_selecting(tmp_path):
    assert train(tmp_path / "whole", "--seeds", "2", *SELECT, "--steps", "60")
    assert train(tmp_path / "parts", "--seeds", "2", *SELECT, "--steps", "15")
    assert train(tmp_path / "parts", "--seeds", "2", *SELECT, "--steps", "60")

    assert same(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.parametrize("lost", ["checkpoint", "best"])
def test_what_a_kill_or_a_damage_took_is_trained_again(tmp_path, lost, capsys):
    assert train(tmp_path / "whole", "--seeds", "3", *SELECT, "--steps", "30")
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    # Killed between the two savings there is a best model of a step without a checkpoint.
    shutil.rmtree(tmp_path / "parts" / {"checkpoint": "checkpoints", "best": "best"}[lost] / "30")
    assert train(tmp_path / "parts", "--seeds", "3", *SELECT, "--steps", "30")

    assert "resumed at step 20 of 30" in capsys.readouterr().out
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_a_higher_accuracy_is_better(tmp_path):
    assert train(tmp_path / "run", "--select", "accuracy")

    steps, values = validated(tmp_path / "run", "valid_accuracy")
    assert runs.load(str(tmp_path / "run"), None).step == steps[int(np.argmax(values))]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--select", "kl"), "--select kl: expected one of accuracy, nll"),
        (("--patience", "3"), "--patience 3: expected --select"),
        ((*SELECT, "--patience", "0"), "--patience 0: expected a whole number from 1 to 2147483647"),
        ((*SELECT, "--steps", "12"), "--steps 12: expected a multiple of --evaluate-every 5"),
    ],
)
def test_a_selection_that_cannot_be_is_refused(tmp_path, capsys, options, said):
    with pytest.raises(SystemExit) as stop:
        main([RACE, "--run-dir", str(tmp_path / "run"), "--devices=1", *options])

    assert stop.value.code == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_without_selection_has_no_best_and_another_interval_is_another_selection(tmp_path, capsys):
    assert train(tmp_path / "run", "--steps", "10")
    assert not (tmp_path / "run" / "best").exists()
    for options, said in (
        (["evaluate", str(tmp_path / "run"), "--step", "best"], "--step best: expected a run that was trained with"),
        ([RACE, "--run-dir", str(tmp_path / "run"), *SELECT], "select is None there and nll here"),
    ):
        with pytest.raises(SystemExit):
            main(options)
        assert said in capsys.readouterr().err

    assert train(tmp_path / "selected", *SELECT, "--steps", "20")
    with pytest.raises(SystemExit):
        main([RACE, "--run-dir", str(tmp_path / "selected"), *SELECT, "--evaluate-every", "10"])
    assert "evaluate_every is 5 there and 10 here" in capsys.readouterr().err


def test_a_run_of_before_there_was_selection_opens_and_goes_on(tmp_path):
    assert train(tmp_path / "whole", "--steps", "30")
    assert train(tmp_path / "old", "--steps", "20")
    file = tmp_path / "old" / "config.json"
    record = json.loads(file.read_text())
    for name in ADDED:
        del record["values"][name]
    file.write_text(json.dumps(record))
    for meta in (tmp_path / "old" / "checkpoints").glob("*/meta/metadata"):
        found = json.loads(meta.read_text())
        for name in ("selection", "digests", "digest"):
            del found[name]
        meta.write_text(json.dumps(found))

    assert runs.load(str(tmp_path / "old"), None).step == 20
    assert train(tmp_path / "old", "--steps", "30")
    assert bits_of(tmp_path / "whole", 30) == bits_of(tmp_path / "old", 30)
