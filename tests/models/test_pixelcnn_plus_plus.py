"""PixelCNN++: the cached sampler against the naive one, likelihoods over all images, dropout."""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen import likelihood, models, recipes
from jaxgen.models.layers.resolutions import Everywhere
from jaxgen.recipe import State
from jaxgen.sampling import example_keys

SHAPE, LEVELS = (4, 6, 3), 5
PIXELS = likelihood.logistic_mixture(3, 2, LEVELS)
NETWORK = models.PixelCNNPlusPlus(SHAPE, 4, 1, 2, PIXELS.parameters, condition_dim=3)
Y = jnp.array([0, 2, 1])


def random_params(network, x, y=None):
    """Parameters that are nowhere 0, whose logistics are neither narrow nor far away."""
    random = np.random.default_rng(1)
    shapes = jax.eval_shape(network.init, jax.random.key(0), x, y)
    return jax.tree.map(
        lambda leaf: jnp.float32(random.normal(size=leaf.shape) / math.sqrt(math.prod(leaf.shape[:-1]) + 1)), shapes
    )


@functools.cache
def colour():
    x = jnp.float32(np.random.default_rng(0).integers(0, LEVELS, (3, *SHAPE)) / (LEVELS - 1))
    return random_params(NETWORK, x, Y), x


def test_samples_are_those_of_the_naive_sampler_which_sees_no_later_pixel():
    params, x = colour()
    recipe = recipes.autoregressive(NETWORK, optax.sgd(0.1), likelihood=PIXELS)
    model = jax.eval_shape(recipe.init, jax.random.key(0), {"x": jnp.zeros((3, *SHAPE)), "y": Y}).model
    model = model._replace(params=params, label_counts=jnp.ones(3, int))
    key = jax.random.key(7)

    @jax.jit
    def draw_pixel(x, position):
        output = NETWORK.apply(params, x, Y).reshape(3, -1, *PIXELS.parameters)
        drawn = PIXELS.draw(jax.random.fold_in(key, position), output[:, position])
        return x.reshape(3, -1, 3).at[:, position].set(drawn).reshape(x.shape)

    for position in range(SHAPE[0] * SHAPE[1]):  # what stands at later pixels is of no account
        x = draw_pixel(x, position)
    complete = jax.jit(lambda x, mask: recipe.complete(key, model, x, mask, y=Y))
    first_rows = (np.arange(4) < 2)[:, None, None]
    found = complete(jnp.zeros_like(x), np.zeros_like(first_rows))
    np.testing.assert_allclose(found, x, atol=1e-6)
    assert len(np.unique(np.round(found * (LEVELS - 1)))) == LEVELS
    np.testing.assert_allclose(complete(x, first_rows), x, atol=1e-6)  # it goes on from what is kept
    assert (complete(1 - x, first_rows)[:, 2:] != x[:, 2:]).any(axis=(1, 2, 3)).all()
    with pytest.raises(ValueError, match="mask must be the same for all channels"):
        recipe.complete(key, model, x, np.ones(SHAPE, bool), y=Y)


def test_probabilities_of_all_images_sum_to_one():
    pixels = likelihood.logistic_mixture(1, 2, 2)
    network = models.PixelCNNPlusPlus((2, 3, 1), 3, 1, 1, pixels.parameters)
    recipe = recipes.autoregressive(network, optax.sgd(0.1), likelihood=pixels)
    x = jnp.float32(list(itertools.product((0.0, 1.0), repeat=6))).reshape(-1, 2, 3, 1)
    model = jax.eval_shape(recipe.init, jax.random.key(0), {"x": x}).model
    model = model._replace(params=random_params(network, x))
    upper = np.array([True, False])[:, None, None]
    log_prob = jax.jit(lambda mask: recipe.log_prob(jax.random.key(0), model, x, mask=mask))
    whole, kept = (np.exp(np.float64(log_prob(mask))).reshape(8, 8) for mask in (np.ones_like(upper), upper))

    np.testing.assert_allclose(whole.sum(), 1, rtol=1e-5)
    np.testing.assert_allclose(kept, np.repeat(whole.sum(axis=1, keepdims=True), 8, axis=1), rtol=1e-4)
    assert np.ptp(whole) > 0.01


def test_dropout_belongs_to_examples_and_to_training():
    pixels = likelihood.logistic_mixture(1, 1, 4)
    network = models.PixelCNNPlusPlus((2, 2, 1), 4, 1, 1, pixels.parameters, dropout=0.5)
    x = jnp.float32(np.random.default_rng(0).integers(0, 4, (4, 2, 2, 1)) / 3)
    recipe = recipes.autoregressive(network, optax.sgd(0.1), likelihood=pixels, part_size=2)
    model = jax.eval_shape(recipe.init, jax.random.key(0), {"x": x}).model
    model = model._replace(params=random_params(network, x))
    state = State(model, optax.sgd(0.1).init(model.params))
    key = jax.random.key(1)
    _, metrics = jax.jit(recipe.step)(key, state, {"x": x})

    @jax.jit
    def loss(keys):
        return [pixels.nll(network.apply(model.params, x, keys=given), x).mean() for given in (keys, None)]

    dropped, whole = loss(example_keys(key, 4))
    np.testing.assert_allclose(metrics["loss"], dropped, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(recipe.evaluate)(key, model, {"x": x})["nll"].mean(), whole, rtol=1e-5)
    assert abs(dropped - whole) > 1e-3

    # A value is kept with probability 1/2, and then doubled: within 5 standard errors of 1 on average.
    at = Everywhere(0.5, jax.random.split(jax.random.key(2), 4000))
    first, second = (np.asarray(at.drop(jnp.ones((4000, 8)))) for _ in range(2))
    assert set(np.unique(first)) == {0.0, 2.0}
    np.testing.assert_allclose(first.mean(axis=0), 1, atol=5 / np.sqrt(4000))
    np.testing.assert_allclose(np.mean(first * second), 1, atol=5 * np.sqrt(3 / 32000))


def test_images_must_divide():
    with pytest.raises(ValueError, match="multiples of 4, got"):
        jax.eval_shape(models.PixelCNNPlusPlus((4, 6, 1)).init, jax.random.key(0), jnp.zeros((1, 4, 6, 1)))
