"""WAE-MMD on MNIST, and other autoencoders with the same networks (Tolstikhin et al. 2018).

    JAXGEN_DATA=DIR python -m train configs/wae_mmd_mnist.py --seeds 5
    JAXGEN_DATA=DIR python -m train configs/wae_mmd_mnist.py --seeds 5 --family vae --run-dir runs/vae

As in the authors' code: eight latents, squared error times 0.05, lambda 10, input noise of 0.01, an encoder pre-trained
for 200 steps to match the moments of the prior (at most 200 in theirs), and Adam with beta1 0.5, whose rate is halved
after 30 % of the training and divided by another 5 after 50 %. They train larger networks with batch norm for 60,000
steps, and pre-train with 1,000 images per step. 2 CPU cores, busy: 3 minutes per seed. Reached: squared error 14.96
[14.76, 15.15], Frechet distance 99.2 [92.3, 106.0] from N(0, I) on a classifier's features (5
seeds, docs/results/wae.md).
"""

from typing import Any, Literal

import jax
import optax

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import Count, DataSpec, Experiment, Fraction, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    beta1: Fraction = 0.5,
    family: Literal["wae-mmd", "wae-gan", "vae", "rae", "autoencoder"] = "wae-mmd",
    latent_dim: Size = 8,
    channels: tuple[Size, ...] = (16, 32),
    hidden: tuple[Size, ...] = (128,),
    discriminator_hidden: tuple[Size, ...] = (512, 512, 512, 512),
    discriminator_rate: Rate = 5e-4,
    encoder: Literal["deterministic", "gaussian"] = "deterministic",
    weight: Weight = 10.0,
    cost: Literal["squared", "bernoulli"] = "squared",
    cost_weight: Rate = 0.05,
    input_noise: Weight = 0.01,
    pretrain_steps: Count = 200,
    code_weight: Weight = 0.01,
    std: Rate = 0.25,
    decay_steps: Size = 6000,
) -> Experiment:
    """`weight` is lambda; `encoder`, `input_noise` (a standard deviation) and `pretrain_steps` apply to WAEs only.

    `std` is that of the Gaussian over grey values in the other families, whose squared error has the weight
    1 / (2 std^2), and `code_weight` is beta of the RAE. Learning rates drop at fixed fractions of `decay_steps`. With a
    squared cost the output bias is initialised from the mean of the data.
    """

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a cost of pixels")
        if encoder == "gaussian" and not family.startswith("wae"):
            raise ValueError(f"--encoder gaussian is an option of the WAEs, not of --family {family}")
        rates = {int(0.3 * decay_steps): 0.5, int(0.5 * decay_steps): 0.2}

        def adam(rate: float = learning_rate) -> optax.GradientTransformation:
            schedule = optax.piecewise_constant_schedule(rate, rates)
            return optax.inject_hyperparams(optax.adam)(schedule, b1=beta1)

        mean = jax.nn.initializers.constant(spec.train_mean.mean(axis=(0, 1)))
        decoder = models.Decoder(
            spec.shape,
            hidden[::-1],
            channels=channels[::-1],
            bias_init=mean if cost == "squared" else jax.nn.initializers.zeros,
            dtype=spec.dtype,
        )
        deterministic = models.Autoencoder(
            models.Encoder(latent_dim, hidden, channels=channels, dtype=spec.dtype), decoder
        )
        gaussian = models.VAE(models.GaussianEncoder(latent_dim, hidden, channels=channels, dtype=spec.dtype), decoder)
        network = gaussian if encoder == "gaussian" else deterministic
        setting: dict[str, Any] = {
            "weight": weight,
            "cost": cost,
            "cost_weight": cost_weight,
            "input_noise": input_noise,
            "pretrain_steps": pretrain_steps,
        }
        if family == "wae-mmd":
            return recipes.wae_mmd(network, adam(), **setting)
        if family == "wae-gan":
            discriminator = models.Discriminator(discriminator_hidden, dtype=spec.dtype)
            return recipes.wae_gan(network, discriminator, adam(), adam(discriminator_rate), **setting)
        of_pixels = likelihood.bernoulli if cost == "bernoulli" else likelihood.fixed_gaussian(std)
        if family == "vae":
            return recipes.vae(gaussian, adam(), likelihood=of_pixels)
        beta = code_weight if family == "rae" else 0.0
        return recipes.rae(deterministic, adam(), code_weight=beta, likelihood=of_pixels)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="mnist",
        batch_size=100,
        steps=6000,
        evaluate_every=500,
        checkpoint_every=1000,
    )
