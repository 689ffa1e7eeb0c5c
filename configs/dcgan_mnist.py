"""DCGAN on MNIST: convolutional generator and discriminator with batch norm (Radford et al. 2016).

    JAXGEN_DATA=DIR python -m train configs/dcgan_mnist.py

2 CPU cores: 5 to 9 minutes. Reached: Frechet distance 42.8 on classifier features (training data: 1.14;
docs/results/gans.md). The paper trains networks with up to 1,024 channels for five epochs of three million bedrooms,
this is twelve epochs of MNIST.
"""

from typing import Literal

import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Fraction, GameName, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 2e-4,
    beta1: Fraction = 0.5,
    beta2: Fraction = 0.999,
    latent_dim: Size = 100,
    channels: tuple[Size, ...] = (32, 64),
    norm: Literal["batch", "spectral", "none"] = "batch",
    minibatch_std: bool = False,
    game: GameName = "non-saturating",
    label_smoothing: Fraction = 0.0,
    critic_steps: Size = 1,
    gradient_penalty: Weight = 0.0,
    zero_centered_penalty: Weight = 0.0,
    packing: Size = 1,
    conditional: bool = False,
    ema_decay: Fraction = 0.0,
) -> Experiment:
    """`channels` are those of the discriminator, from the image on; the generator has them in reverse.

    `norm` is that of the discriminator; gradient penalties need spectral norm or none. `ema_decay` samples from an
    exponential moving average of the generator, over about 1 / (1 - ema_decay) steps.
    """

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a tanh")
        if conditional and spec.num_classes is None:
            raise ValueError("a conditional GAN needs labels")
        family = recipes.gan(
            models.DCGANGenerator(spec.shape, channels[::-1], dtype=spec.dtype),
            models.DCGANDiscriminator(channels, None if norm == "none" else norm, minibatch_std, dtype=spec.dtype),
            optax.inject_hyperparams(optax.adam)(learning_rate, b1=beta1, b2=beta2),
            optax.adam(learning_rate, b1=beta1, b2=beta2),
            latent_dim=latent_dim,
            game=game,
            label_smoothing=label_smoothing,
            critic_steps=critic_steps,
            gradient_penalty=gradient_penalty,
            zero_centered_penalty=zero_centered_penalty,
            packing=packing,
            num_classes=spec.num_classes if conditional else None,
        )
        return recipes.with_ema(family, ema_decay) if ema_decay else family

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale_symmetric,
        data="mnist",
        batch_size=64,
        steps=10000,
        evaluate_every=1000,
        checkpoint_every=1000,
    )
