"""Exact likelihoods against enumeration, the sampler against the naive one, completions, and Bayes' rule."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen import likelihood, losses, models, recipes

SHAPE = (2, 3, 1)
IMAGES = jnp.asarray(list(itertools.product((0.0, 1.0), repeat=6))).reshape(-1, *SHAPE)
Y = jnp.arange(64) % 3
NETWORKS = {
    "pixelcnn": models.PixelCNN(SHAPE, 4, 1, 4, condition_dim=3),
    "gated": models.GatedPixelCNN(SHAPE, 4, 2, 4, condition_dim=3),
    "made": models.MADE(SHAPE, (9,), num_masks=2, condition_dim=3),
}
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


@functools.cache
def fitted(network):
    """A recipe, and a model that has left its initialisation: images of class k have ones with probability k / 2."""
    recipe = recipes.autoregressive(network, optax.adam(0.03), part_size=16)
    x = jax.random.bernoulli(jax.random.key(5), 0.1 + 0.4 * Y[:, None, None, None], (64, *SHAPE)).astype(jnp.float32)
    batch = {"x": x, "y": Y}

    def body(state, key):
        return recipe.step(key, state, batch)

    state = jax.jit(recipe.init)(jax.random.key(0), batch)
    keys = jax.random.split(jax.random.key(1), 30)
    return recipe, jax.jit(lambda state: jax.lax.scan(body, state, keys)[0])(state).model


@every_network
def test_probabilities_of_all_images_sum_to_one_with_and_without_the_class(network):
    recipe, model = fitted(network)
    log_prob = jax.jit(lambda y: recipe.log_prob(jax.random.key(0), model, IMAGES, y=y))
    of_class = np.float64([log_prob(jnp.full(64, y)) for y in range(3)])

    np.testing.assert_allclose(np.exp(of_class).sum(axis=1), 1, rtol=1e-5)
    assert np.abs(of_class[0] - of_class[2]).max() > 1
    # The prior of y is that of training: classes 22, 21 and 21 times a step.
    prior = np.array([22, 21, 21]) / 64
    joint = np.exp(of_class) * prior[:, None]
    np.testing.assert_allclose(np.exp(np.float64(log_prob(None))), joint.sum(axis=0), rtol=1e-4)
    posterior = jax.jit(recipe.classify)(jax.random.key(0), model, IMAGES)
    np.testing.assert_allclose(np.exp(posterior), (joint / joint.sum(axis=0)).T, rtol=1e-4, atol=1e-6)


def test_a_step_trains_one_mask_of_an_ensemble():
    network = NETWORKS["made"]
    recipe = recipes.autoregressive(network, optax.sgd(0.1))
    batch = {"x": IMAGES, "y": Y}
    state = jax.jit(recipe.init)(jax.random.key(0), batch)
    key = jax.random.key(1)
    _, metrics = jax.jit(recipe.step)(key, state, batch)

    @jax.jit
    def loss(rngs):
        return jnp.mean(losses.bernoulli_nll(network.apply(state.model.params, IMAGES, Y, rngs=rngs), IMAGES))

    np.testing.assert_allclose(metrics["loss"], loss({"masks": key}), rtol=1e-5)
    assert abs(metrics["loss"] - loss(None)) > 1e-4 * loss(None)  # float32 rounds at 1e-6


@every_network
def test_samples_are_those_of_the_naive_sampler_under_the_same_key(network):
    recipe, model = fitted(network)
    num = 40
    key = jax.random.split(jax.random.key(7))[1]  # the other half draws y where none is given
    y = jnp.arange(num) % 3
    x = jnp.zeros((num, 6))
    apply = jax.jit(network.apply)
    for position in range(6):
        logits = apply(model.params, x.reshape(num, *SHAPE), y).reshape(num, 6)
        drawn = likelihood.bernoulli.draw(jax.random.fold_in(key, position), logits[:, position])
        x = x.at[:, position].set(drawn)

    found = jax.jit(lambda key: recipe.sample(key, model, num, y=y))(jax.random.key(7))
    np.testing.assert_array_equal(found, x.reshape(num, *SHAPE))


def test_completions_are_drawn_from_the_conditional():
    recipe, model = fitted(NETWORKS["gated"])
    num = 20_000
    row = jnp.array([1.0, 0.0, 1.0])
    x = jnp.zeros((num, *SHAPE)).at[:, 0, :, 0].set(row)
    mask = jnp.zeros(SHAPE, bool).at[0].set(True)
    y = jnp.full(num, 1)
    found = np.asarray(jax.jit(recipe.complete)(jax.random.key(3), model, x, mask, y=y))

    np.testing.assert_array_equal(found[:, 0], x[:, 0])
    agree = np.asarray((IMAGES[:, 0, :, 0] == row[None]).all(axis=1))
    log_prob = jax.jit(recipe.log_prob)(jax.random.key(0), model, IMAGES, y=jnp.full(64, 1))
    probabilities = np.exp(np.float64(log_prob))[agree]
    probabilities /= probabilities.sum()
    lower = np.asarray(IMAGES)[agree][:, 1, :, 0]
    counts = np.array([(found[:, 1, :, 0] == image).all(axis=1).mean() for image in lower])
    assert (np.abs(counts - probabilities) < 4.5 * np.sqrt(probabilities * (1 - probabilities) / num)).all()


def test_grey_levels_come_back_as_they_are_stored():
    recipe = recipes.autoregressive(
        models.PixelCNN(SHAPE, 4, 1, 4, parameters=(5,)), optax.sgd(0.1), likelihood=likelihood.categorical(5)
    )
    x = jnp.float32(np.random.default_rng(0).integers(0, 5, (8, *SHAPE)) / 4)
    model = jax.jit(recipe.init)(jax.random.key(1), {"x": x}).model
    drawn = np.asarray(jax.jit(recipe.sample, static_argnums=2)(jax.random.key(2), model, 50))

    assert np.isin(drawn, np.arange(5) / 4).all()
    assert len(np.unique(drawn)) == 5
    assert recipe.levels == 5
    # Five levels of 6 values at first: near the uniform distribution.
    assert abs(float(-jax.jit(recipe.log_prob)(jax.random.key(0), model, x).mean()) - 6 * np.log(5)) < 3


def test_a_conditional_model_of_vectors_counts_no_labels():
    network = models.PixelCNN(SHAPE, 4, 1, 4, condition_dim=2)
    recipe = recipes.autoregressive(network, optax.sgd(0.1))
    batch = {"x": IMAGES, "y": jnp.float32(np.random.default_rng(0).normal(size=(64, 2)))}
    state = jax.jit(recipe.init)(jax.random.key(2), batch)
    state, metrics = jax.jit(recipe.step)(jax.random.key(1), state, batch)

    assert state.model.label_counts is None
    assert metrics["loss"] > 0
    sample = functools.partial(recipe.sample, num=4)
    assert jax.eval_shape(sample, jax.random.key(3), state.model, y=batch["y"][:4]).shape == (4, *SHAPE)
    with pytest.raises(ValueError, match="must be given"):
        recipe.sample(jax.random.key(3), state.model, 4)
