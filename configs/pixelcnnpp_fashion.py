"""PixelCNN++ on the 256 grey values of Fashion-MNIST (Salimans et al. 2017), for `python -m train detect` too.

    JAXGEN_DATA=DIR python -m train configs/pixelcnnpp_fashion.py

The paper's network has 5 blocks of 160 channels, dropout of 0.5 and hundreds of epochs on GPUs; this is a small one for
a CPU, without dropout as it does not see its data twice.
"""

import optax

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Fraction, Rate, Size


def experiment(
    *,
    learning_rate: Rate = 2e-3,
    decay: Fraction = 1e-3,
    channels: Size = 24,
    blocks: Size = 1,
    resolutions: Size = 3,
    components: Size = 5,
    dropout: Fraction = 0.0,
    levels: Size = 256,
) -> Experiment:
    """`blocks` are those of each resolution, on the way to the coarsest; `components` those of the mixture.

    `levels` is the number of values of each channel.
    """

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a distribution over grey values")
        spec.require_images("a PixelCNN++")
        of_pixels = likelihood.logistic_mixture(spec.shape[2], components, levels)
        schedule = optax.exponential_decay(learning_rate, 1, 1 - decay)
        return recipes.autoregressive(
            models.PixelCNNPlusPlus(spec.shape, channels, blocks, resolutions, of_pixels.parameters, dropout),
            optax.inject_hyperparams(optax.adam)(schedule),
            likelihood=of_pixels,
        )

    return Experiment(
        recipe=recipe,
        prepare=preprocess.quantize(levels),
        data="fashion_mnist",
        batch_size=16,
        steps=2000,
        evaluate_every=2000,
        checkpoint_every=1000,
    )
