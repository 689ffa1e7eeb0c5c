"""Gaussian naive Bayes on MNIST, trained on the last 55,000 images as in the article on generative interpolation.

    JAXGEN_DATA=DIR python -m train configs/naive_bayes_mnist.py

One pass over the data, a second on 2 CPU cores. Reached: test accuracy 0.5492 [0.5398, 0.5588], and 0.8152 with
`--variance-floor 1e-1` (docs/results/naive_bayes); the article has 0.5492, with scikit-learn in float64.
"""

from typing import Literal

from jaxgen import preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate


def experiment(
    *,
    variance_floor: Rate = 1e-9,
    prior: Literal["counted", "uniform"] = "counted",
    standardize: bool = False,
) -> Experiment:
    """`variance_floor`, in units of the largest variance of a pixel, determines the accuracy.

    `standardize` scales each pixel to mean 0 and variance 1 over the training data.
    """

    def recipe(spec: DataSpec) -> Recipe:
        if spec.num_classes is None:
            raise ValueError("naive Bayes needs labels")
        return recipes.gaussian_naive_bayes(spec.shape, spec.num_classes, variance_floor=variance_floor, prior=prior)

    def standardized(spec: DataSpec) -> preprocess.Preparation:
        return preprocess.standardize(spec.train_mean, spec.train_std)

    return Experiment(
        recipe=recipe,
        prepare=standardized if standardize else preprocess.scale,
        data="mnist",
        batch_size=1000,
        steps=55,
        evaluate_every=55,
        checkpoint_every=55,
        valid_rows=(0, 5000),
    )
