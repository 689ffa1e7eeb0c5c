"""Gaussian VAE on dynamically binarized MNIST: the baseline of the hyperspherical VAE (Davidson et al. 2018).

    JAXGEN_DATA=DIR python -m train configs/n_vae_mnist.py --latent-dim 10 --seeds 5

784-256-128-d-128-256-784, ReLU, the standard deviation through softplus, batches of 64, Adam 1e-3, beta rises over 100
epochs, the best model on validation data after 50 epochs without a better one. Published log-likelihood with 500
importance samples: -135.73, -110.21, -93.84, -88.90 and -88.93 nats with 2, 5, 10, 20 and 40 latents.
"""

import jax

from jaxgen import models, preprocess, recipes
from jaxgen.optimize import optimizer
from jaxgen.recipe import Recipe
from train.experiment import Count, DataSpec, Experiment, Rate, Size


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    latent_dim: Size = 10,
    hidden: tuple[Size, ...] = (256, 128),
    warmup_epochs: Count = 100,
) -> Experiment:
    """The paper does not state its validation set: here it is the last 10,000 training images."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        kernel_init = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")  # PyTorch's
        network = models.VAE(
            models.GaussianEncoder(latent_dim, hidden, std="softplus", kernel_init=kernel_init, dtype=spec.dtype),
            models.Decoder(spec.shape, hidden[::-1], kernel_init=kernel_init, dtype=spec.dtype),
        )
        warmup_steps = warmup_epochs * spec.steps_per_epoch
        return recipes.vae(network, optimizer("adam", learning_rate), warmup_steps=warmup_steps)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.binarize,
        data="mnist",
        batch_size=64,
        steps=1000,
        valid_rows=(50000, 60000),
        evaluate_every=1,
        checkpoint_every=10,
        unit="epoch",
        select="negative_elbo",
        patience=50,
    )
