"""Deterministic autoencoder on MNIST, without a prior.

    JAXGEN_DATA=DIR python -m train configs/autoencoder_mnist.py

784-500-500-20-500-500-784, softplus, linear output, squared error. 2 CPU cores: at most 8 minutes. Reached:
squared error 7.58 [7.50, 7.65] per image (docs/results/autoencoder_mnist.json).
"""

import jax
import optax

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    latent_dim: Size = 20,
    hidden: tuple[Size, ...] = (500, 500),
) -> Experiment:
    """Train with Adam for 20 epochs of the last 55,000 images."""

    def recipe(spec: DataSpec) -> Recipe:
        network = models.Autoencoder(
            models.Encoder(latent_dim, hidden, jax.nn.softplus, dtype=spec.dtype),
            models.Decoder(spec.shape, hidden[::-1], jax.nn.softplus, dtype=spec.dtype),
        )
        optimizer = optax.inject_hyperparams(optax.adam)(learning_rate)
        return recipes.autoencoder(network, optimizer, likelihood=likelihood.fixed_gaussian())

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="mnist",
        batch_size=128,
        steps=8580,
        evaluate_every=390,
        checkpoint_every=1950,
        valid_rows=(0, 5000),
    )
