"""Naive Bayes against scikit-learn, which is float64 and another's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.preprocessing import StandardScaler

from jaxgen import models, preprocess, recipes
from jaxgen.models.naive_bayes import merge

K, SHAPE = 4, (3, 2, 1)
RANDOM = np.random.default_rng(5)
Y = RANDOM.integers(0, K, 120).astype(np.int32)
X = (RANDOM.normal(size=(120, *SHAPE)) * 0.3 + 0.2 * Y[:, None, None, None]).astype(np.float32)
X[Y == 2, 0, 0, 0] = 0.25  # a feature that does not vary within a class, as the corner of an image
BITS = (X > 0.3).astype(np.float32)


def trained(recipe, x: np.ndarray, sizes: tuple[int, ...]) -> models.ClassMoments:
    state = recipe.init(jax.random.key(0), {"x": x[:2], "y": Y[:2]})
    for part, labels in zip(np.split(x, np.cumsum(sizes)[:-1]), np.split(Y, np.cumsum(sizes)[:-1]), strict=True):
        state, _ = recipe.step(jax.random.key(1), state, {"x": jnp.asarray(part), "y": jnp.asarray(labels)})
    return state.model


@pytest.mark.parametrize("sizes", [(120,), (50, 70), (1,) * 20 + (100,)], ids=["whole", "halves", "one by one"])
@pytest.mark.parametrize("floor", [1e-9, 1e-2])
def test_gaussian(sizes, floor):
    recipe = recipes.gaussian_naive_bayes(SHAPE, K, variance_floor=floor)
    model = trained(recipe, X, sizes)
    oracle = GaussianNB(var_smoothing=floor).fit(np.float64(X).reshape(120, -1), Y)

    np.testing.assert_allclose(model.mean, oracle.theta_, rtol=1e-5, atol=1e-6)
    found = recipe.classify(jax.random.key(0), model, jnp.asarray(X))
    joint = oracle.predict_joint_log_proba(X.reshape(120, -1))
    scale = np.abs(joint).max()  # a variance at the floor makes terms that float32 holds to their own size only
    np.testing.assert_allclose(found, oracle.predict_log_proba(X.reshape(120, -1)), rtol=1e-4, atol=1e-6 * scale)
    accuracy = recipe.evaluate(jax.random.key(0), model, {"x": jnp.asarray(X), "y": jnp.asarray(Y)})["accuracy"]
    np.testing.assert_array_equal(accuracy, oracle.predict(X.reshape(120, -1)) == Y)
    marginal = np.logaddexp.reduce(joint, axis=1)
    np.testing.assert_allclose(
        recipe.log_prob(jax.random.key(0), model, jnp.asarray(X)), marginal, rtol=1e-4, atol=1e-6 * scale
    )


def test_bernoulli():
    recipe = recipes.bernoulli_naive_bayes(SHAPE, K)
    model = trained(recipe, BITS, (60, 60))
    oracle = BernoulliNB(alpha=1.0).fit(BITS.reshape(120, -1), Y)

    found = recipe.classify(jax.random.key(0), model, jnp.asarray(BITS))
    np.testing.assert_allclose(found, oracle.predict_log_proba(BITS.reshape(120, -1)), rtol=1e-4, atol=1e-5)
    given = recipe.log_prob(jax.random.key(0), model, jnp.asarray(BITS), y=jnp.asarray(Y))
    expected = oracle.predict_joint_log_proba(BITS.reshape(120, -1))[np.arange(120), Y] - oracle.class_log_prior_[Y]
    np.testing.assert_allclose(given, expected, rtol=1e-5, atol=1e-5)


def test_a_uniform_prior_counts_no_classes():
    x = jnp.asarray(X)
    recipe = recipes.gaussian_naive_bayes(SHAPE, K, variance_floor=1e-2, prior="uniform")
    model = trained(recipe, X, (50, 70))
    oracle = GaussianNB(priors=np.full(K, 1 / K), var_smoothing=1e-2).fit(np.float64(X).reshape(120, -1), Y)
    joint = oracle.predict_joint_log_proba(X.reshape(120, -1))

    found = recipe.classify(jax.random.key(0), model, x)
    np.testing.assert_allclose(found, oracle.predict_log_proba(X.reshape(120, -1)), rtol=1e-4, atol=1e-4)
    marginal = recipe.log_prob(jax.random.key(0), model, x)
    np.testing.assert_allclose(marginal, np.logaddexp.reduce(joint, axis=1), rtol=1e-4, atol=1e-4)
    counted = recipes.gaussian_naive_bayes(SHAPE, K, variance_floor=1e-2).classify(jax.random.key(0), model, x)
    assert np.abs(counted - found).max() > 1e-3
    # Of 4,000 bits of a feature that is 1 in class 0 alone, a quarter.
    bits = recipes.bernoulli_naive_bayes((1,), K, smoothing=1e-3, prior="uniform")
    counts = models.ClassMoments(jnp.array([1e6, 1.0, 1.0, 1.0]), jnp.eye(K)[:, :1], jnp.zeros((K, 1)))
    share = float(bits.sample(jax.random.key(1), counts, 4000).mean())
    assert abs(share - 0.25) < 4.5 * np.sqrt(0.25 * 0.75 / 4000) + 1e-3


def test_standardised_features_have_a_floor_in_units_of_their_own_deviation():
    rows = np.float64(X).reshape(120, -1) * [1, 10, 100, 1, 10, 1]
    rows[:, 5] = 0.5  # never varies
    scaling = preprocess.standardize(jnp.asarray(rows.mean(0)), jnp.asarray(rows.std(0)))
    x = np.asarray(scaling.apply(jax.random.key(0), jnp.float32(rows)))
    oracle_x = StandardScaler().fit_transform(rows)
    np.testing.assert_allclose(x, oracle_x, rtol=0, atol=1e-5)
    recipe = recipes.gaussian_naive_bayes((6,), K, variance_floor=1e-2, prior="uniform")
    oracle = GaussianNB(priors=np.full(K, 1 / K), var_smoothing=1e-2).fit(oracle_x, Y)
    found = recipe.classify(jax.random.key(0), trained(recipe, x, (120,)), jnp.asarray(x))
    np.testing.assert_allclose(found, oracle.predict_log_proba(oracle_x), rtol=1e-3, atol=1e-3)


def test_moments_of_bytes_are_float32():
    found = models.class_moments(jnp.full((300, 1), 200, jnp.uint8), jnp.zeros(300, jnp.int32), 1)
    np.testing.assert_array_equal(found.mean, [[200]])
    assert found.squares.dtype == jnp.float32


def test_a_value_that_never_came_cannot_be_impossible():
    with pytest.raises(ValueError, match=r"smoothing must be positive, got 0\.0"):
        recipes.bernoulli_naive_bayes(SHAPE, K, smoothing=0.0)
    with pytest.raises(ValueError, match=r"variance_floor must be positive, got 0\.0"):
        recipes.gaussian_naive_bayes(SHAPE, K, variance_floor=0.0)


def test_samples_have_the_moments_of_their_class():
    recipe = recipes.gaussian_naive_bayes(SHAPE, K, variance_floor=1e-6)
    model = trained(recipe, X, (120,))
    num = 4000
    x = recipe.sample(jax.random.key(3), model, num, y=jnp.full(num, 1)).reshape(num, -1)
    std = X[Y == 1].reshape(-1, 6).std(0)

    np.testing.assert_array_less(np.abs(np.asarray(x.mean(0)) - model.mean[1]), 4.5 * std / np.sqrt(num) + 1e-6)
    # The standard deviation of a sample's standard deviation is std / sqrt(2 n).
    np.testing.assert_array_less(np.abs(np.asarray(x.std(0)) - std), 4.5 * std / np.sqrt(2 * num) + 1e-3 * std)


def test_labels_are_drawn_as_often_as_they_came():
    recipe = recipes.bernoulli_naive_bayes(SHAPE, K)
    model = models.ClassMoments(jnp.array([0.0, 10.0, 0.0, 0.0]), jnp.zeros((K, 6)), jnp.zeros((K, 6)))
    model = model._replace(mean=model.mean.at[1].set(1.0).at[0].set(0.0))
    x = recipe.sample(jax.random.key(0), model, 500)

    # Every sample is of class 1, whose features are 1 with probability 11 / 12.
    margin = 4.5 * np.sqrt(11 / 144 / 3000)
    assert abs(float(x.mean()) - 11 / 12) < margin


def test_moments_far_from_zero_keep_their_variance():
    x = (1e4 + RANDOM.normal(size=(400, 1))).astype(np.float32)
    y = np.zeros(400, np.int32)
    halves = [
        models.class_moments(jnp.asarray(x[part]), jnp.asarray(y[part]), 1) for part in (slice(150), slice(150, 400))
    ]

    np.testing.assert_allclose(merge(*halves).squares[0] / 400, np.float64(x).var(0), rtol=1e-3)
    np.testing.assert_allclose(models.total_variance(merge(*halves)), np.float64(x).var(0), rtol=1e-3)


@pytest.mark.parametrize("family", [recipes.gaussian_naive_bayes, recipes.bernoulli_naive_bayes])
def test_a_label_without_a_class_is_that_of_no_other(family):
    recipe = family(SHAPE, K)
    x, key = jnp.asarray(X if family is recipes.gaussian_naive_bayes else BITS), jax.random.key(0)
    model = trained(recipe, np.asarray(x), (120,))
    y = jnp.array([-1, 0, K - 1, K, 100])
    inside = np.array([False, True, True, False, False])

    np.testing.assert_array_equal(np.isfinite(recipe.log_prob(key, model, x[:5], y=y)), inside)
    drawn = np.isfinite(recipe.sample(key, model, 5, y=y)).reshape(5, -1)
    np.testing.assert_array_equal(drawn, np.repeat(inside[:, None], drawn.shape[1], axis=1))
    before = recipe.init(key, {"x": x[:5], "y": y})
    after, metrics = recipe.step(key, before, {"x": x[:5], "y": y})
    np.testing.assert_array_equal(after.model.counts, [1, 0, 0, 1])
    np.testing.assert_array_equal(after.model.mean[np.array([0, K - 1])], x[1:3].reshape(2, -1))
    assert np.isnan(metrics["loss"])
