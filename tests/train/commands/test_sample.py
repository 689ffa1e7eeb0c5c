"""Samples given the conditions of test images: their picture, their errors by hand, and those of plain baselines."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from jaxgen import preprocess
from jaxgen.recipe import Recipe
from train.commands import sample as command
from train.data import from_arrays
from train.engine.keys import make_keys
from train.engine.validation import prepare_set
from train.errors import InputError
from train.evaluation import samples
from train.runs import Run

PREPARE = dataclasses.replace(preprocess.scale, condition=preprocess.shrink(2))


def draw(key, model, num, y=None):
    """Each block filled with its mean, and noise."""
    del model
    filled = jnp.repeat(jnp.repeat(y, 2, axis=1), 2, axis=2)
    return jnp.clip(filled + 0.1 * jax.random.normal(key, (num, *filled.shape[1:])), 0, 1)


@pytest.fixture
def run(tmp_path) -> Run:
    x = np.random.default_rng(0).integers(0, 256, (50, 4, 4), np.uint8)
    recipe = Recipe(init=None, step=None, evaluate=None, sample=draw, conditional=True)
    return Run(
        path=tmp_path, record={"config": "", "values": {}, "data_fingerprint": ""}, experiment=None,
        dataset=from_arrays("made", {"x_train": x[:30], "x_test": x[30:]}), recipe=recipe, step=1, trained=1,
        selected_by=None, models=[None], keys=[make_keys(0)], data_dir=None, prepare=PREPARE, config_steps=1,
    )  # fmt: skip


def test_errors_are_those_by_hand(run):
    test = prepare_set(run.keys[0].evaluate, run.prepare, run.dataset.test).prepared
    found = samples.measure_given(run, jax.random.key(1), test, 3)
    drawn = np.float64(samples.draw_given(run, jax.random.key(1), test, 3))
    x, y = np.float64(run.dataset.test["x"]) / 255, np.float64(test["y"])
    training = np.float64(run.dataset.train["x"]) / 255

    np.testing.assert_allclose(y, x.reshape(20, 2, 2, 2, 2, 1).mean((2, 4)), atol=1e-6)
    y_training = training.reshape(-1, 2, 2, 2, 2).mean((2, 4))
    copies = np.square(y[:, None, :, :, 0] - y_training).sum((2, 3)).argmin(axis=1)
    expected = {
        "squared_error": np.square(drawn - x[:, None]).mean((1, 2, 3, 4)),
        "squared_error_of_mean_of_3_samples": np.square(drawn.mean(axis=1) - x).mean((1, 2, 3)),
        "squared_error_of_training_mean": np.square(training.mean(axis=0) - x).mean((1, 2, 3)),
        "squared_error_of_nearest_training_image": np.square(training[copies] - x).mean((1, 2, 3)),
        "squared_error_of_condition": np.square(
            drawn[:, 0].reshape(20, 2, 2, 2, 2, 1).mean((2, 4)) - y
        ).mean((1, 2, 3)),
    }  # fmt: skip
    assert found.keys() == expected.keys() | {"squared_error_of_bicubic"}
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-6, err_msg=name)


def test_the_interpolation_is_that_of_pillow():
    y = np.random.default_rng(1).uniform(size=(3, 5, 4, 1)).astype(np.float32)
    theirs = np.stack(
        [np.asarray(Image.fromarray(one[..., 0]).resize((12, 15), Image.Resampling.BICUBIC)) for one in y]
    )
    ours = samples.enlarge(y, (15, 12, 3))
    np.testing.assert_allclose(ours, np.repeat(np.clip(theirs, 0, 1)[..., None], 3, axis=-1), atol=1e-5)


def test_samples_are_shown_beside_condition_and_image(run, capsys):
    options = command.Options(run="RUN", given="test", num=6, each=2, measured=10)
    written = [str(each) for each in command.given_test(run, options)]
    saved = np.load(run.path / "given.npz")

    assert saved["samples"].shape == (3, 2, 4, 4, 1)
    np.testing.assert_allclose(saved["x"], run.dataset.test["x"][saved["rows"]] / 255, atol=1e-6)
    record = json.loads((run.path / "results" / "sample.json").read_text())["results"]
    assert record["squared_error"]["value"] == pytest.approx(saved["squared_error"].mean())
    assert any(line.startswith("squared_error_of_bicubic ") and "95 % [" in line for line in written)
    picture = plt.imread(run.path / "figures" / "given.png")[..., 0]
    small = picture[:: len(picture) // 16, :: len(picture) // 16]  # three rows of five images of 4 x 4, with gaps
    np.testing.assert_allclose(small[1:5, 1:5], np.kron(saved["y"][0, :, :, 0], np.ones((2, 2))), atol=1e-2)
    np.testing.assert_allclose(small[1:5, 11:15], saved["samples"][0, 0, :, :, 0], atol=1e-2)
    np.testing.assert_allclose(small[1:5, 21:25], saved["x"][0, :, :, 0], atol=1e-2)
    # Without --given too each sample has the condition of a test image.
    assert command.draw(run, command.Options(run="RUN", num=70)).shape == (70, 4, 4, 1)


def test_what_cannot_be_given_is_refused(run):
    given = command.Options(run="RUN", given="test")
    for changed, options, said in [
        ({"prepare": preprocess.scale}, given, "expected a run that is conditioned on something made of x"),
        ({}, dataclasses.replace(given, y=(1,)), "expected neither --y nor --prior"),
        ({}, dataclasses.replace(given, num=3), "--num 3: expected at least the 4 samples of a condition"),
        ({"prepare": dataclasses.replace(PREPARE, condition=lambda key, x: x.sum())}, given, "conditioned on an image"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=said):
            command.check_given(options, run._replace(**changed))
