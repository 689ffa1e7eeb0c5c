"""Out-of-distribution detection: scores, threshold, files, and what is refused."""

import dataclasses
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgen import preprocess
from train import runs
from train.__main__ import main
from train.commands import detect
from train.data import open_data
from train.engine.keys import make_keys
from train.engine.validation import prepare_set
from train.errors import RunFailedError
from train.evaluation import intervals, out_of_distribution
from train.evaluation.out_of_distribution import Opened, Score

QUICK = ("--devices=1", "--features=none", "--num-samples=2")


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> pathlib.Path:
    """The run of a model that has a density, and classifies."""
    path = tmp_path_factory.mktemp("runs") / "digits"
    call = ["configs/naive_bayes_mnist.py", "--data", "digits", "--run-dir", str(path), "--variance-floor", "0.05"]
    main([*call, "--steps=10", "--batch-size=100", *QUICK])
    return path


@pytest.fixture(scope="module")
def vae(tmp_path_factory) -> pathlib.Path:
    """The run of a model that has a lower bound, of binarized digits."""
    path = tmp_path_factory.mktemp("runs") / "vae"
    call = ["configs/vae_digits.py", "--run-dir", str(path), "--steps=10", "--batch-size=16", "--hidden=8"]
    main([*call, "--latent-dim=2", *QUICK])
    return path


@pytest.fixture(scope="module")
def noise(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("data") / "noise.npz"
    x = np.random.default_rng(0).integers(0, 256, (90, 8, 8), dtype=np.uint8)
    np.savez(path, x_train=x, x_test=x[:80])
    return f"npz:{path}"


def said(capsys, *arguments) -> list[str]:
    main(["detect", *map(str, arguments)])
    return capsys.readouterr().out.splitlines()


def test_noise_is_told_from_digits_by_a_density_and_not_by_a_classifier(digits, noise, capsys):
    given = (digits, "--against", noise, "--classifier", digits, "--false-positive-rate", "0.1", "--num", "200")
    lines = said(capsys, *given)
    picture, numbers, record, _ = map(pathlib.Path, lines[-4:])  # and the report
    result = json.loads(numbers.read_text())
    scores = result["scores"]

    assert record == digits / "results" / "detect.json"
    recorded = json.loads(record.read_text())
    assert recorded["results"]["scores"] == scores
    assert recorded["results"]["classifier"]["config"] == "configs/naive_bayes_mnist.py"
    assert list(scores) == ["likelihood", "complexity", "classifier"]
    assert [line.split(" (")[0] for line in lines[:3]] == list(scores)
    assert lines[0].startswith("likelihood (-log p(x), nats): auroc ")
    assert "bootstrap, 200 in-distribution and 80 out-of-distribution examples; at threshold " in lines[0]
    assert scores["likelihood"]["auroc"]["value"] > 0.99
    assert scores["likelihood"]["true_positive_rate"] > 0.99
    # Of 200 in-distribution examples, without ties, 20 lie above the threshold.
    assert scores["likelihood"]["false_positive_rate"] == 0.1
    assert scores["classifier"]["false_positive_rate"] <= 0.1
    assert scores["classifier"]["auroc"]["value"] < 0.75
    # It must name a digit, and is as sure of it where there is none.
    assert result["confidence"]["out_of_distribution"]["median"] > 0.95
    mean = result["confidence"]["out_of_distribution"]["mean"]
    assert lines[4].startswith(f"largest class probability, out-of-distribution: mean {mean:.4f}")

    assert picture.read_bytes().startswith(b"\x89PNG")
    assert f"Out-of-distribution detection: {noise}" in (digits / "report.html").read_text()
    assert said(capsys, *given) == lines


def test_data_held_against_itself_cannot_be_told(digits):
    opened = Opened(runs.load(str(digits), None), open_data("digits", None), None, None)
    for score in out_of_distribution.score_all(opened, 100, 1).values():
        np.testing.assert_allclose(out_of_distribution.evaluate_score(score, 0.05).auroc.value, 0.5, atol=1e-6)


def test_other_options_have_another_folder(digits):
    run = runs.load(str(digits), None)
    options = detect.Options(run=str(digits), against="mnist")
    assert detect.output_folder(options, run) == digits / "detect" / "mnist_None_None_0.05_2000_500"
    for_paths = [f"npz:a/{'long' * 50}/{name}.npz" for name in ("b", "c")]
    others = [{"against": path} for path in for_paths] + [{"background": "a/b"}, {"background": "a_b"}]
    folders = {detect.output_folder(dataclasses.replace(options, **other), run) for other in others}
    assert len(folders) == 4
    assert all(folder.parent == digits / "detect" and len(folder.name) < 100 for folder in folders)


@pytest.mark.parametrize(("rate", "threshold"), [(0.05, 94), (0.29, 70), (0.001, 99), (0.999, 0)])
def test_the_threshold_is_the_lowest_that_keeps_the_false_positive_rate(rate, threshold):
    scores = np.random.default_rng(0).permutation(100).astype(np.float32)
    assert out_of_distribution.find_threshold(scores, rate) == threshold
    assert (scores > threshold).mean() <= rate
    assert (scores > threshold - 1).mean() > rate or threshold == 0


def test_the_threshold_among_ties():
    assert out_of_distribution.find_threshold(np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 2.0]), 0.5) == 1
    assert out_of_distribution.find_threshold(np.array([3.0, 3.0]), 0.4) == 3


