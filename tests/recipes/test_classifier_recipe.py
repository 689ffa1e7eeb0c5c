"""Linear classifiers against scikit-learn: its optimum is ours, and its probabilities are ours."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from jaxgen import models, recipes

C = 0.1
X, Y = load_digits(return_X_y=True)
X = X[:500] / 16
Y = Y[:500]


def multinomial():
    fitted = LogisticRegression(C=C, tol=1e-8, max_iter=5000).fit(X, Y)
    return fitted, fitted.coef_, fitted.intercept_


def one_vs_rest():
    fitted = OneVsRestClassifier(LogisticRegression(C=C, tol=1e-8, max_iter=5000)).fit(X, Y)
    parts = fitted.estimators_
    return fitted, np.concatenate([part.coef_ for part in parts]), np.concatenate([part.intercept_ for part in parts])


@pytest.mark.parametrize(
    ("family", "reference"),
    [(recipes.multinomial_classifier, multinomial), (recipes.one_vs_rest_classifier, one_vs_rest)],
    ids=["multinomial", "one-vs-rest"],
)
def test_scikit_learn_s_optimum_does_not_move(family, reference):
    fitted, weights, biases = reference()
    recipe = family(models.Classifier(10), optax.sgd(1.0))
    batch = {"x": jnp.float32(X), "y": jnp.asarray(Y)}
    state = recipe.init(jax.random.key(0), batch)
    optimum = {"params": {"logits": {"kernel": jnp.float32(weights.T), "bias": jnp.float32(biases)}}}

    log_probabilities = recipe.classify(jax.random.key(0), optimum, batch["x"])
    np.testing.assert_allclose(np.exp(log_probabilities), fitted.predict_proba(X), atol=2e-5)
    stepped, _ = recipe.step(jax.random.key(0), state._replace(model=optimum), batch)
    # One step of SGD at rate 1 moves by minus the gradient; at the optimum that is the penalty's, weights / (C N).
    moved = jax.tree.map(lambda after, before: np.asarray(after - before), stepped.model, optimum)["params"]["logits"]
    np.testing.assert_allclose(moved["kernel"], weights.T / (C * len(X)), atol=2e-5)
    np.testing.assert_allclose(moved["bias"], 0, atol=2e-5)


def test_evaluate_and_features():
    recipe = recipes.multinomial_classifier(models.Classifier(10, (12,)), optax.adam(1e-2))
    batch = {"x": jnp.float32(X), "y": jnp.asarray(Y)}
    state = recipe.init(jax.random.key(0), batch)
    step = jax.jit(recipe.step)
    for _ in range(150):
        state, _ = step(jax.random.key(0), state, batch)
    values = recipe.evaluate(jax.random.key(0), state.model, batch)
    probabilities = np.exp(recipe.classify(jax.random.key(0), state.model, batch["x"]))

    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(values["accuracy"], probabilities.argmax(1) == Y)
    np.testing.assert_allclose(values["cross_entropy"], -np.log(probabilities[np.arange(500), Y]), rtol=1e-3, atol=1e-5)
    assert np.mean(values["accuracy"]) > 0.98
    assert recipe.features(state.model, batch["x"]).shape == (500, 12)


@pytest.mark.parametrize("family", [recipes.multinomial_classifier, recipes.one_vs_rest_classifier])
@pytest.mark.parametrize("y", [-1, 10, 200])
def test_the_loss_of_a_label_without_a_class_is_nan(family, y):
    recipe = family(models.Classifier(10), optax.sgd(1.0))
    batch = {"x": jnp.float32(X[:2]), "y": jnp.array([3, y])}
    _, metrics = recipe.step(jax.random.key(0), recipe.init(jax.random.key(0), batch), batch)
    assert np.isnan(metrics["loss"])
