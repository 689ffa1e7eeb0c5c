"""Gaussians with full covariances on the logits of dequantized MNIST, the first rows of flow papers' tables.

    JAXGEN_DATA=DIR python -m train configs/gaussian_mnist.py

The protocol of Papamakarios et al. 2017: 50,000 images, (k + u) / 256, the logit of 1e-6 + (1 - 2e-6) x, densities of
the logits. `--by-class` fits one Gaussian a class; its row of the table is `marginal_nll`, under equal classes.
"""

from jaxgen import preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate


def experiment(*, by_class: bool = False, alpha: Rate = 1e-6, variance_floor: Rate = 1e-6) -> Experiment:
    """`variance_floor`, times the largest variance of a pixel, is added to all variances."""

    def recipe(spec: DataSpec) -> Recipe:
        if by_class and spec.num_classes is None:
            raise ValueError("--by-class needs labels")
        num_classes = spec.num_classes if by_class else None
        return recipes.gaussian(spec.shape, num_classes, prior="uniform", variance_floor=variance_floor)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.logit(alpha),
        data="mnist",
        batch_size=10000,
        steps=5,
        valid_rows=(50000, 60000),
        evaluate_every=5,
        checkpoint_every=5,
    )