def test_the_interval_is_as_wide_as_hanley_and_mcneil_s():
    random = np.random.default_rng(3)
    score = Score("", random.normal(size=300).astype(np.float32), (1 + random.normal(size=200)).astype(np.float32))
    found = out_of_distribution.evaluate_score(score, 0.05).auroc
    area = found.value
    both_out, both_in = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + 199 * (both_out - area**2) + 299 * (both_in - area**2)
    # Their formula takes exponential scores, and 1,000 resamples know a quantile's distance to about 5 %.
    np.testing.assert_allclose(found.high - found.low, 2 * 1.96 * np.sqrt(variance / 300 / 200), rtol=0.2)
    assert found.low < area < found.high
    assert intervals.bootstrap_two_sets(lambda a, b: 0.5, score.in_distribution, score.out_of_distribution[:1]) is None


@pytest.mark.parametrize("prepare", [preprocess.scale, preprocess.dequantize, preprocess.quantize(256)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_size_of_an_image_is_that_of_its_file(prepare, channels, tmp_path):
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (4, 8, 8, channels), dtype=np.uint8)
    x[0] = 255
    x[1, :, 4:] = 0
    seen = prepare_set(make_keys(0).sample, prepare, {"x": x}).prepared["x"]
    sizes = []
    for image in x:
        Image.fromarray(image.squeeze(-1) if channels == 1 else image).save(tmp_path / "x.png", optimize=True)
        sizes.append(8 * (tmp_path / "x.png").stat().st_size)
    assert out_of_distribution.png_bits(seen).tolist() == sizes
    assert sizes[0] < sizes[1] < sizes[2]


def test_the_scores_are_differences_of_what_the_models_say(digits):
    run, background = runs.load(str(digits), None), runs.load(str(digits), None)
    background = background._replace(models=[jax.tree.map(lambda leaf: 1.5 * leaf, background.models[0])])
    found = out_of_distribution.score_all(Opened(run, open_data("digits", None), background, None), 30, 1)

    rows = np.linspace(0, 359, 30).astype(int)
    x = run.dataset.test["x"][rows] / np.float32(255)
    log_p, log_p_background = (
        np.asarray(reader.recipe.log_prob(reader.keys[0].sample, reader.models[0], x)) for reader in (run, background)
    )
    sizes = out_of_distribution.png_bits(x)
    # A log-density sums 64 terms of up to 1 / (2 * 0.05) nats, of which float32 keeps seven digits.
    margin = 1e-6 * 64 * 10
    for side in ("in_distribution", "out_of_distribution"):
        likelihood, ratio = (getattr(found[name], side) for name in ("likelihood", "likelihood ratio"))
        np.testing.assert_allclose(likelihood, -log_p, rtol=0, atol=margin)
        np.testing.assert_allclose(ratio, log_p_background - log_p, rtol=0, atol=2 * margin)
        bits = getattr(found["complexity"], side)
        bits_margin = margin / np.log(2) + 1e-6 * sizes.max()
        np.testing.assert_allclose(bits, -log_p / np.log(2) - sizes, rtol=0, atol=bits_margin)


def test_a_bound_is_called_one_and_in_distribution_examples_are_those_of_the_evaluation(vae, noise, capsys):
    lines = said(capsys, vae, "--against", noise, "--num-samples", "3")
    for line in lines[:2]:
        assert ", by a lower bound on log p(x) of 3 samples): auroc" in line
    run = runs.load(str(vae), None)
    test = prepare_set(make_keys(0).evaluate, run.prepare, run.dataset.test).prepared["x"]
    seen = out_of_distribution.prepare_both_sets(run, Opened(run, open_data(noise, None), None, None), 1000)
    np.testing.assert_array_equal(seen[:360], test)
    assert set(np.unique(seen)) == {0, 1}
    assert len(seen) == 440


def test_grey_values_under_a_mass_of_two_have_no_length(vae, noise, capsys):
    run = runs.load(str(vae), None)
    run = run._replace(prepare=preprocess.scale)
    assert list(out_of_distribution.score_all(Opened(run, open_data(noise, None), None, None), 10, 2)) == ["likelihood"]
    assert "a cross-entropy and not a code length" in capsys.readouterr().err


def test_scores_that_are_not_finite_fail_the_run(digits, noise):
    run = runs.load(str(digits), None)
    run = run._replace(models=[jax.tree.map(lambda leaf: leaf * jnp.nan, run.models[0])])
    with pytest.raises(RunFailedError, match="likelihood: 20 of 20 scores are not finite"):
        out_of_distribution.score_all(Opened(run, open_data(noise, None), None, None), 10, 1)


BAD = {
    "no such data": (["digits", "--against", "digts"], ["--against: data 'digts'", "did you mean digits?"]),
    "another shape": (["digits", "--against", "{tiny}"], ["--against", "expected examples of shape (8, 8, 1)"]),
    "no data": (["digits"], ["--against"]),
    "no density": (["rae", "--against", "{tiny}"], ["log_prob"]),
    "no run": (["digits", "--against", "digits", "--background", "nowhere"], ["--background: nowhere is no run"]),
    "background's shape": (["digits", "--against", "digits", "--background", "rae"], ["--background", "(8, 8, 1)"]),
    "background's range": (
        ["digits", "--against", "digits", "--background", "vae"],
        ["--background", "expected a model of a density in units whose 0 is", "not of 2 values in units whose 0 is"],
    ),
    "classifier's shape": (["digits", "--against", "digits", "--classifier", "rae"], ["--classifier", "(8, 8, 1)"]),
    "no classifier": (["digits", "--against", "digits", "--classifier", "vae"], ["--classifier", "that classifies"]),
    "no false positives": (
        ["digits", "--against", "digits", "--false-positive-rate", "0"],
        ["--false-positive-rate 0.0: expected"],
    ),
    "all false positives": (
        ["digits", "--against", "digits", "--false-positive-rate", "1"],
        ["--false-positive-rate 1.0: expected"],
    ),
    "nan": (["digits", "--against", "digits", "--false-positive-rate", "nan"], ["--false-positive-rate nan: expected"]),
    "none": (["digits", "--against", "digits", "--num", "0"], ["--num 0: expected"]),
}


@pytest.mark.parametrize(("arguments", "expected"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(
    arguments, expected, digits, vae, rae, tiny, monkeypatch, capsys
):
    runs = {"digits": digits, "vae": vae, "rae": rae}
    given = [
        str(runs[argument]) if argument in runs and before != "--against" else argument.replace("{tiny}", tiny)
        for before, argument in zip(["", *arguments], arguments, strict=False)
    ]
    monkeypatch.delenv("JAXGEN_DATA", raising=False)
    before = {path: path.stat().st_mtime_ns for run in runs.values() for path in run.rglob("*")}
    with pytest.raises(SystemExit) as stop:
        main(["detect", *given])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert error.count("\n") == 1
    for part in expected:
        assert part in error
    assert {path: path.stat().st_mtime_ns for run in runs.values() for path in run.rglob("*")} == before


def test_a_model_that_must_know_the_class_is_refused(digits, monkeypatch, capsys):
    opened = runs.load(str(digits), None)

    def log_prob(key, model, x, *, y=None, num_samples=1):
        raise ValueError("this model is conditional: y must be given")

    conditional = opened._replace(recipe=opened.recipe._replace(log_prob=log_prob))
    monkeypatch.setattr(runs, "open_run", lambda options: conditional)
    with pytest.raises(SystemExit):
        main(["detect", str(digits), "--against", "digits"])
    assert "cannot score --against digits: ValueError: this model is conditional" in capsys.readouterr().err
