"""MADE with one layer of 500 units on statically binarized MNIST, as a public PyTorch version trains it.

    JAXGEN_DATA=DIR python -m train configs/made_500_mnist_static.py --seeds 5
    python -m train evaluate runs/made_500_mnist_static --part valid

One random ordering, no direct connections, Adam 1e-3 with weight decay 1e-4, a tenth of the rate from epochs 45 and 90
on, 100 epochs of batches of 100 in the order of the file, the last model. The published 94.5 nats (Germain et al. 2015,
figure 2, and that version's README) are of the 10,000 validation images.
"""

import jax
import optax

from jaxgen import models, preprocess, recipes
from jaxgen.optimize import optimizer
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Seed, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    weight_decay: Weight = 1e-4,
    hidden: tuple[Size, ...] = (500,),
    mask_seed: Seed = 0,
) -> Experiment:
    """`learning_rate` is that of the first 45 epochs."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        network = models.MADE(
            spec.shape,
            hidden,
            mask_seed=mask_seed,
            ordering="random",
            kernel_init=jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform"),
        )
        drops = {epoch * spec.steps_per_epoch: 0.1 for epoch in (45, 90)}
        rate = optax.piecewise_constant_schedule(learning_rate, drops)
        return recipes.autoregressive(network, optimizer("adam", rate, weight_decay=weight_decay), part_size=1000)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="binarized_mnist",
        batch_size=100,
        steps=100,
        evaluate_every=1,
        checkpoint_every=10,
        unit="epoch",
        order="file",
    )
