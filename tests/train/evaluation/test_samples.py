"""What is measured of samples: nothing wrong with perfect ones, and the right thing with each kind of bad one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from jaxgen import preprocess
from jaxgen.recipe import Recipe
from train.data import from_arrays, open_data
from train.engine.keys import make_keys
from train.evaluation import samples
from train.evaluation.evaluators import classes, distances, modes, parzen
from train.evaluation.features import Features
from train.evaluation.subject import Options, Subject
from train.runs import Run


def run_of(dataset, sample, prepare=preprocess.scale, log_prob=None) -> Run:
    recipe = Recipe(init=None, step=None, evaluate=None, sample=sample, log_prob=log_prob)
    return Run(
        path=None, record={}, experiment=None, dataset=dataset, recipe=recipe, step=1, trained=1, selected_by=None,
        models=[None], keys=[make_keys(0)], data_dir=None, prepare=prepare,
        config_steps=1,
    )  # fmt: skip


def on_x(classify=None) -> Features:
    return Features("on x", lambda x: x.reshape(len(x), -1), classify)


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(0)
    y = np.arange(600) % 3
    # Classes are told by their brightest row.
    x = random.integers(0, 60, (600, 4, 4)) + 180 * (np.arange(4)[None, :, None] == y[:, None, None])
    x = x.astype(np.uint8)
    return from_arrays("made", {"x_train": x[:400], "y_train": y[:400], "x_test": x[400:], "y_test": y[400:]})


def brightest_row(x: np.ndarray) -> np.ndarray:
    return x[..., 0].mean(axis=2).argmax(axis=1)


def drawn_from(pool: np.ndarray):
    x = jnp.asarray(pool, jnp.float32) / 255
    return lambda key, model, num, y=None: x[jax.random.randint(key, (num,), 0, len(x))]


def values_of(run, features):
    subject = Subject(run, None, run.keys[0], Options(1, samples.references(run, features)))
    found = {}
    for evaluator in (modes, classes, distances, parzen):
        found |= evaluator.measure(subject) if evaluator.applies(subject) else {}
    return {name: measured.values.mean() for name, measured in found.items()}


def test_the_draws_are_as_many_as_asked_and_none_comes_twice():
    run = run_of(None, lambda key, model, num, y=None: jax.random.normal(key, (num, 2)))
    x = samples.draw(run, None, jax.random.key(1), 1234)
    assert x.shape == (1234, 2)
    assert len(np.unique(x, axis=0)) == 1234


def test_copies_of_training_data_are_found(images):
    run = run_of(images, drawn_from(images.train["x"]))
    found = values_of(run, on_x(brightest_row))
    assert found["nearest_training_example"] < 0.5 * found["nearest_test_example"]
    assert found["classes"] == 3
    assert found["class_reverse_kl"] < 0.05  # of 200 draws of 3 classes: (K - 1) / 2N = 0.005 on average
    assert found["coverage"] > 0.8
    # No nearer to the test data than training data is, but for the choice of rows.
    assert abs(found["frechet_distance"] - found["frechet_distance_of_training_data"]) < 0.1
    assert "parzen_log_likelihood" in found


def test_test_data_sorted_by_class_is_seen_whole(images, monkeypatch):
    monkeypatch.setattr(samples, "MOST", 60)
    order = np.argsort(images.test["y"], kind="stable")
    run = run_of(
        images._replace(test={name: array[order] for name, array in images.test.items()}), drawn_from(images.train["x"])
    )
    against = samples.references(run, on_x())
    assert against.real.shape == against.train.shape == (60, 16)
    assert np.bincount(brightest_row(against.real.reshape(60, 4, 4, 1))).min() >= 19
    found = values_of(run, on_x())
    assert found["recall"] > 0.8


def test_a_dropped_class_is_found(images):
    run = run_of(images, drawn_from(images.train["x"][images.train["y"] != 1]))
    found = values_of(run, on_x(brightest_row))
    assert found["classes"] == 2
    np.testing.assert_allclose(found["class_reverse_kl"], np.log(1.5), atol=0.05)
    assert found["precision"] > 0.9
    assert found["recall"] < 0.75
    assert found["coverage"] < 0.75


def test_one_example_again_and_again_is_found(images):
    run = run_of(images, drawn_from(images.train["x"][:1]))
    found = values_of(run, on_x(brightest_row))
    assert found["classes"] == 1
    np.testing.assert_allclose(found["class_reverse_kl"], np.log(3), atol=0.02)
    assert found["coverage"] < 0.1
    assert found["frechet_distance"] > 5 * found["frechet_distance_of_training_data"]


def test_the_parzen_window_stands_for_models_without_a_likelihood_alone(images):
    with_one = run_of(images, drawn_from(images.train["x"]), log_prob=lambda *_: None)
    assert "parzen_log_likelihood" not in values_of(with_one, on_x())

    wide = images._replace(test={"x": images.test["x"] * np.float32(0.1)})
    assert "parzen_log_likelihood" not in values_of(run_of(wide, drawn_from(images.train["x"])), on_x())


def test_the_parzen_window_is_the_best_of_the_validation_data(images):
    """Samples lie at 128 and validation data at 178, so that their distance is the best width; test data is further."""
    dataset = images._replace(valid={"x": np.full((9, 4, 4, 1), 178, np.uint8)})
    run = run_of(dataset, drawn_from(np.full((2, 4, 4, 1), 128)))
    subject = Subject(run, None, run.keys[0], Options(1, samples.references(run, on_x())))
    found = {name: measured.values.mean() for name, measured in parzen.measure(subject).items()}

    def log_likelihood(x, std):
        x, drawn = (np.float64(x).reshape(len(x), 16) for x in (x / 255, subject.samples))
        return np.mean(logsumexp(norm.logpdf(x[:, None], drawn[None], std).sum(axis=2), axis=1) - np.log(len(drawn)))

    stds = np.logspace(-1, 0, 10)
    of_valid, of_test = ([log_likelihood(part["x"], std) for std in stds] for part in (run.dataset.valid, images.test))
    best = stds[np.argmax(of_valid)]
    assert stds[0] < best < stds[np.argmax(of_test)]
    assert found["parzen_window"] == pytest.approx(best)
    assert found["parzen_log_likelihood"] == pytest.approx(log_likelihood(images.test["x"], best), rel=1e-5)


def test_samples_of_a_tanh_are_held_against_the_same_data(images):
    plain = drawn_from(images.train["x"])
    symmetric = run_of(images, lambda *given, y=None: 2 * plain(*given, y=y) - 1, prepare=preprocess.scale_symmetric)
    found, expected = values_of(symmetric, on_x(brightest_row)), values_of(run_of(images, plain), on_x(brightest_row))
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-3)


def test_modes_are_counted_where_the_data_has_them():
    ring = open_data("ring", None)
    perfect = run_of(ring, lambda key, model, num, y=None: jnp.asarray(ring.train["x"][:num]))
    found = values_of(perfect, on_x())
    assert found["modes"] == 8
    # 2,500 draws at 0.9889: a standard deviation of 0.0021.
    np.testing.assert_allclose(found["high_quality"], 0.9889, atol=4 * 0.0021)

    one = run_of(ring, lambda key, model, num, y=None: jnp.tile(jnp.array([[1.0, 0.0]]), (num, 1)))
    found = values_of(one, on_x())
    assert found["modes"] == 1
    np.testing.assert_allclose(found["mode_reverse_kl"], np.log(8), atol=1e-5)


def test_a_handful_of_examples_has_no_distances(images):
    run = run_of(images, drawn_from(images.train["x"]))
    run = run._replace(dataset=images._replace(test={name: array[:5] for name, array in images.test.items()}))
    assert set(values_of(run, on_x(brightest_row))) == {"classes", "class_reverse_kl"}
