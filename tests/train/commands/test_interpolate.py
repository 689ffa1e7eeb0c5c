"""Walks as a person asks for them: the numbers they leave, the pictures, the report, and what is refused."""

import json
import pathlib
import shutil
import types

import numpy as np
import pytest

from jaxgen import preprocess
from train import runs
from train.__main__ import main
from train.commands import interpolate
from train.engine.validation import prepare_set
from train.report.pictures import codes


@pytest.fixture(scope="module")
def run(tmp_path_factory, plane) -> pathlib.Path:
    return shutil.copytree(plane, tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def opened(run):
    found = runs.load(str(run), None)
    test = prepare_set(found.keys[0].evaluate, found.prepare, found.dataset.test).prepared
    return found, codes(found, test), test["y"]


def call(run: pathlib.Path, *options: str) -> int:
    try:
        main(["interpolate", str(run), *options])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_all_pairs_lead_from_one_center_to_the_other(run, opened, capsys):
    found, z, y = opened
    assert call(run, "--alphas", "0", "1", "5") == 0

    said = capsys.readouterr().out.split()
    assert said == [str(run / part) for part in
                    ("figures/interpolate_pairs.png", "figures/interpolate_pairs.npz", "report.html")]  # fmt: skip
    saved = np.load(run / "figures" / "interpolate_pairs.npz")
    means = np.stack([z[y == label].mean(0) for label in range(3)])
    np.testing.assert_allclose(saved["centroids"], means, rtol=1e-5, atol=1e-6)
    assert saved["x"].shape == (3, 5, 4, 4, 1)
    for row, (first, second) in enumerate([(0, 1), (0, 2), (1, 2)]):
        np.testing.assert_allclose(saved["z"][row, 0], means[second], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(saved["z"][row, -1], means[first], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(saved["z"][row, 2], (means[first] + means[second]) / 2, rtol=1e-5, atol=1e-6)
        decoded = found.recipe.decode(found.models[0], saved["z"][row])
        np.testing.assert_allclose(saved["x"][row], decoded, rtol=1e-4, atol=1e-5)
    assert "Interpolation: pairs" in (run / "report.html").read_text()


def test_a_walk_with_a_classifier_of_its_own_which_is_kept(run, opened, capsys):
    found, z, y = opened
    options = ("--source", "1", "--target", "0", "--start", "2", "--center", "median", "--alphas", "-2", "2", "5")
    assert call(run, *options) == 0
    saved = np.load(run / "figures" / "interpolate_median_2_along_1_to_0.npz")

    direction = z[y == 0].mean(0) - z[y == 1].mean(0)
    expected = np.median(z[y == 2], axis=0) + np.linspace(-2, 2, 5)[:, None] * direction
    np.testing.assert_allclose(saved["z"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(saved["probabilities"].sum(1), 1, rtol=1e-5)
    judge = runs.load(str(run / "classifier"), None)
    by_hand = np.exp(judge.recipe.classify(judge.keys[0].sample, judge.models[0], saved["x"]))
    np.testing.assert_allclose(saved["probabilities"], by_hand, rtol=0, atol=1e-5)
    assert judge.record["values"]["classes"] == "one-vs-rest"
    record = json.loads((run / "results" / "interpolate.json").read_text())["results"]
    assert record["alphas"] == [-2, -1, 0, 1, 2]
    np.testing.assert_array_equal(np.float32(record["probabilities"]), saved["probabilities"])

    capsys.readouterr()
    assert call(run, *options, "--classifier", str(run / "classifier")) == 0
    assert call(run, *options) == 0
    assert "training" not in capsys.readouterr().out
    again = np.load(run / "figures" / "interpolate_median_2_along_1_to_0.npz")
    np.testing.assert_array_equal(again["probabilities"], saved["probabilities"])
    assert "Interpolation: median 2 along 1 to 0" in (run / "report.html").read_text()


def test_an_example_is_where_a_walk_starts(run, opened):
    _, z, _ = opened
    assert call(run, "--source", "1", "--target", "0", "--example", "3", "--alphas", "-1", "1", "3") == 0

    saved = np.load(run / "figures" / "interpolate_example_3_along_1_to_0.npz")
    np.testing.assert_allclose(saved["z"][1], z[3], rtol=1e-5, atol=1e-6)


def test_rows_are_a_direction_where_there_are_no_labels(train_only, tmp_path, tiny):
    arrays = dict(np.load(tiny.removeprefix("npz:")))
    np.savez(tmp_path / "bare.npz", x_train=arrays["x_train"], x_test=arrays["x_test"])
    run = tmp_path / "run"
    assert train_only(run, "--data", f"npz:{tmp_path / 'bare.npz'}", "--steps", "10") == 0
    assert call(run, "--source-rows", "0", "1", "--target-rows", "2", "--alphas", "0", "1", "2") == 0

    saved = np.load(run / "figures" / "interpolate_mean_rows_0_1_along_rows_0_1_to_rows_2.npz")
    assert "probabilities" not in saved
    assert saved["x"].shape == (2, 4, 4, 1)
    assert call(run) == 2
    assert call(run, "--source", "0", "--target", "1") == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--source", "1"], "--target"),
        (["--example", "1"], "--source"),
        (["--source", "1", "--target", "9"], "--target 9: expected a class"),
        (["--source", "1", "--target", "0", "--example", "13"], "--example 13: expected rows of the 13"),
        (["--source-rows", "13", "--target", "0"], "--source-rows 13: expected rows of the 13"),
        (["--source", "1", "--target", "0", "--center", "mode"], "--center"),
        (["--source", "1", "--target", "0", "--alphas", "0", "1", "0"], "--alphas"),
        (["--source", "1", "--target", "0", "--classifier", "nowhere"], "nowhere"),
        (["--sauce", "1"], "--source"),
        (["--source", "1", "--source-rows", "2", "--target", "0"], "--source and --source-rows exclude each other"),
        (
            ["--source", "1", "--target", "0", "--start", "2", "--example", "1"],
            "--start and --example exclude each other",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, capsys, options, said):
    assert call(run, *options) == 2

    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_a_run_is_no_classifier_because_it_is_a_run(run, capsys):
    assert call(run, "--source", "1", "--target", "0", "--classifier", str(run)) == 2
    assert "expected a classifier" in capsys.readouterr().err


def test_a_class_without_test_examples_is_left_out_of_the_pairs(train_only, tmp_path, tiny):
    arrays = dict(np.load(tiny.removeprefix("npz:")))
    kept = arrays["y_test"] != 1
    np.savez(tmp_path / "gap.npz", **arrays | {"x_test": arrays["x_test"][kept], "y_test": arrays["y_test"][kept]})
    assert train_only(tmp_path / "run", "--data", f"npz:{tmp_path / 'gap.npz'}", "--steps", "10") == 0
    assert call(tmp_path / "run") == 0
    with np.load(tmp_path / "run" / "figures" / "interpolate_pairs.npz") as saved:
        assert (saved["first"].tolist(), saved["second"].tolist()) == ([0], [2])


def test_a_family_without_codes_says_so(tmp_path, capsys):
    main(["configs/naive_bayes_blobs.py", "--run-dir", str(tmp_path / "run"), "--devices", "1"])
    assert call(tmp_path / "run") == 2
    assert "without a latent space" in capsys.readouterr().err
    added = tmp_path / "run" / "figures" / "added.json"
    assert not added.exists() or json.loads(added.read_text()) == {}


def test_a_walk_finds_the_data_where_training_found_it(train_only, tmp_path, tiny, monkeypatch):
    monkeypatch.delenv("JAXGEN_DATA", raising=False)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.npz").write_bytes(pathlib.Path(tiny.removeprefix("npz:")).read_bytes())
    options = ("--data", "mine", "--data-dir", str(tmp_path / "data"), "--steps", "10")
    assert train_only(tmp_path / "run", *options) == 0
    assert call(tmp_path / "run", "--source", "1", "--target", "0", "--alphas", "0", "1", "2") == 0
    assert (tmp_path / "run" / "classifier" / "checkpoints").is_dir()


def test_decodings_are_shown_in_the_units_of_images():
    recipe = types.SimpleNamespace(decode=lambda model, z, *, y=None: z - model)
    run = types.SimpleNamespace(recipe=recipe, models=[1.0], prepare=preprocess.scale_symmetric)
    np.testing.assert_allclose(interpolate.decode(run, np.float32([[0.0, 1.0, 2.0]]), None), [[0, 0.5, 1]])
