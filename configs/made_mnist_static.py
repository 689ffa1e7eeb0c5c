"""MADE on statically binarized MNIST, one hidden layer and 32 masks (Germain et al. 2015, table 6).

    JAXGEN_DATA=DIR python -m train configs/made_mnist_static.py

The paper reaches 88.04 nats with one layer of 8,000 units and 32 masks that also differ in the order of the pixels,
Adagrad 0.01 and batches of 100, until validation stops improving.
"""

import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Seed, Size


def experiment(
    *,
    seed: Seed = 0,
    seeds: Size = 1,
    steps: Size = 10000,
    batch_size: Size = 100,
    learning_rate: Rate = 0.01,
    data: str = "binarized_mnist",
    hidden: tuple[Size, ...] = (1000,),
    num_masks: Size = 32,
) -> Experiment:
    """Each step trains one of the masks; the conditional probabilities of all are averaged to evaluate and sample."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        # Sums of squares that begin at 0, as in the paper: optax begins at 0.1, and so far more slowly.
        optimizer = optax.inject_hyperparams(optax.adagrad)(learning_rate, initial_accumulator_value=0.0)
        return recipes.autoregressive(models.MADE(spec.shape, hidden, num_masks), optimizer, part_size=batch_size)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data=data,
        batch_size=batch_size,
        steps=steps,
        seed=seed,
        seeds=seeds,
        evaluate_every=1000,
        checkpoint_every=1000,
    )
