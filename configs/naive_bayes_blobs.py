"""What a generative and a discriminative classifier learn of two blobs: ellipses, or a line.

    python -m train configs/naive_bayes_blobs.py
    python -m train configs/naive_bayes_blobs.py --family logistic-regression --run-dir runs/logistic_regression_blobs

A second each; the figure "Plane" of the report shows them.
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
    """Naive Bayes counts every point a hundred times, which changes no mean; the line comes by Adam."""

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
