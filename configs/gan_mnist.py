"""GAN on MNIST with the networks of the original paper, MLP against maxout (Goodfellow et al. 2014, section 5).

    JAXGEN_DATA=DIR python -m train configs/gan_mnist.py

The paper trains with SGD, momentum and dropout in the discriminator until a validation score stops improving. This
config uses Adam, and batch norm in the generator instead of dropout: without either (`--no-batch-norm`) training
collapses within 500 steps, and the run prints a warning. 2 CPU cores: 8 minutes. Reached: Frechet distance 75.9 on
classifier features (training data: 1.14), Parzen window 127.20 nats (published: 225, number of steps not stated;
docs/results/gans.md).
"""

import jax
import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Fraction, GameName, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 2e-4,
    beta1: Fraction = 0.5,
    latent_dim: Size = 100,
    hidden: tuple[Size, ...] = (1200, 1200),
    discriminator_hidden: tuple[Size, ...] = (240, 240),
    pieces: Size = 5,
    batch_norm: bool = True,
    game: GameName = "non-saturating",
    zero_centered_penalty: Weight = 0.0,
) -> Experiment:
    """Two hidden layers in both networks, sigmoid output."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a sigmoid")
        return recipes.gan(
            models.Generator(
                spec.shape, hidden, batch_norm=batch_norm, output_activation=jax.nn.sigmoid, dtype=spec.dtype
            ),
            models.Discriminator(discriminator_hidden, pieces=pieces, dtype=spec.dtype),
            optax.inject_hyperparams(optax.adam)(learning_rate, b1=beta1),
            optax.adam(learning_rate, b1=beta1),
            latent_dim=latent_dim,
            game=game,
            zero_centered_penalty=zero_centered_penalty,
        )

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="mnist",
        batch_size=100,
        steps=12000,
        evaluate_every=1000,
        checkpoint_every=1000,
    )
