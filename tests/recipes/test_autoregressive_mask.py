"""What a mask means to an autoregressive model: nats of a part, and draws of the rest, against all images there are."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen import likelihood, models, recipes

UPPER = np.array([True, False])[None, :, None, None]  # of 2 x 2 images


def all_images(levels: int) -> np.ndarray:
    return np.array(list(itertools.product(np.arange(levels) / (levels - 1), repeat=4)), np.float32).reshape(
        -1, 2, 2, 1
    )


def tiny_model(levels: int, condition_dim: int | None = None):
    """A model of 2 x 2 images whose pixels depend strongly on each other, and all its images."""
    of_pixels = likelihood.bernoulli if levels == 2 else likelihood.categorical(levels)
    network = models.PixelCNN((2, 2, 1), 4, 1, 4, parameters=of_pixels.parameters, condition_dim=condition_dim)
    recipe = recipes.autoregressive(network, optax.sgd(0.1), likelihood=of_pixels)
    x = all_images(levels)
    model = recipe.init(jax.random.key(0), {"x": x, "y": np.zeros(len(x), np.int32)}).model
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: jnp.float32(random.normal(0, 0.7, leaf.shape)), model.params)
    return recipe, model._replace(params=params), x


@pytest.mark.parametrize(("levels", "condition_dim"), [(2, None), (3, None), (2, 3)])
def test_nats_of_a_part_are_those_of_summed_probabilities(levels, condition_dim):
    recipe, model, x = tiny_model(levels, condition_dim)
    y = None if condition_dim is None else np.full(len(x), 1)
    key = jax.random.key(1)
    whole, kept, hidden = (
        np.float64(jax.jit(recipe.log_prob)(key, model, x, y=y, mask=mask)) for mask in (None, UPPER, ~UPPER)
    )

    np.testing.assert_allclose(np.exp(whole).sum(), 1, rtol=1e-5)
    grid = np.exp(whole).reshape(levels**2, levels**2)  # the upper row by the lower one
    np.testing.assert_allclose(np.exp(kept).reshape(grid.shape), np.repeat(grid.sum(1)[:, None], levels**2, 1), 1e-4)
    np.testing.assert_allclose(np.exp(hidden).reshape(grid.shape), grid / grid.sum(1, keepdims=True), rtol=1e-4)
    assert np.ptp(grid / grid.sum(1, keepdims=True), axis=0).max() > 0.05  # the parts do depend on each other


def test_nats_of_any_two_parts_are_those_of_the_whole():
    recipe, model, x = tiny_model(2)
    mask = np.random.default_rng(0).integers(0, 2, x.shape).astype(bool)
    parts = [recipe.log_prob(jax.random.key(1), model, x, mask=part) for part in (mask, ~mask)]
    np.testing.assert_allclose(sum(parts), recipe.log_prob(jax.random.key(1), model, x), rtol=1e-5)


def test_a_prime_number_of_examples_is_measured_in_few_parts():
    recipe, model, x = tiny_model(3)
    log_prob = jax.jit(recipe.log_prob)
    for mask in (None, UPPER):
        every = log_prob(jax.random.key(1), model, x, mask=mask)
        np.testing.assert_allclose(log_prob(jax.random.key(1), model, x[:29], mask=mask), every[:29], rtol=1e-5)
    with pytest.raises(ValueError, match="a batch must not be empty"):
        recipe.log_prob(jax.random.key(1), model, x[:0])


def test_values_tell_of_the_class_where_none_is_given():
    recipe, model, x = tiny_model(2, condition_dim=3)
    with pytest.raises(ValueError, match="y must be given with a mask"):
        recipe.log_prob(jax.random.key(1), model, x, mask=UPPER)


def test_completions_are_drawn_from_the_conditional():
    recipe, model, x = tiny_model(2)
    grid = np.exp(np.float64(recipe.log_prob(jax.random.key(1), model, x))).reshape(4, 4)
    for row, conditional in enumerate(grid / grid.sum(1, keepdims=True)):
        given = jnp.tile(x[4 * row], (4000, 1, 1, 1))
        drawn = np.asarray(jax.jit(recipe.complete)(jax.random.key(2), model, given, UPPER))
        np.testing.assert_array_equal(drawn[:, 0], given[:, 0])
        found = np.bincount((drawn[:, 1, :, 0] @ [2, 1]).astype(int), minlength=4) / 4000
        assert (np.abs(found - conditional) < 4 * np.sqrt(conditional * (1 - conditional) / 4000)).all()
