"""One step of an optimizer, by hand."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen import models, recipes
from jaxgen.optimize import (
    chunk_size,
    in_microbatches,
    largest_divisor,
    minimize,
    minimize_in_parts,
    normalize_each,
    optimizer,
    reset_when,
)

X = jnp.arange(16.0).reshape(8, 2)


def loss(x):
    return lambda params: (jnp.square(x @ params["w"] - 1), {"prediction": x @ params["w"]}, {"twice": 2 * x})


def test_it_steps_down_the_mean_and_reports_means():
    params = {"w": jnp.array([0.1, -0.2])}
    optimizer = optax.inject_hyperparams(optax.sgd)(0.01)
    stepped, _, metrics, _ = minimize(optimizer, loss(X), params, optimizer.init(params))

    prediction = np.asarray(X) @ [0.1, -0.2]
    gradient = (2 * (prediction - 1)) @ np.asarray(X) / 8
    np.testing.assert_allclose(stepped["w"], [0.1, -0.2] - 0.01 * gradient, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics["loss"], np.square(prediction - 1).mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["prediction"], prediction.mean(), rtol=1e-5)
    assert metrics["learning_rate"] == np.float32(0.01)


def test_an_optimizer_without_hyperparameters_reports_none():
    params = {"w": jnp.zeros(2)}

    assert minimize(optax.sgd(0.1), loss(X), params, optax.sgd(0.1).init(params))[2].keys() == {"loss", "prediction"}


def test_what_is_kept_is_not_averaged():
    params, optimizer = {"w": jnp.zeros(2)}, optax.sgd(0.1)

    def on_device(x):
        return minimize(optimizer, loss(x), params, optimizer.init(params), "device")[3]

    kept = jax.vmap(on_device, axis_name="device")(X.reshape(4, 2, 2))
    np.testing.assert_array_equal(kept["twice"], 2 * X.reshape(4, 2, 2))


def test_a_reset_optimizer_is_a_new_one():
    params, optimizer = {"w": jnp.array([0.1, -0.2])}, optax.adam(0.1)
    first = optimizer.init(params)
    later = minimize(optimizer, loss(X), params, first)[1]
    for now, expected in ((True, first), (False, later)):
        chex.assert_trees_all_equal(reset_when(jnp.array(now), optimizer, params, later), expected)


def test_devices_step_together():
    params = {"w": jnp.array([0.1, -0.2])}
    optimizer = optax.sgd(0.01)
    alone = minimize(optimizer, loss(X), params, optimizer.init(params))[:3]

    def on_device(x):
        return minimize(optimizer, loss(x), params, optimizer.init(params), "device")[:3]

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

    chex.assert_trees_all_close(whole, parts, rtol=1e-5)  # kept too, a row for each example


@pytest.mark.parametrize("num", [1, 2, 4])
def test_microbatches_step_as_the_whole_batch(num):
    optimizer = optax.sgd(0.01)
    params = {"w": jnp.array([0.1, -0.2])}

    def step(key, state, batch, *, axis_name=None):
        del key
        whole = minimize(optimizer, loss(batch["x"]), *state, axis_name)
        parts = minimize_in_parts(optimizer, lambda params, b: loss(b["x"])(params), *state, batch, 2, axis_name)
        return whole[:2], (whole[:3], parts[:3])  # but what is kept, a row for each example

    state = params, optimizer.init(params)
    found = jax.jit(in_microbatches(step, num))(None, state, {"x": X})
    expected = minimize(optimizer, loss(X), *state)[:3]
    chex.assert_trees_all_close(found, (expected[:2], (expected, expected)), rtol=1e-5)


def test_chunks_are_equal_where_a_divisor_is_large_enough():
    sizes = {
        (500, 64): 50,
        (65, 64): 33,
        (499, 64): 63,
        (7, 64): 7,
        (80, 64): 40,
        (500, 25): 25,
        (26, 25): 13,
        (53, 25): 18,
    }
    assert {case: chunk_size(*case) for case in sizes} == sizes


def test_the_size_of_a_part_divides_the_batch():
    assert [largest_divisor(12, most) for most in (1, 4, 5, 7, 100)] == [1, 4, 4, 6, 12]


GRADIENTS = np.random.default_rng(0).normal(size=(5, 3))


def sgd(gradients, rate):
    for g in gradients:
        yield rate * g


def momentum(gradients, rate, mass=0.9):
    velocity = 0
    for g in gradients:
        velocity = mass * velocity + g
        yield rate * velocity


def adagrad(gradients, rate, eps=1e-6):
    total = 0
    for g in gradients:
        total = total + g**2
        yield rate * g / np.sqrt(total + eps)


def adadelta(gradients, rate, rho=0.95, eps=1e-6):
    squares = steps = 0
    for g in gradients:
        squares = rho * squares + (1 - rho) * g**2
        step = np.sqrt(steps + eps) / np.sqrt(squares + eps) * g
        steps = rho * steps + (1 - rho) * step**2
        yield rate * step


def rmsprop(gradients, rate, decay=0.9, eps=1e-8):
    squares = 0
    for g in gradients:
        squares = decay * squares + (1 - decay) * g**2
        yield rate * g / np.sqrt(squares + eps)


def adam(gradients, rate, b1=0.9, b2=0.999, eps=1e-8):
    mean = squares = 0
    for t, g in enumerate(gradients, 1):
        mean, squares = b1 * mean + (1 - b1) * g, b2 * squares + (1 - b2) * g**2
        yield rate * mean / (1 - b1**t) / (np.sqrt(squares / (1 - b2**t)) + eps)


def adamax(gradients, rate, b1=0.9, b2=0.999, eps=1e-8):
    mean = largest = 0
    for t, g in enumerate(gradients, 1):
        mean, largest = b1 * mean + (1 - b1) * g, np.maximum(b2 * largest, np.abs(g) + eps)
        yield rate * mean / (1 - b1**t) / largest


def steps_of(rule: optax.GradientTransformation, gradients: np.ndarray, params: np.ndarray) -> np.ndarray:
    """What the rule takes away at each step, the parameters staying where they are."""
    params, state, found = jnp.float32(params), rule.init(jnp.float32(params)), []
    for gradient in gradients:
        update, state = rule.update(jnp.float32(gradient), state, params)
        found.append(-np.asarray(update))
    return np.array(found)


# The options that MADE's and IWAE's authors, and flow papers, set.
@pytest.mark.parametrize(
    ("by_hand", "options", "theirs"),
    [
        (sgd, {}, {}),
        (momentum, {}, {}),
        (momentum, {"momentum": 0.5}, {"mass": 0.5}),
        (adagrad, {}, {}),
        (adadelta, {"eps": 1e-5}, {"eps": 1e-5}),
        (rmsprop, {}, {}),
        (adam, {"b2": 0.99}, {"b2": 0.99}),
        (adamax, {"eps": 1e-7}, {"eps": 1e-7}),
    ],
)
@pytest.mark.parametrize("size", [1.0, 1e-3])
def test_optimizers_by_name(by_hand, options, theirs, size):
    rule = optimizer(by_hand.__name__, 0.1, **options)
    expected = np.array(list(by_hand(size * GRADIENTS, 0.1, **theirs)))
    np.testing.assert_allclose(steps_of(rule, size * GRADIENTS, np.zeros(3)), expected, rtol=2e-4, atol=1e-7)


def test_a_schedule_is_followed_and_reported():
    rule = optimizer("sgd", optax.piecewise_constant_schedule(1.0, {2: 0.1}))
    np.testing.assert_allclose(steps_of(rule, np.ones((4, 1)), np.zeros(1))[:, 0], [1, 1, 0.1, 0.1], rtol=1e-6)
    params = {"w": jnp.array([0.1, -0.2])}
    rule = optimizer("adam", 0.01, weight_decay=0.1, normalize=True)
    assert minimize(rule, loss(X), params, rule.init(params))[2]["learning_rate"] == np.float32(0.01)


def test_weight_decay_is_part_of_the_gradient_and_comes_before_its_norm():
    params = np.array([3.0, -1.0, 0.5])
    decayed = GRADIENTS + 0.2 * params
    found = steps_of(optimizer("adam", 0.1, weight_decay=0.2), GRADIENTS, params)
    np.testing.assert_allclose(found, list(adam(decayed, 0.1)), rtol=1e-4, atol=1e-7)
    unit = decayed / np.linalg.norm(decayed, axis=1, keepdims=True)
    found = steps_of(optimizer("sgd", 1.0, weight_decay=0.2, normalize=True), GRADIENTS, params)
    np.testing.assert_allclose(found, unit, rtol=1e-5)


def test_each_tensor_is_divided_by_its_own_norm():
    gradients = {"w": jnp.array([[3.0, 0.0], [0.0, 4.0]]), "b": jnp.array([1e-7]), "zero": jnp.zeros(2)}
    found, _ = normalize_each().update(gradients, normalize_each().init(gradients))

    np.testing.assert_allclose(found["w"], [[0.6, 0], [0, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(found["b"], [0.5], rtol=1e-6)
    np.testing.assert_array_equal(found["zero"], [0, 0])


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="unknown optimizer 'adm'; expected sgd, momentum"):
        optimizer("adm", 0.1)


SCALES = jnp.array([1.0, 0.3])
TRANSFORMATIONS = {
    "reduce_on_plateau": optax.chain(
        optax.sgd(0.03), optax.contrib.reduce_on_plateau(factor=0.5, patience=1, rtol=0.05, accumulation_size=1)
    ),
    "polyak_sgd": optax.polyak_sgd(max_learning_rate=0.5),
    "lbfgs": optax.lbfgs(memory_size=3),
    "backtracking": optax.chain(optax.sgd(1.0), optax.scale_by_backtracking_linesearch(12, store_grad=True)),
    "schedule_free": optax.contrib.schedule_free_sgd(0.05),
}


def quartic(x):
    """A loss whose curvature changes, so that no transformation is done after a step."""

    def loss(params):
        residual = (x * SCALES[None] / 8) @ params["w"] - 1
        return jnp.square(residual) + 0.1 * residual**4, {}, None

    return loss


def plainly(rule, steps):
    """The loop of optax's documentation: parameters, first and last loss."""

    def value_fn(params):
        return jnp.mean(quartic(X)(params)[0])

    def step(carry, _):
        params, state = carry
        value, grad = jax.value_and_grad(value_fn)(params)
        updates, state = rule.update(grad, state, params, value=value, grad=grad, value_fn=value_fn)
        return (optax.apply_updates(params, updates), state), value

    params = {"w": jnp.array([0.1, -0.2])}
    (params, _), values = jax.jit(lambda first: jax.lax.scan(step, first, None, steps))((params, rule.init(params)))
    return params, values


