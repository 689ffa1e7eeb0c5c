"""InfoGAN on MNIST: ten categories and two continuous codes, found without labels (Chen et al. 2016, section 7.2).

    JAXGEN_DATA=DIR python -m train configs/infogan_mnist.py

Codes, rates, batches and 5,000 rounds are those of the authors' code; its networks have 64 and 128 channels, 1,024 and
128 units (`--channels 64 128 --hidden 1024 --code-hidden 128`), and its generator a layer of 1,024 more. Published: an
error of 5 % where each category is matched to a digit. Not trained to its end here.
"""

import jax
import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import Count, DataSpec, Experiment, Fraction, GameName, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    discriminator_learning_rate: Rate = 2e-4,
    beta1: Fraction = 0.5,
    noise_dim: Size = 62,
    num_categories: Size = 10,
    num_continuous: Count = 2,
    weight: Weight = 1.0,
    channels: tuple[Size, ...] = (32, 64),
    hidden: Size = 256,
    code_hidden: Size = 64,
    game: GameName = "non-saturating",
) -> Experiment:
    """`channels` and `hidden` are those of the discriminator, from the image on; the generator has them in reverse."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a sigmoid")
        return recipes.infogan(
            models.DCGANGenerator(spec.shape, channels[::-1], jax.nn.sigmoid),
            models.InfoDiscriminator(num_categories + num_continuous, channels, hidden, code_hidden),
            optax.inject_hyperparams(optax.adam)(learning_rate, b1=beta1),
            optax.adam(discriminator_learning_rate, b1=beta1),
            noise_dim=noise_dim,
            num_categories=num_categories,
            num_continuous=num_continuous,
            weight=weight,
            game=game,
        )

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="mnist",
        batch_size=128,
        steps=5000,
        evaluate_every=1000,
        checkpoint_every=1000,
    )
