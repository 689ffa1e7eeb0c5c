"""Samples of a class out of samples of no class: which are chosen, what the weights say, what is refused."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import preprocess
from train import runs
from train.__main__ import main
from train.commands import condition
from train.errors import InputError
from train.evaluation import features


@pytest.fixture(scope="module")
def classifier(tmp_path_factory) -> pathlib.Path:
    path = tmp_path_factory.mktemp("runs") / "classifier"
    main(
        ["configs/logistic_regression_mnist.py", "--data=digits", "--run-dir", str(path), "--batch-size=100",
         "--classes=multinomial", "--learning-rate=0.02", "--steps=100", "--evaluate-every=50",
         "--checkpoint-every=50", "--devices=1"]
    )  # fmt: skip
    return path


@pytest.fixture
def known(pixelcnn) -> runs.Run:
    """A run whose first pixel is 1 with probability 0.3, and which classifies by it: p(1 | x) is 0.9 or 0.2."""
    run = runs.load(str(pixelcnn), None)

    def sample(key, model, num, *, y=None):
        return jax.random.bernoulli(key, 0.3, (num, 8, 8, 1)).astype(jnp.float32)

    def classify(key, model, x):
        of_one = jnp.where(x[:, 0, 0, 0] > 0.5, 0.9, 0.2)
        return jnp.log(jnp.stack([1 - of_one, of_one], axis=1))

    return run._replace(recipe=run.recipe._replace(sample=sample, classify=classify))


def test_each_is_chosen_in_proportion_to_its_weight():
    for weighty in (10, 100):
        found = condition.resample(np.log(np.repeat([1.0, 1e-9], [weighty, 900])), 10, seed=0)
        assert abs(found.effective_size - weighty) < 1e-3
        assert (found.rows < weighty).all()
        assert len(set(found.rows)) == 10
    with np.errstate(divide="ignore"):
        few = condition.resample(np.log(np.repeat([1.0, 0.0], [3, 900])), 4, seed=0)
    assert set(few.rows) == {0, 1, 2}

    uniform = condition.resample(np.full(500, -700.0), 500, seed=0)
    assert sorted(uniform.rows) == list(range(500))
    weights = np.random.default_rng(0).permutation(np.repeat([1.0, 4.0], 500))
    for num in (100, 700):
        found = condition.resample(np.log(weights), num, seed=1)
        expected = num * weights / weights.sum()
        assert (np.abs(np.bincount(found.rows, minlength=1000) - expected) < 1).all()
        assert abs(weights[found.rows].tolist().count(4.0) - 0.8 * num) <= 4 * np.sqrt(0.16 * num)


def test_bayes_rule_where_all_is_known(known, monkeypatch):
    monkeypatch.setattr(runs, "load_beside", lambda *_, **__: known)
    look = features.Features("by its first pixel", lambda x: x, lambda x: (x[:, 0, 0, 0] > 0.5).astype(int))
    monkeypatch.setattr(features, "choose", lambda run, given: look)
    options = condition.Options(run=str(known.path), classifier="known", y=(1,), pool=4000, num=300)
    said = condition.condition(options, known)
    saved = np.load(known.path / "condition" / "1.npz")

    weights, p_y = np.exp(saved["log_weights"][:, 1]), 0.9 * 0.3 + 0.2 * 0.7
    std = 0.7 * np.sqrt(0.3 * 0.7 / 4000)  # of a mean of 0.9 and 0.2
    assert abs(weights.mean() - p_y) < 4 * std
    (line,) = [line for line in said if line.startswith("y 1: p(y)")]
    assert abs(float(line.split()[3]) - weights.mean()) < 1e-4
    share = (known.dataset.train["y"] == 1).mean()
    assert f"of 1 (training data: {share:.4g})  95 % [" in line

    # (E w)^2 / E w^2, to the precision that the share of either pixel has.
    effective = p_y**2 / (0.81 * 0.3 + 0.04 * 0.7)
    (line,) = [line for line in said if "effective" in line]
    assert line.endswith("of 4000, 300 selected, 300 of them distinct")
    assert abs(float(line.split()[5]) / 4000 - effective) < 0.03

    # p(first pixel | y) by Bayes' rule; systematic draws scatter less than independent ones.
    posterior, first = 0.9 * 0.3 / p_y, saved["x"][0, :, 0, 0, 0]
    assert abs(first.mean() - posterior) < 4 * np.sqrt(posterior * (1 - posterior) / 300)
    (line,) = [line for line in said if "second classifier, selected" in line]
    assert f"{first.mean():.4g} of 1, by its first pixel" in line
    (line,) = [line for line in said if "second classifier, pool" in line]
    assert abs(float(line.split()[8]) - 0.3) < 4 * np.sqrt(0.21 / 4000)
    found = json.loads((known.path / "results" / "condition.json").read_text())["results"]["classes"]["1"]
    assert found["p_y"]["value"] == pytest.approx(weights.mean())
    assert found["assigned"]["selected"]["value"] == pytest.approx(first.mean())


def test_a_run_and_a_classifier(pixelcnn, classifier, capsys):
    arguments = [str(pixelcnn), "--classifier", str(classifier), "--features", "none", "--pool", "600"]
    main(["condition", *arguments, "--y", "0", "3", "--num", "21"])
    assert "y 3: effective sample size" in capsys.readouterr().out

    saved = np.load(pixelcnn / "condition" / "0_3.npz")
    assert saved["x"].shape == (2, 10, 8, 8, 1)
    assert saved["log_weights"].shape == (600, 10)
    np.testing.assert_allclose(np.exp(saved["log_weights"]).sum(axis=1), 1, rtol=1e-5)
    judge = runs.load(str(classifier), None)
    by_hand = judge.recipe.classify(jax.random.key(0), judge.models[0], saved["x"][1])
    np.testing.assert_allclose(saved["log_weights"][saved["rows"][1]], by_hand, atol=1e-4)
    # Chosen in proportion to its weight, a sample is on average the more probable.
    for row, label in zip(saved["rows"], (0, 3), strict=True):
        weights = np.exp(saved["log_weights"][:, label])
        assert weights[row].mean() > weights.mean()
    assert "<h2>Samples of class 0 3 by a classifier</h2>" in (pixelcnn / "report.html").read_text()

    main(["condition", *arguments, "--y", "0", "--num", "21", "--seed", "1"])
    other = np.load(pixelcnn / "condition" / "0.npz")
    assert other["x"].shape == (1, 21, 8, 8, 1)
    assert (other["log_weights"] != saved["log_weights"]).any()


@pytest.mark.parametrize(
    ("prepare", "seen"),
    [
        (preprocess.scale, {0.0, 0.25, 1.0}),
        (preprocess.scale_symmetric, {-1.0, -0.5, 1.0}),
        (preprocess.binarize, {0.0, 1.0}),
    ],
)
def test_a_classifier_sees_samples_as_it_sees_data(known, prepare, seen):
    recipe = known.recipe._replace(classify=lambda key, model, x: x.reshape(len(x), -1))
    judge = known._replace(recipe=recipe, prepare=prepare)
    x = np.tile(np.array([0, 0.25, 1], np.float32), (200, 1))[:, :, None, None]
    assert set(condition.log_weights(judge, jax.random.key(0), x).ravel()) == seen


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--y", "10"], "--y 10: expected classes of the classifier, which has 10"),
        (["--y", "0", "1", "2", "--num", "2"], "--num 2: expected at least one sample of each of the 3 classes"),
        (["--y", "0", "--features", "CLASSIFIER"], "expected another run than --classifier"),
        (["--y", "0", "--pool", "0"], "--pool 0: expected"),
        (["--y", "0", "--classifier", "RUN"], "expected the run of a family that classifies"),
        (["--y", "0", "--classifier", "nowhere"], "nowhere"),
        (["--y"], "--y: expected at least one class"),
    ],
)
def test_what_cannot_be_is_refused(pixelcnn, classifier, capsys, options, said):
    named = {"CLASSIFIER": str(classifier), "RUN": str(pixelcnn)}
    given = ["--classifier", str(classifier), "--features", "none", *(named.get(option, option) for option in options)]
    before = {file: file.stat().st_mtime_ns for file in pixelcnn.rglob("*")}
    with pytest.raises(SystemExit) as stop:
        main(["condition", str(pixelcnn), *given])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
    assert {file: file.stat().st_mtime_ns for file in pixelcnn.rglob("*")} == before


def test_only_an_unconditional_model_that_samples_will_do(known):
    options = condition.Options(run="RUN", classifier="nowhere", y=(0,))
    with pytest.raises(InputError, match="RUN is of a family that cannot sample"):
        condition.check(options, known._replace(recipe=known.recipe._replace(sample=None)))
    with pytest.raises(InputError, match="is conditional on a class and needs no classifier"):
        condition.check(options, known._replace(recipe=known.recipe._replace(conditional=True)))


def test_a_classifier_of_other_examples_is_refused(known, classifier):
    options = condition.Options(run="RUN", classifier=str(classifier), y=(0,))
    tall = {"x": np.zeros((52, 5, 4, 1), np.uint8), "y": np.arange(52) % 3}
    other = known._replace(dataset=known.dataset._replace(train=tall))
    with pytest.raises(InputError, match=r"expected a run on examples of shape \(5, 4, 1\), not \(8, 8, 1\)"):
        condition.open_classifier(options, other)


def test_a_class_that_is_impossible_is_refused(known, monkeypatch):
    def classify(key, model, x):
        return jnp.stack([jnp.zeros(len(x)), jnp.full(len(x), -jnp.inf)], axis=1)

    judge = known._replace(recipe=known.recipe._replace(classify=classify))
    monkeypatch.setattr(runs, "load_beside", lambda *_, **__: judge)
    options = condition.Options(run="RUN", classifier="known", y=(1,), pool=10, num=2, features="none")
    with pytest.raises(InputError, match="--y 1: expected a class with p\\(y \\| x\\) > 0"):
        condition.condition(options, known)
