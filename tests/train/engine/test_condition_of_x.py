"""A condition makes y out of x where x is prepared, without changing what x is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import preprocess
from train.engine.compile import prepare_batch
from train.experiment import DataSpec, Experiment

X = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 1), np.uint8)


def halve(key: jax.Array, x: jax.Array) -> jax.Array:
    """Every second row and column, scaled."""
    return preprocess.scale(key, x[::2, ::2])


def noise(key: jax.Array, x: jax.Array) -> jax.Array:
    return jax.random.normal(key, x.shape)


def test_y_is_made_of_the_stored_example_under_a_key_of_its_own():
    key, batch = jax.random.key(1), {"x": jnp.asarray(X), "y": jnp.arange(6)}
    plain = prepare_batch(preprocess.binarize, key, batch, None)
    halved = prepare_batch(dataclasses.replace(preprocess.binarize, condition=halve), key, batch, None)
    noisy = prepare_batch(dataclasses.replace(preprocess.binarize, condition=noise), key, batch, None)

    np.testing.assert_array_equal(plain["y"], np.arange(6))
    for conditioned in (halved, noisy):
        np.testing.assert_array_equal(conditioned["x"], plain["x"])
    np.testing.assert_allclose(halved["y"], X[:, ::2, ::2] / np.float32(255), rtol=1e-6, atol=1e-7)
    assert len(np.unique(noisy["y"])) == noisy["y"].size  # no two examples share their noise


def test_an_experiment_prepares_by_the_data_and_with_its_condition():
    def standardize(spec: DataSpec) -> preprocess.Preparation:
        return preprocess.standardize(spec.train_mean, spec.train_std)

    spec = DataSpec((4, 4, 1), None, 6, unit_interval=True, train_mean=X.mean(0) / 255, train_std=X.std(0) / 255)
    experiment = Experiment(None, standardize, data="", batch_size=1, steps=1, condition=halve)
    prepared = prepare_batch(experiment.preparation(spec), jax.random.key(0), {"x": jnp.asarray(X)}, None)

    np.testing.assert_allclose(prepared["x"].mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(prepared["x"].std(0), 1, atol=1e-5)
    assert prepared["y"].shape == (6, 2, 2, 1)
