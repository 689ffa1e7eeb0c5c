"""Normalizing flows against closed forms: Gaussians, MADE, moments of batches."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from jaxgen import losses, models, recipes

RANDOM = np.random.default_rng(7)
X = np.float32(RANDOM.normal(size=(40, 3)) * [0.5, 2.0, 1.0] + [1.0, -3.0, 0.0])
KEY_INIT, KEY_STEP = jax.random.split(jax.random.key(0))


def recipe_of(*layers, **options):
    return recipes.flow(models.Flow((3,), layers), optax.sgd(1.0), **options)


def test_a_normalised_flow_begins_as_the_gaussian_of_its_batch():
    recipe = recipe_of(models.ActNorm(epsilon=0.0))
    state = recipe.init(KEY_INIT, {"x": X})
    expected = scipy.stats.norm.logpdf(np.float64(X), X.mean(axis=0), X.std(axis=0)).sum(axis=1)
    np.testing.assert_allclose(recipe.log_prob(KEY_STEP, state.model, X), expected, rtol=1e-5)

    # Which is the maximum of the likelihood: a step changes nothing.
    after, metrics = recipe.step(KEY_STEP, state, {"x": X})
    np.testing.assert_allclose(metrics["loss"], -expected.mean(), rtol=1e-5)
    for parameter, value in after.model.params["layers_0"].items():
        np.testing.assert_allclose(value, state.model.params["layers_0"][parameter], rtol=0, atol=2e-6)


def test_a_mixing_flow_is_a_gaussian_with_full_covariance():
    recipe = recipe_of(models.ActNorm(), models.InvertibleConv(seed=2))
    model = recipe.init(KEY_INIT, {"x": X}).model
    at = np.float64(recipe.decode(model, np.concatenate([np.zeros((1, 3)), np.eye(3)]).astype(np.float32)))
    factor = (at[1:] - at[:1]).T  # x = mean + factor z
    expected = scipy.stats.multivariate_normal.logpdf(np.float64(X), at[0], factor @ factor.T)
    np.testing.assert_allclose(recipe.log_prob(KEY_STEP, model, X), expected, rtol=1e-5)


def test_samples_shrink_towards_the_mode_with_the_temperature():
    hot, cold = (recipe_of(models.ActNorm(), temperature=temperature) for temperature in (1.0, 0.5))
    model = hot.init(KEY_INIT, {"x": X}).model
    wide, narrow = (recipe.sample(jax.random.key(2), model, 5) - X.mean(axis=0)[None] for recipe in (hot, cold))

    np.testing.assert_allclose(narrow, 0.5 * wide, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(hot.log_prob(KEY_STEP, model, X), cold.log_prob(KEY_STEP, model, X))
    with pytest.raises(ValueError, match="temperature must be positive"):
        recipe_of(models.ActNorm(), temperature=0.0)


def test_batch_norm_trains_by_the_batch_and_evaluates_by_its_running_statistics():
    layer = models.FlowBatchNorm(momentum=0.75, epsilon=0.0)
    variables = layer.init(KEY_INIT, X)
    y = 3 * X + 1
    (z, log_det), after = layer.apply(variables, y, mutable=["batch_stats"])
    mean, var = np.float64(X).mean(axis=0), np.float64(X).var(axis=0)

    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(log_det, np.full(40, -np.log(3 * np.sqrt(var)).sum()), rtol=1e-5)
    np.testing.assert_allclose(after["batch_stats"]["mean"], 0.75 * mean + 0.25 * (3 * mean + 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after["batch_stats"]["var"], 0.75 * var + 0.25 * 9 * var, rtol=1e-4)
    np.testing.assert_allclose(layer.apply(variables, y)[0], (y - mean) / np.sqrt(var), rtol=1e-4, atol=1e-5)


def test_one_autoregressive_layer_is_a_made_with_gaussian_conditionals():
    network = models.MADE((3,), (8,), parameters=(2,))
    layer = models.MaskedAutoregressive(network, max_log_scale=1e4)
    variables = layer.init(KEY_INIT, X)
    output = network.apply({"params": variables["params"]["network"]}, X)

    nll = losses.change_of_variables_nll(*layer.apply(variables, X))
    np.testing.assert_allclose(nll, losses.gaussian_nll(output[..., 0], 2 * output[..., 1], X), rtol=1e-4)
    with pytest.raises(ValueError, match="needs parameters"):
        models.MaskedAutoregressive(models.MADE((3,), (8,))).init(KEY_INIT, X)


def test_a_spline_passes_its_knots_with_their_slopes():
    """Knots are the cumulated shares of the softmax (Durkan et al. 2019, section 3.1, steps 2 to 4)."""
    bound, parameters = 2.0, np.float64(RANDOM.normal(size=8))
    spline = models.rational_quadratic(3, bound)

    def inner_knots(logits):
        shares = 1e-3 + (1 - 3e-3) * np.exp(logits) / np.exp(logits).sum()
        return bound * (2 * np.cumsum(shares)[:2] - 1)

    x, z = inner_knots(parameters[:3]), inner_knots(parameters[3:6])
    slopes = 1e-3 + np.log1p(np.expm1(1 - 1e-3) * np.exp(parameters[6:]))
    x, z, slopes = (np.r_[ends[0], inner, ends[1]] for ends, inner in (((-2, 2), x), ((-2, 2), z), ((1, 1), slopes)))
    nudge = np.float32([1e-5, 0, 0, -1e-5])  # into the interval
    rows = np.float32(np.tile(parameters, (4, 1)))
    found, log_slope = spline.forward(rows, np.float32(x) + nudge)

    np.testing.assert_allclose(found, z, rtol=0, atol=5e-5)
    np.testing.assert_allclose(np.exp(log_slope), slopes, rtol=1e-3)
    far = jnp.float32([-9.0, 2.5, 0.0, 3.0])
    np.testing.assert_array_equal(spline.forward(0 * rows, far)[0][:2], far[:2])  # and at zeros the identity inside
    np.testing.assert_allclose(spline.forward(0 * rows, far / 9)[0], far / 9, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (models.AffineCoupling("checkerboard"), (4,), "checkerboard mask"),
        (models.AffineCoupling("channel"), (2, 2, 1), "channel mask"),
        (models.Squeeze(), (3, 2, 1), "even height"),
        (models.FactorOut(models.Flow((2, 2, 3), ())), (2, 2, 3), "fewer channels"),
    ],
)
def test_shapes_that_a_layer_cannot_take_raise(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(layer.init, KEY_INIT, jnp.zeros((2, *shape)))
