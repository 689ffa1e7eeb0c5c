"""The linear discriminant is scikit-learn's, and it samples."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from train.studies.classifiers import other_classifiers

K, D, NUM = 3, 4, 500
RANDOM = np.random.default_rng(2)
MIXING = RANDOM.normal(size=(D, D))
Y = RANDOM.choice([2, 5, 9], size=NUM, p=[0.2, 0.3, 0.5])
X = RANDOM.normal(size=(NUM, D)) @ MIXING.T + Y[:, None] * np.array([0.1, -0.2, 0.3, 0.0])


@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
def test_bayes_rule_of_its_density_is_scikit_learns_discriminant(shrinkage):
    model = other_classifiers.fit_discriminant(X, Y, shrinkage=shrinkage)
    reference = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage or None, store_covariance=True).fit(X, Y)
    if shrinkage == 0:  # scikit-learn shrinks each class in units of its own standard deviations
        np.testing.assert_allclose(model.covariance, reference.covariance_, rtol=1e-10)
        found = log_softmax(other_classifiers.log_joint(model, X), axis=1)
        np.testing.assert_allclose(found, reference.predict_log_proba(X), rtol=1e-8, atol=1e-8)
    ordinary = other_classifiers.fit_discriminant(X, Y, shrinkage=0.0).covariance
    expected = (1 - shrinkage) * ordinary + shrinkage * np.trace(ordinary) / D * np.eye(D)
    np.testing.assert_allclose(model.covariance, expected, rtol=1e-10)


def test_its_density_is_a_mixture_of_gaussians():
    model = other_classifiers.fit_discriminant(X, Y)
    parts = [multivariate_normal.logpdf(X, mean, model.covariance) for mean in model.mean]
    expected = logsumexp(np.stack(parts, axis=1) + model.log_prior, axis=1)
    np.testing.assert_allclose(other_classifiers.log_density(model, X), expected, rtol=1e-9)


def test_samples_have_the_mean_of_their_class_and_the_covariance_of_all():
    model = other_classifiers.fit_discriminant(X, Y, shrinkage=0.0)
    labels = np.repeat([9, 2], 40_000)
    drawn = other_classifiers.sample(model, labels, 0)
    for label, k in ((9, 2), (2, 0)):
        x = drawn[labels == label]
        deviation = np.sqrt(np.diag(model.covariance) / len(x))
        np.testing.assert_array_less(np.abs(x.mean(axis=0) - model.mean[k]), 5 * deviation)
        # A product of two Gaussians has at most twice the variance of the product of their variances.
        margin = 5 * np.sqrt(2 * np.outer(*[np.diag(model.covariance)] * 2) / len(x))
        np.testing.assert_array_less(np.abs(np.cov(x.T) - model.covariance), margin)


def test_fewer_examples_than_features_and_a_single_class_are_classified():
    found = other_classifiers.measure({"x": X[:3], "y": Y[:3]}, {"x": X, "y": Y}, np.array([[0, 1, 2], [1, 1, 1]]), 0)
    assert set(found) == {"linear discriminant", "linear SVM", "decision tree", "random forest"}
    for errors in found.values():
        assert errors[1] == pytest.approx(np.mean(Y[1] != Y))
