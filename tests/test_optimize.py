"""One step of an optimizer, by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.optimize import largest_divisor, minimize, minimize_in_parts

X = jnp.arange(16.0).reshape(8, 2)


def loss(x):
    return lambda params: (jnp.square(x @ params["w"] - 1), {"prediction": x @ params["w"]})


def test_it_steps_down_the_mean_and_reports_means():
    params = {"w": jnp.array([0.1, -0.2])}
    optimizer = optax.inject_hyperparams(optax.sgd)(0.01)
    stepped, _, metrics = minimize(optimizer, loss(X), params, optimizer.init(params))

    prediction = np.asarray(X) @ [0.1, -0.2]
    gradient = (2 * (prediction - 1)) @ np.asarray(X) / 8
    np.testing.assert_allclose(stepped["w"], [0.1, -0.2] - 0.01 * gradient, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics["loss"], np.square(prediction - 1).mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["prediction"], prediction.mean(), rtol=1e-5)
    assert metrics["learning_rate"] == np.float32(0.01)


def test_an_optimizer_without_hyperparameters_reports_none():
    params = {"w": jnp.zeros(2)}

    assert minimize(optax.sgd(0.1), loss(X), params, optax.sgd(0.1).init(params))[2].keys() == {"loss", "prediction"}


def test_devices_step_together():
    params = {"w": jnp.array([0.1, -0.2])}
    optimizer = optax.sgd(0.01)
    alone = minimize(optimizer, loss(X), params, optimizer.init(params))

    def on_device(x):
        return minimize(optimizer, loss(x), params, optimizer.init(params), "device")

    together = jax.vmap(on_device, axis_name="device")(X.reshape(4, 2, 2))
    for ours, theirs in zip(jax.tree.leaves(alone), jax.tree.leaves(together), strict=True):
        np.testing.assert_allclose(np.broadcast_to(ours, theirs.shape), theirs, rtol=1e-5)


@pytest.mark.parametrize("part_size", [1, 3, 4, 100])
def test_a_batch_in_parts_takes_the_step_of_the_whole(part_size):
    params = {"w": jnp.array([0.1, -0.2])}
    optimizer = optax.sgd(0.01)
    whole = minimize(optimizer, loss(X), params, optimizer.init(params))
    parts = minimize_in_parts(
        optimizer, lambda params, batch: loss(batch["x"])(params), params, optimizer.init(params), {"x": X}, part_size
    )

    chex.assert_trees_all_close(whole, parts, rtol=1e-5)


def test_the_size_of_a_part_divides_the_batch():
    assert [largest_divisor(12, most) for most in (1, 4, 5, 7, 100)] == [1, 4, 4, 6, 12]
