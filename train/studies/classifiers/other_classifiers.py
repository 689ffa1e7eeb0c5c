"""Further classifiers beside naive Bayes and logistic regression: an SVM, a tree, a forest, and a linear discriminant.

The first three, of scikit-learn, are discriminative: they hold no density of x. Linear discriminant analysis, often
listed with them, models p(x, y), Gaussians of one covariance (Fisher 1936; Hastie et al. 2009, section 4.3): it
classifies by Bayes' rule, and it samples.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy.special import logsumexp

Array = np.ndarray
Classifier = Callable[[Array], Array]  # x [N, D] -> log p(y | x) [N, K]


class Discriminant(NamedTuple):
    """p(y) N(x; mean of y, covariance), of the K classes that have examples."""

    classes: Array  # their labels, [K]
    log_prior: Array  # [K]
    mean: Array  # [K, D]
    covariance: Array  # [D, D]


def fit_discriminant(x: Array, y: Array, *, shrinkage: float | None = None) -> Discriminant:
    """Maximum likelihood, but the covariance is drawn towards a multiple of I: [N, D], [N].

    `shrinkage` is the weight of that multiple, from 0 to 1; None: as Ledoit & Wolf (2004) estimate it, so that fewer
    examples than features have a covariance of full rank.
    """
    from sklearn.covariance import ledoit_wolf, shrunk_covariance

    classes, index, counts = np.unique(y, return_inverse=True, return_counts=True)
    mean = np.stack([x[index == k].mean(axis=0) for k in range(len(classes))])
    residuals = x - mean[index]
    if shrinkage is None:
        covariance = ledoit_wolf(residuals, assume_centered=True)[0]
    else:
        covariance = shrunk_covariance(residuals.T @ residuals / len(x), shrinkage)
    return Discriminant(classes, np.log(counts / len(y)), mean, covariance)


def log_joint(model: Discriminant, x: Array) -> Array:
    """log p(x, y) up to a function of x alone, which is linear in x: [N, D] -> [N, K]."""
    weights = np.linalg.lstsq(model.covariance, model.mean.T, rcond=None)[0]
    return x @ weights - 0.5 * np.sum(model.mean.T * weights, axis=0) + model.log_prior


def log_density(model: Discriminant, x: Array) -> Array:
    """log p(x), nats: [N, D] -> [N]."""
    dims, log_det = x.shape[1], np.linalg.slogdet(model.covariance)[1]
    squares = np.sum(x * np.linalg.lstsq(model.covariance, x.T, rcond=None)[0].T, axis=1)
    return logsumexp(log_joint(model, x), axis=1) - 0.5 * (squares + log_det + dims * np.log(2 * np.pi))


def sample(model: Discriminant, y: Array, seed: int) -> Array:
    """Draws from p(x | y): labels [N] -> [N, D]."""
    noise = np.random.default_rng(seed).standard_normal((len(y), model.mean.shape[1]))
    values, vectors = np.linalg.eigh(model.covariance)
    return model.mean[np.searchsorted(model.classes, y)] + noise * np.sqrt(np.maximum(values, 0)) @ vectors.T


def measure(train: dict[str, Array], test: dict[str, Array], rows: Array, seed: int) -> dict[str, Array]:
    """Test errors of each, fitted to the examples at rows [R, m]: {name: [R]}."""
    x, x_test = (part["x"].reshape(len(part["x"]), -1).astype(np.float64) for part in (train, test))
    found: dict[str, list[float]] = {}
    for row in rows:
        for name, predicted in _predictions(x[row], train["y"][row], x_test, seed).items():
            found.setdefault(name, []).append(float(np.mean(predicted != test["y"])))
    return {name: np.array(values) for name, values in found.items()}


def _predictions(x: Array, y: Array, x_test: Array, seed: int) -> dict[str, Array]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.svm import LinearSVC
    from sklearn.tree import DecisionTreeClassifier

    discriminant = fit_discriminant(x, y)
    found = {"linear discriminant": discriminant.classes[np.argmax(log_joint(discriminant, x_test), axis=1)]}
    classifiers: dict[str, Any] = {
        "linear SVM": LinearSVC(random_state=seed, max_iter=20_000),
        "decision tree": DecisionTreeClassifier(random_state=seed),
        "random forest": RandomForestClassifier(random_state=seed),
    }
    for name, classifier in classifiers.items():
        # Nothing is to be told apart where one class has all examples, and an SVM refuses them.
        found[name] = classifier.fit(x, y).predict(x_test) if len(np.unique(y)) > 1 else np.full(len(x_test), y[0])
    return found
