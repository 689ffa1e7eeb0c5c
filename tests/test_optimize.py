"""One step of an optimizer, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgen.optimize import minimize

X = jnp.arange(16.0).reshape(8, 2)


def loss(x):
    return lambda params: (jnp.square(x @ params["w"] - 1), {"prediction": x @ params["w"]})


def test_it_steps_down_the_mean_and_reports_means():
    params = {"w": jnp.array([0.1, -0.2])}
    optimizer = optax.inject_hyperparams(optax.sgd)(0.01)
    stepped, _, metrics = minimize(optimizer, loss(X), params, optimizer.init(params))

    prediction = np.asarray(X) @ [0.1, -0.2]
    gradient = (2 * (prediction - 1)) @ np.asarray(X) / 8
    np.testing.assert_allclose(stepped["w"], [0.1, -0.2] - 0.01 * gradient, rtol=1e-5)
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
