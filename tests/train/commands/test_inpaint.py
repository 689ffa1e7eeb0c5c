"""The lower part of an image given the upper one: what is kept, what is drawn, and what it is worth in nats."""

import json

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest

from train import runs
from train.__main__ import main
from train.commands import inpaint
from train.data import masks
from train.engine.validation import prepare_set
from train.errors import InputError
from train.evaluation import estimates, samples


def call(run, *options: str) -> dict[str, np.ndarray]:
    main(["inpaint", str(run), "--num", "3", "--completions", "2", "--measured", "50", *options])
    return dict(np.load(run / "completions.npz"))


def test_a_run_is_completed_measured_and_shown(pixelcnn, tmp_path, capsys):
    saved = call(pixelcnn, "--rows", "3")
    said = capsys.readouterr().out.splitlines()
    opened = runs.load(str(pixelcnn), None)
    key, test = prepare_set(opened.keys[0].evaluate, opened.prepare, opened.dataset.test)

    np.testing.assert_array_equal(saved["x"], test["x"][saved["rows"]])
    assert saved["completions"].shape == (3, 2, 8, 8, 1)
    np.testing.assert_array_equal(
        saved["completions"][:, :, :3], np.broadcast_to(saved["x"][:, None, :3], (3, 2, 3, 8, 1))
    )
    assert (saved["completions"][:, 0, 3:] != saved["completions"][:, 1, 3:]).any(axis=(1, 2, 3)).all()

    x, mask = test["x"][saved["measured_rows"]], (np.arange(8) < 3)[None, :, None, None]
    kept_nll = -opened.recipe.log_prob(key, opened.models[0], x, mask=mask)
    nll = opened.recipe.evaluate(key, opened.models[0], {"x": x})["nll"]
    np.testing.assert_allclose(saved["hidden_nll"] + kept_nll, nll, rtol=1e-4)
    assert saved["hidden_nll"].shape == (50,)

    record = json.loads((pixelcnn / "results" / "inpaint.json").read_text())
    assert record["options"]["rows"] == 3
    assert record["run"]["step"] == 100
    assert record["run"]["provenance"]["commit"] == record["evaluated_by"]["commit"]
    assert record["results"].keys() == {
        "hidden_nll", "hidden_nll_of_independent_pixels", "wrong", "wrong_of_nearest_training_image"
    }  # fmt: skip
    assert record["results"]["wrong"]["value"] == pytest.approx(saved["wrong"].mean())
    for name in ("hidden_nll", "hidden_nll_of_independent_pixels", "wrong", "wrong_of_nearest_training_image"):
        (line,) = [line for line in said if line.startswith(f"{name} ")]
        found = estimates.estimate("", [saved[name]])
        assert abs(float(line.split()[1]) - found.value) < 0.006
        assert "below the 3 kept rows  95 % [" in line
        assert line in (pixelcnn / "report.html").read_text()
    picture = plt.imread(pixelcnn / "figures" / "completions.png")[..., 0]
    small = picture[:: len(picture) // 28, :: len(picture) // 28]  # three images of 8 rows, and gaps of one
    np.testing.assert_array_equal(small[1:4, 1:9], saved["x"][0, :3, :, 0])
    np.testing.assert_allclose(small[4:9, 1:9], 0.5, atol=0.01)
    np.testing.assert_array_equal(small[1:9, 19:27], saved["completions"][0, 1, :, :, 0])
    np.testing.assert_array_equal(small[1:9, 28:36], saved["x"][0, :, :, 0])
    assert "<h2>Completions</h2>" in (pixelcnn / "report.html").read_text()

    other = call(pixelcnn, "--rows", "3", "--seed", "1")
    assert (other["completions"] != saved["completions"]).any()
    np.testing.assert_array_equal(other["hidden_nll"], saved["hidden_nll"])

    mask = np.zeros((8, 8), bool)
    mask[2:4, 3:6] = True
    np.save(tmp_path / "mask.npy", mask)
    capsys.readouterr()
    hole = call(pixelcnn, "--mask", str(tmp_path / "mask.npy"))
    said = capsys.readouterr().out
    np.testing.assert_array_equal(hole["kept"], ~mask)
    kept = np.broadcast_to(hole["x"][:, None], hole["completions"].shape)
    np.testing.assert_array_equal(hole["completions"][:, :, ~mask], kept[:, :, ~mask])
    unseen = 64 - (2 * 8 + 3) - 6  # all pixels from the first hidden one on, but the hidden ones
    assert f"given those before it and not the {unseen} kept pixels behind" in said
    assert f"approximate: {unseen} of 58 kept pixels come after hidden ones" in said


def hide(mask, **options):
    return masks.hide(mask, (4, 6), **{"rows": None, "seed": 0, **options})


def test_masks_by_name():
    half = {name: hide(name) for name in ("lower", "upper", "left", "random")}
    assert np.argwhere(half["upper"]).max(axis=0).tolist() == [1, 5]
    assert np.argwhere(half["left"]).max(axis=0).tolist() == [3, 2]
    np.testing.assert_array_equal(half["lower"], ~half["upper"])
    np.testing.assert_array_equal(hide("lower", rows=3).sum(axis=1), [0, 0, 0, 6])
    assert [mask.sum() for mask in half.values()] == [12] * 4
    assert (hide("random", seed=1) != half["random"]).any()
    unseen = {name: inpaint.count_unseen(~mask, (4, 6, 1), None) for name, mask in half.items()}
    assert (unseen["lower"], unseen["upper"], unseen["left"]) == (0, 12, 12)
    backwards = np.arange(24)[::-1]
    assert inpaint.count_unseen(~half["upper"], (4, 6, 1), backwards) == 0


def test_a_mask_is_booleans_that_hide_a_part(tmp_path):
    file = tmp_path / "mask.npy"
    for mask, said in [(np.zeros((4, 6)), r"has float64 \(4, 6\); expected booleans \(4, 6\)"),
                       (np.zeros((4, 6), bool), "hides none"), (np.ones((4, 6), bool), "hides all")]:  # fmt: skip
        np.save(file, mask)
        with pytest.raises(InputError, match=said):
            hide(str(file))
    for name, said in [("middle", "expected lower, upper, left, random or a file .npy"),
                       ("nowhere.npy", r"cannot be read \(FileNotFoundError")]:  # fmt: skip
        with pytest.raises(InputError, match=f"--mask {name}: {said}"):
            hide(name)


def test_baselines_by_hand():
    training = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 1]], np.float32)
    hidden = np.array([[1, 1], [0, 1]], np.float32)
    # (1 + 1) / (3 + 2) for either of the last two pixels.
    expected = [-2 * np.log(0.4), -np.log(0.6) - np.log(0.4)]
    np.testing.assert_allclose(inpaint.independent_nll(hidden, training[:, 2:]), expected, rtol=1e-5)

    random = np.random.default_rng(0)
    a, b = (random.integers(0, 2, (num, 9)).astype(np.float32) for num in (230, 40))
    by_hand = np.abs(a[:, None] - b[None]).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(samples.nearest(a, b), by_hand)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rows", "8"], "--rows 8: expected at least 1 and less than the 8 rows of an image"),
        (["--rows", "0"], "--rows 0: expected"),
        (["--completions", "0"], "--completions 0: expected"),
        (["--rows", "3", "--mask", "left"], "--rows 3: expected --mask lower"),
    ],
)
def test_what_cannot_be_is_refused(pixelcnn, capsys, options, said):
    before = {file: file.stat().st_mtime_ns for file in pixelcnn.rglob("*")}
    with pytest.raises(SystemExit) as stop:
        main(["inpaint", str(pixelcnn), *options])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
    assert {file: file.stat().st_mtime_ns for file in pixelcnn.rglob("*")} == before


def test_only_a_model_of_images_that_completes_will_do(pixelcnn):
    run, options = runs.load(str(pixelcnn), None), inpaint.Options(run="RUN")
    with pytest.raises(InputError, match="RUN is of a family that does not complete; expected an autoregressive"):
        inpaint.check(options, run._replace(recipe=run.recipe._replace(complete=None)))
    flat = run._replace(dataset=run.dataset._replace(train={"x": np.zeros((9, 4), np.float32)}))
    with pytest.raises(InputError, match="RUN is not of images"):
        inpaint.check(options, flat)


def test_grey_levels_have_nats_and_no_baselines_of_bits(pixelcnn):
    run = runs.load(str(pixelcnn), None)
    grey = run._replace(recipe=run.recipe._replace(levels=256))
    examples, mask = {"x": np.ones((4, 8, 8, 1), np.float32)}, (np.arange(8) < 4)[None, :, None, None]
    assert list(inpaint.measure(grey, jax.random.key(0), examples, mask)) == ["hidden_nll"]
