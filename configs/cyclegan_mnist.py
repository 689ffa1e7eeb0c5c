"""CycleGAN between the digits of MNIST and their twins, rotated by 90 degrees and inverted (Zhu et al. 2017).

    JAXGEN_DATA=DIR python -m train configs/cyclegan_mnist.py

No digit is trained beside its own twin, so the twins of test digits measure the translation. The paper's networks have
64 to 256 channels and nine residual blocks, its batches one image. Not trained to its end here.
"""

import jax
import jax.numpy as jnp
import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import Count, DataSpec, Experiment, Fraction, GameName, Rate, Size, Weight


def twin(key: jax.Array, x: jax.Array) -> jax.Array:
    """The inverted image, rotated by 90 degrees: [H, W, C] -> float32 [W, H, C] in [0, 1]."""
    return jnp.rot90(1 - preprocess.scale(key, x))


def experiment(
    *,
    learning_rate: Rate = 2e-4,
    beta1: Fraction = 0.5,
    channels: tuple[Size, ...] = (16, 32),
    blocks: Count = 2,
    discriminator_channels: tuple[Size, ...] = (32, 64),
    cycle_weight: Weight = 10.0,
    identity_weight: Weight = 0.0,
    pool_size: Size = 50,
    game: GameName = "least-squares",
) -> Experiment:
    """`identity_weight` is 0, since an identity would keep a digit as it is."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a sigmoid")
        spec.require_images("a CycleGAN")
        translator = models.Translator(spec.shape[-1], channels, blocks)
        discriminator = models.DCGANDiscriminator(discriminator_channels, None)
        return recipes.cyclegan(
            translator,
            translator,
            discriminator,
            discriminator,
            optax.inject_hyperparams(optax.adam)(learning_rate, b1=beta1),
            optax.adam(learning_rate, b1=beta1),
            cycle_weight=cycle_weight,
            identity_weight=identity_weight,
            pool_size=pool_size,
            game=game,
        )

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        condition=twin,
        data="mnist",
        batch_size=16,
        steps=4000,
        evaluate_every=1000,
        checkpoint_every=1000,
    )
