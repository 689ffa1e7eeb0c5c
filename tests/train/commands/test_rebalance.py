"""A training set weighed by its codes: who is chosen, what is written, and what a classifier makes of it."""

import json
import pathlib
import re

import jax
import numpy as np
import pytest

from jaxgen import metrics
from train import config as configs
from train import runs
from train.__main__ import main
from train.commands import rebalance
from train.data import open_data, synthetic

QUICK = ("--steps", "20", "--evaluate-every", "10", "--checkpoint-every", "10", "--devices", "1")
SMALL = ("--channels", "4", "--hidden", "8")


def refused(arguments, capsys) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["rebalance", *arguments])
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_the_heavier_are_chosen_more_often():
    weights = np.repeat([1.0, 4.0], 5000)
    rows = rebalance.choose(weights, 500, seed=0)
    assert len(np.unique(rows)) == 500
    # 500 of 10,000: nearly with replacement, so four in five are of the heavy half.
    assert abs((rows >= 5000).mean() - 0.8) < 4 * np.sqrt(0.16 / 500)
    np.testing.assert_array_equal(rows, rebalance.choose(weights, 500, seed=0))
    assert (rebalance.choose(np.array([0.0, 1.0, 1.0]), 2, seed=0) == [1, 2]).all()


def test_it_writes_weights_and_data_sets_to_train_on(rae, tiny, capsys):
    main(["rebalance", str(rae), "--size", "20"])
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("effective number of examples")

    whole = open_data(tiny, None)
    folder = pathlib.Path(said[0]).parent
    weights = np.load(folder / "weights.npz", allow_pickle=False)
    assert weights["weights"].shape == (len(whole.train["x"]),)
    np.testing.assert_allclose(weights["weights"].mean(), 1, rtol=1e-4)
    for name in ("rebalanced", "chance"):
        data = open_data(f"npz:{folder / name}.npz", None)
        assert len(data.train["x"]) == 20
        np.testing.assert_array_equal(data.test["x"], whole.test["x"])
    chosen = open_data(f"npz:{folder / 'rebalanced.npz'}", None)
    np.testing.assert_array_equal(chosen.train["x"], whole.train["x"][weights["rows"]])
    main(["rebalance", str(rae), "--size", "30"])  # another choice has another folder
    assert pathlib.Path(capsys.readouterr().out.splitlines()[0]).parent != folder


def test_it_is_held_against_what_a_model_generates(tmp_path, tiny, capsys):
    small = ["--batch-size", "16", "--channels", "4", "--hidden", "8", "--latent-dim", "2", "--features", "none"]
    main(["configs/wae_mmd_mnist.py", "--data", tiny, "--run-dir", str(tmp_path), *small, *QUICK])
    opened = runs.load(str(tmp_path), None)
    options = rebalance.Options(run=str(tmp_path), against="generated", generated=300, bandwidth=0.5)
    weights = rebalance.weigh(opened, options)

    # By hand: a density of what is drawn, encoded as the training set is, over that of the training set.
    x = opened.recipe.sample(jax.random.key(5), opened.models[0], 300)
    train = opened.dataset.train["x"] / np.float32(255)
    z, of_drawn = (np.asarray(opened.recipe.encode(opened.models[0], part)) for part in (train, x))
    by_hand = metrics.density_weights(z, of_drawn, bandwidth=0.5)
    # Two sets of 300 draws know the density at a point to some percent; the training set in their stead is far off.
    assert np.corrcoef(np.log(weights), np.log(by_hand))[0, 1] > 0.9
    itself = metrics.density_weights(z, z, bandwidth=0.5)
    assert np.corrcoef(np.log(weights), np.log(itself))[0, 1] < 0.8


def test_weights_that_are_0_choose_nobody(rae, capsys):
    said = refused([str(rae), "--size", "50", "--bandwidth", "0.001"], capsys)
    assert "--size 50: only" in said
    assert "expected a larger --bandwidth or a smaller --power" in said


def test_classifiers_judge(rae, monkeypatch, capsys):
    bind = configs.bind
    monkeypatch.setattr(configs, "bind", lambda config, options: bind(config, [*options, *QUICK[:-2], *SMALL]))
    main(["rebalance", str(rae), "--size", "20", "--judge-seeds", "2"])
    said = capsys.readouterr().out
    for arm in ("whole set", "rebalanced", "chance"):
        assert re.search(rf"{arm}: balanced_accuracy 0\.\d+ of 1 +95 % \[.*Student t, 2 seeds", said)
    record = json.loads((rae / "results" / "rebalance.json").read_text())
    assert record["options"]["size"] == 20
    assert sum(record["results"]["classes"]["rebalanced"]) == 20
    assert [len(found["seeds"]) for found in record["results"]["balanced_accuracy"].values()] == [2, 2, 2]


def test_a_power_of_0_weighs_all_alike(rae):
    weights = rebalance.weigh(runs.load(str(rae), None), rebalance.Options(run=str(rae), power=0.0))
    np.testing.assert_allclose(weights, 1, rtol=1e-5)


def test_what_cannot_be_is_refused(rae, capsys):
    assert "--against generated: expected a family that samples" in refused(
        [str(rae), "--against", "generated"], capsys
    )
    assert "--size 100: expected fewer than the 52 training examples" in refused([str(rae), "--size", "100"], capsys)
    assert "--size 0: expected" in refused([str(rae), "--size", "0"], capsys)


def test_balanced_accuracy_counts_classes_alike(rae):
    opened = runs.load(str(rae), None)
    y = np.array([0, 0, 0, 1], np.int32)
    x = np.zeros((4, 4, 4, 1), np.uint8)

    def evaluate(key, model, batch):
        return {"accuracy": (batch["y"] == 1).astype(jax.numpy.float32)}

    opened = opened._replace(
        dataset=opened.dataset._replace(test={"x": x, "y": y}), recipe=opened.recipe._replace(evaluate=evaluate)
    )
    assert rebalance.recalls(opened).mean() == 0.5  # where the plain accuracy is a quarter


def test_classes_are_skewed_by_the_ratio():
    y = np.arange(20_000) % 10
    skewed = synthetic.skew_classes({"x_train": y[:, None], "y_train": y, "x_test": y[:50, None], "y_test": y[:50]})
    counts = np.bincount(skewed["y_train"])
    assert counts[0] == 2000
    assert counts[-1] == 40
    np.testing.assert_allclose(counts[:-1] / counts[1:], 50 ** (1 / 9), rtol=0.03)
    np.testing.assert_array_equal(skewed["x_train"][:, 0], skewed["y_train"])
    assert len(skewed["y_test"]) == 50
