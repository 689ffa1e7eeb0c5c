"""MADE over several masks: its ensemble and its draws by enumeration, its cycle, and any one order."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import norm

from jaxgen import likelihood, losses, models, recipes

SHAPE = (2, 2, 1)
IMAGES = jnp.asarray(list(itertools.product((0.0, 1.0), repeat=4))).reshape(-1, *SHAPE)
KEY = jax.random.key(0)


def spread(recipe, batch: dict):
    """A model of the recipe whose values depend strongly on each other."""
    model = recipe.init(KEY, batch).model
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: jnp.float32(random.normal(0, 1.5, leaf.shape)), model.params)
    return model._replace(params=params)


def under(network: models.MADE, params, x, index: int, num: int | None = None) -> np.ndarray:
    """Log p(x) under one mask of the cycle, nats [B]."""
    masks = jax.tree.map(lambda leaf: leaf[index], network.cycle(num))
    return -np.float64(losses.bernoulli_nll(network.apply(params, x, None, masks), x))


@pytest.mark.parametrize("size", [None, 7])
def test_an_ensemble_is_the_mean_of_the_probabilities_of_whole_images(size):
    network = models.MADE(SHAPE, (6,), 3, ordering="random", direct=True)
    recipe = recipes.made(network, optax.sgd(0.1), ensemble_size=size)
    model = spread(recipe, {"x": IMAGES})
    found = np.float64(recipe.log_prob(KEY, model, IMAGES))
    each = np.array([under(network, model.params, IMAGES, index, size) for index in range(size or 3)])

    np.testing.assert_allclose(np.exp(found).sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(found, np.log(np.exp(each).mean(axis=0)), rtol=1e-5)
    np.testing.assert_array_equal(recipe.evaluate(KEY, model, {"x": IMAGES})["nll"], -np.float32(found))
    assert np.ptp(each, axis=0).max() > 1


def test_draws_come_as_often_as_the_ensemble_says():
    network = models.MADE(SHAPE, (6,), 3, ordering="random", direct=True)
    recipe = recipes.made(network, optax.sgd(0.1))
    model = spread(recipe, {"x": IMAGES})
    probabilities = np.exp(np.float64(recipe.log_prob(KEY, model, IMAGES)))
    num = 20_000
    x = np.asarray(jax.jit(recipe.sample, static_argnums=2)(jax.random.key(1), model, num)).reshape(num, 4)
    found = np.bincount((x @ [8, 4, 2, 1]).astype(int), minlength=16) / num

    assert (np.abs(found - probabilities) < 4.5 * np.sqrt(probabilities * (1 - probabilities) / num)).all()
    # One mask alone would be told from the ensemble.
    alone = np.exp(under(network, model.params, IMAGES, 0))
    assert (np.abs(found - alone) > 4.5 * np.sqrt(alone * (1 - alone) / num)).any()


def test_steps_take_the_masks_of_the_cycle_in_turn():
    network = models.MADE(SHAPE, (6,), 3, ordering="random")
    recipe = recipes.made(network, optax.sgd(0.0))
    state = recipe.init(KEY, {"x": IMAGES})
    step = jax.jit(recipe.step)
    losses_of_steps = []
    for index in range(4):
        state, metrics = step(jax.random.key(index), state, {"x": IMAGES})
        losses_of_steps.append(metrics["loss"])
    expected = [-under(network, state.model.params, IMAGES, index).mean() for index in (0, 1, 2, 0)]

    np.testing.assert_allclose(losses_of_steps, expected, rtol=1e-5)
    assert len(set(np.round(expected, 4))) == 3


def test_fresh_masks_are_drawn_with_the_step_s_key():
    network = models.MADE(SHAPE, (6,), 3, ordering="random")
    recipe = recipes.made(network, optax.sgd(0.1), fresh_masks=True)
    state = recipe.init(KEY, {"x": IMAGES})
    found = [float(recipe.step(jax.random.key(seed), state, {"x": IMAGES})[1]["loss"]) for seed in (1, 1, 2)]
    masks = jax.tree.map(lambda leaf: leaf[0], network.draw_masks(jax.random.key(1), 1))
    expected = jnp.mean(losses.bernoulli_nll(network.apply(state.model.params, IMAGES, None, masks), IMAGES))

    np.testing.assert_allclose(found[0], expected, rtol=1e-5)
    assert found[0] == found[1] != found[2]


def test_several_orders_complete_nothing_and_are_no_single_autoregressive_model():
    network = models.MADE(SHAPE, (6,), 3, ordering="random")

    assert recipes.made(network, optax.sgd(0.1)).complete is None
    with pytest.raises(ValueError, match=r"use recipes\.made"):
        recipes.autoregressive(network, optax.sgd(0.1))


@pytest.mark.parametrize("hidden", [(), (6,)])
def test_any_one_order_has_conditionals_of_what_comes_last(hidden):
    network = models.MADE(SHAPE, hidden, mask_seed=2, ordering="random", direct=True)
    recipe = recipes.autoregressive(network, optax.sgd(0.1))
    model, order = spread(recipe, {"x": IMAGES}), np.asarray(network.order)
    assert not np.array_equal(order, np.arange(4))
    kept = np.zeros(4, bool)
    kept[order[:2]] = True
    kept = kept.reshape(SHAPE)
    whole, first, rest = (
        np.exp(np.float64(recipe.log_prob(KEY, model, IMAGES, mask=mask))) for mask in (None, kept, ~kept)
    )

    np.testing.assert_allclose(whole.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(first * rest, whole, rtol=1e-4)
    same = (np.asarray(IMAGES)[:, None] == np.asarray(IMAGES)[None]) | ~kept
    marginal = same.all(axis=(2, 3, 4)) @ whole
    np.testing.assert_allclose(first, marginal, rtol=1e-4)

    num = 8000
    x = jax.jit(recipe.complete)(jax.random.key(1), model, jnp.tile(IMAGES[5], (num, 1, 1, 1)), kept)
    agree = same[5].all(axis=(1, 2, 3))
    counts = np.array([(np.asarray(x) == image).all(axis=(1, 2, 3)).mean() for image in np.asarray(IMAGES)[agree]])
    conditional = whole[agree] / whole[agree].sum()
    assert (np.abs(counts - conditional) < 4.5 * np.sqrt(conditional * (1 - conditional) / num) + 1e-9).all()
    drawn = np.asarray(jax.jit(recipe.sample, static_argnums=2)(jax.random.key(2), model, num)).reshape(num, 4)
    found = np.bincount((drawn @ [8, 4, 2, 1]).astype(int), minlength=16) / num
    assert (np.abs(found - whole) < 4.5 * np.sqrt(whole * (1 - whole) / num) + 1e-9).all()


@pytest.mark.parametrize("condition_dim", [None, 3])
def test_gaussian_conditionals(condition_dim):
    network = models.MADE((4,), (6, 5), condition_dim=condition_dim, parameters=(2,), degrees="sequential")
    recipe = recipes.autoregressive(network, optax.sgd(0.1), likelihood=likelihood.gaussian)
    random = np.random.default_rng(0)
    x, y = random.normal(size=(10, 4)).astype(np.float32), np.arange(10) % 3
    model = spread(recipe, {"x": x, "y": y})
    model = model._replace(params=jax.tree.map(lambda leaf: 0.3 * leaf, model.params))
    output = np.float64(network.apply(model.params, x, y))
    expected = norm.logpdf(x, output[..., 0], np.exp(0.5 * output[..., 1])).sum(axis=1)

    np.testing.assert_allclose(recipe.log_prob(KEY, model, x, y=y), expected, rtol=1e-5, atol=1e-5)
    # The first value is a Gaussian that depends on y alone.
    num = 20_000
    drawn = np.asarray(jax.jit(recipe.sample, static_argnums=2)(jax.random.key(1), model, num, y=jnp.full(num, 1)))
    of_class = np.float64(network.apply(model.params, x, np.full(10, 1)))[0, 0]
    std = np.exp(0.5 * of_class[1])
    assert abs(drawn[:, 0].mean() - of_class[0]) < 4.5 * std / np.sqrt(num)
    assert abs(drawn[:, 0].std() - std) < 4.5 * std / np.sqrt(2 * num)
    assert (recipe.classify is None) == (condition_dim is None)