def by(minimizes, rule, steps, x):
    """The same by `minimize` or its like on the examples of this device."""

    def step(carry, _):
        params, state, metrics, _ = minimizes(rule, *carry, x)
        return (params, state), metrics["loss"]

    params = {"w": jnp.array([0.1, -0.2])}
    (params, _), values = jax.lax.scan(step, (params, rule.init(params)), None, steps)
    return params, values


def whole(rule, params, state, x, axis_name=None):
    return minimize(rule, quartic(x), params, state, axis_name)


def in_parts(rule, params, state, x, axis_name=None):
    return minimize_in_parts(
        rule, lambda params, batch: quartic(batch["x"])(params), params, state, {"x": x}, 2, axis_name
    )


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformations_with_extra_arguments_are_those_of_a_plain_loop(name):
    rule, steps = TRANSFORMATIONS[name], 12
    params, values = plainly(rule, steps)
    assert values[-1] < 0.7 * values[0]
    if name == "reduce_on_plateau":  # it has reduced
        assert not np.allclose(params["w"], plainly(optax.sgd(0.03), steps)[0]["w"], rtol=1e-3)

    on_devices = {"axis_name": "device"}
    shares, mesh = X.reshape(4, 2, 2), jax.sharding.Mesh(np.array(jax.devices()[:4]), ("device",))
    sharded = jax.shard_map(
        lambda x: by(functools.partial(whole, **on_devices), rule, steps, x),
        mesh=mesh, in_specs=jax.P("device"), out_specs=jax.P(),
    )  # fmt: skip
    mapped = jax.pmap(
        lambda x: by(functools.partial(in_parts, **on_devices), rule, steps, x),
        axis_name="device", out_axes=None, devices=jax.devices()[:4],
    )  # fmt: skip
    for found in (
        jax.jit(lambda x: by(whole, rule, steps, x))(X),
        jax.jit(lambda x: by(in_parts, rule, steps, x))(X),
        jax.jit(sharded)(X),
        mapped(shares),
    ):
        chex.assert_trees_all_close(found, (params, values), rtol=1e-4, atol=1e-5)


def test_a_learning_rate_is_no_optimizer():
    network = models.Classifier(3)
    with pytest.raises(
        TypeError, match=r"^optimizer must be an optimizer of optax, such as optax.adam\(1e-3\), got 0.1$"
    ):
        recipes.multinomial_classifier(network, 0.1)
    with pytest.raises(TypeError, match="^discriminator_optimizer must be an optimizer of optax"):
        recipes.gan(None, None, optax.sgd(0.1), 0.1, latent_dim=2)
