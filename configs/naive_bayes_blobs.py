"""Naive Bayes and logistic regression on two Gaussian blobs: a generative and a discriminative classifier.

    python -m train configs/naive_bayes_blobs.py
    python -m train configs/naive_bayes_blobs.py --family logistic-regression --run-dir runs/logistic_regression_blobs

One second each; the figure "Plane" of the report shows class densities and decision boundary.
"""

from typing import Literal

import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate


def experiment(
    *,
    learning_rate: Rate = 1e-2,
    family: Literal["naive-bayes", "logistic-regression"] = "naive-bayes",
) -> Experiment:
    """Naive Bayes sees every point 100 times, which does not change its moments; logistic regression uses Adam."""

    def recipe(spec: DataSpec) -> Recipe:
        if spec.num_classes is None:
            raise ValueError("a classifier needs labels")
        if family == "naive-bayes":
            return recipes.gaussian_naive_bayes(spec.shape, spec.num_classes)
        optimizer = optax.inject_hyperparams(optax.adam)(learning_rate)
        return recipes.multinomial_classifier(models.Classifier(spec.num_classes), optimizer)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="blobs",
        batch_size=100,
        steps=1000,
        evaluate_every=100,
        checkpoint_every=1000,
    )
