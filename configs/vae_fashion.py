"""Convolutional VAE on Fashion-MNIST, with a Gaussian of fixed width over grey values.

    JAXGEN_DATA=DIR python -m train configs/vae_fashion.py --num-samples 50

2 CPU cores: at most 10 minutes. Reached: negative ELBO -553.97 nats [-556.74, -551.27] of density,
squared error 7.51 per image (docs/results/vae_fashion.json).
"""

import jax
import optax

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    latent_dim: Size = 16,
    channels: tuple[Size, ...] = (32, 64),
    hidden: tuple[Size, ...] = (256,),
    std: Rate = 0.15,
    beta: Weight = 1.0,
) -> Experiment:
    """`std` is that of the Gaussian over a pixel: a smaller one gives sharper reconstructions and a higher KL."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_images("a convolutional decoder")
        # Bias from the mean image: otherwise a latent dimension encodes brightness, and half of its prior is unused.
        mean = jax.nn.initializers.constant(spec.train_mean.mean(axis=(0, 1)))
        network = models.VAE(
            models.GaussianEncoder(latent_dim, hidden, channels=channels, dtype=spec.dtype),
            models.Decoder(spec.shape, hidden[::-1], channels=channels[::-1], bias_init=mean, dtype=spec.dtype),
        )
        optimizer = optax.inject_hyperparams(optax.adam)(learning_rate)
        return recipes.vae(network, optimizer, likelihood=likelihood.fixed_gaussian(std), beta=beta)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="fashion_mnist",
        batch_size=128,
        steps=6000,
        evaluate_every=500,
        checkpoint_every=1000,
    )
