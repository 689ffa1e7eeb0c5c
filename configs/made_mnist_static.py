"""MADE on statically binarized MNIST, with one hidden layer and 32 masks (Germain et al. 2015, table 6).

    JAXGEN_DATA=DIR python -m train configs/made_mnist_static.py

The paper reaches 88.04 nats with 32 masks that also differ in the order of the pixels, Adagrad 0.01 and batches of 100,
with early stopping. For a short budget this config uses Adam, and initialises the output bias from the mean image.
One busy CPU core: 26 minutes. Reached: 107.42 nats [106.86, 108.01] (one seed, docs/results/autoregressive.md).
"""

import jax
import jax.numpy as jnp
import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size


def experiment(
    *,
    batch_size: Size = 100,
    learning_rate: Rate = 1e-3,
    hidden: tuple[Size, ...] = (1000,),
    num_masks: Size = 32,
) -> Experiment:
    """Each step trains one mask; evaluation and sampling average the conditional probabilities over all masks."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        mean = jnp.clip(spec.train_mean.reshape(-1), 0.001, 0.999)
        bias_init = jax.nn.initializers.constant(jnp.log(mean) - jnp.log1p(-mean))
        network = models.MADE(spec.shape, hidden, num_masks, bias_init=bias_init)
        # The microbatch is the whole batch: masking the weights costs more than activations that leave the cache.
        return recipes.autoregressive(
            network, optax.inject_hyperparams(optax.adam)(learning_rate), part_size=batch_size
        )

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="binarized_mnist",
        batch_size=batch_size,
        steps=20000,
        evaluate_every=1000,
        checkpoint_every=1000,
    )
