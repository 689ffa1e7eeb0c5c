"""Full-covariance Gaussians against NumPy and SciPy in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from jaxgen import models, recipes
from jaxgen.models.gaussian import merge_gaussian

K, SHAPE, NUM = 3, (2, 2, 1), 200
RANDOM = np.random.default_rng(3)
Y = RANDOM.integers(0, K, NUM).astype(np.int32)
MIXING = RANDOM.normal(size=(K, 4, 4))
X = (np.einsum("nij,nj->ni", MIXING[Y], RANDOM.normal(size=(NUM, 4))) + Y[:, None]).astype(np.float32)
KEY = jax.random.key(0)


def trained(recipe, sizes: tuple[int, ...]):
    images = X.reshape(-1, *SHAPE)
    state = recipe.init(KEY, {"x": images[:2], "y": Y[:2]})
    cuts = np.cumsum(sizes)[:-1]
    for x, y in zip(np.split(images, cuts), np.split(Y, cuts), strict=True):
        state, metrics = recipe.step(KEY, state, {"x": jnp.asarray(x), "y": jnp.asarray(y)})
    return state.model, metrics


def in_float64(x: np.ndarray, of: np.ndarray) -> np.ndarray:
    of = np.float64(of)
    return multivariate_normal.logpdf(np.float64(x), of.mean(0), np.cov(of.T, bias=True))


@pytest.mark.parametrize("sizes", [(NUM,), (80, 120), (1,) * 20 + (180,)], ids=["whole", "halves", "one by one"])
def test_one_gaussian(sizes):
    recipe = recipes.gaussian(SHAPE, variance_floor=1e-9)
    model, metrics = trained(recipe, sizes)
    expected = in_float64(X, X)
    found = recipe.log_prob(KEY, model, X.reshape(-1, *SHAPE))

    # Sums of 4 squares of at most 20.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(metrics["loss"], -expected[-sizes[-1] :].mean(), rtol=1e-4)
    np.testing.assert_array_equal(recipe.evaluate(KEY, model, {"x": X.reshape(-1, *SHAPE)})["nll"], -found)
    assert recipe.classify is None


@pytest.mark.parametrize("prior", ["counted", "uniform"])
def test_a_gaussian_for_each_class(prior):
    recipe = recipes.gaussian(SHAPE, K, prior=prior, variance_floor=1e-9)
    model, _ = trained(recipe, (70, 130))
    x = jnp.asarray(X.reshape(-1, *SHAPE))
    of_classes = np.stack([in_float64(X, X[k == Y]) for k in range(K)], axis=1)
    log_prior = np.log(np.bincount(Y) / NUM if prior == "counted" else np.full(K, 1 / K))
    joint = of_classes + log_prior

    # A class far away has a log-density of some thousands.
    np.testing.assert_allclose(
        recipe.classify(KEY, model, x), joint - logsumexp(joint, 1)[:, None], rtol=2e-5, atol=1e-3
    )
    np.testing.assert_allclose(recipe.log_prob(KEY, model, x), logsumexp(joint, 1), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(recipe.log_prob(KEY, model, x, y=Y), of_classes[np.arange(NUM), Y], rtol=1e-5, atol=1e-4)
    found = recipe.evaluate(KEY, model, {"x": x, "y": jnp.asarray(Y)})
    np.testing.assert_array_equal(found["accuracy"], joint.argmax(1) == Y)
    np.testing.assert_allclose(found["marginal_nll"], -logsumexp(joint, 1), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(found["nll"], -of_classes[np.arange(NUM), Y], rtol=1e-5, atol=1e-4)


def test_moments_far_from_zero_keep_their_covariance():
    x = (1e4 + X).astype(np.float32)
    y = np.zeros(NUM, np.int32)
    parts = [models.gaussian_moments(jnp.asarray(x[part]), y[part], 1) for part in (slice(50), slice(50, NUM))]
    expected = np.cov(np.float64(x).T, bias=True)

    # The mean of each part is rounded at 1e-3.
    np.testing.assert_allclose(merge_gaussian(*parts).scatter[0] / NUM, expected, rtol=0, atol=1e-4 * expected.max())


def test_samples_have_the_moments_of_their_class():
    recipe = recipes.gaussian(SHAPE, K)
    model, _ = trained(recipe, (NUM,))
    num = 20_000
    x = np.float64(recipe.sample(jax.random.key(1), model, num, y=jnp.full(num, 2))).reshape(num, 4)
    mean, covariance = X[Y == 2].mean(0), np.cov(np.float64(X[Y == 2]).T, bias=True)
    std = np.sqrt(np.diag(covariance))

    assert (np.abs(x.mean(0) - mean) < 4.5 * std / np.sqrt(num)).all()
    # The variance of a sample covariance is (c_ij^2 + c_ii c_jj) / n.
    margin = 4.5 * np.sqrt((covariance**2 + np.outer(std, std) ** 2) / num)
    assert (np.abs(np.cov(x.T, bias=True) - covariance) < margin).all()
    drawn = np.float64(recipe.sample(jax.random.key(2), model, num)).reshape(num, 4)
    assert (np.abs(drawn.mean(0) - X.mean(0)) < 4.5 * X.std(0) / np.sqrt(num)).all()


def test_the_floor_is_a_share_of_the_largest_variance_of_any_class():
    moments = models.gaussian_moments(jnp.asarray(X), jnp.asarray(Y), K)
    factors = np.float64(models.covariance_factor(moments, 0.1))
    covariances = np.stack([np.cov(np.float64(X[k == Y]).T, bias=True) for k in range(K)])
    expected = covariances + 0.1 * np.einsum("kii->ki", covariances).max() * np.eye(4)
    np.testing.assert_allclose(factors @ factors.swapaxes(1, 2), expected, rtol=1e-5, atol=1e-5)


def test_a_singular_covariance_is_replaced_by_its_diagonal():
    x = jnp.tile(jnp.array([[1.0, 2.0, 3.0], [3.0, 0.0, 5.0]]), (4, 1))
    factor = models.covariance_factor(models.gaussian_moments(x, jnp.zeros(8, jnp.int32), 1), 1e-12)
    np.testing.assert_allclose(factor[0], np.eye(3), atol=1e-6)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="variance_floor must be positive"):
        recipes.gaussian(SHAPE, variance_floor=0.0)
    with pytest.raises(ValueError, match="needs labels y"):
        recipes.gaussian(SHAPE, K).step(KEY, recipes.gaussian(SHAPE, K).init(KEY, {}), {"x": jnp.asarray(X)})


def test_a_label_without_a_class_is_that_of_no_other():
    recipe = recipes.gaussian(SHAPE, K)
    model, _ = trained(recipe, (NUM,))
    y, inside = jnp.array([-1, 0, K - 1, K, 100]), np.array([False, True, True, False, False])
    x = X[:5].reshape(-1, *SHAPE)

    np.testing.assert_array_equal(np.isfinite(recipe.log_prob(KEY, model, x, y=y)), inside)
    np.testing.assert_array_equal(np.isfinite(recipe.evaluate(KEY, model, {"x": x, "y": y})["nll"]), inside)
    drawn = np.isfinite(recipe.sample(KEY, model, 5, y=y)).reshape(5, -1)
    np.testing.assert_array_equal(drawn, np.repeat(inside[:, None], 4, axis=1))
    after, _ = recipe.step(KEY, recipe.init(KEY, {"x": x, "y": y}), {"x": jnp.asarray(x), "y": y})
    np.testing.assert_array_equal(after.model.counts, [1, 0, 1])
