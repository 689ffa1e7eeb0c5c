"""Super-resolution of statically binarized MNIST, 14 x 14 to 28 x 28, by a Gated PixelCNN given the small picture.

    JAXGEN_DATA=DIR python -m train configs/superres_mnist.py
    python -m train sample runs/superres_mnist --given test

y are means over blocks of 2 x 2 pixels, which leave out where in a block its white pixels lie. The network is that of
van den Oord et al. 2016b, conditioned on a map of y at each pixel (eq. 5), as in Dahl et al. 2017. A third of a busy
CPU core: 26 minutes. Reached: 15.23 nats [15.10, 15.35]; squared error per pixel of a sample 0.02176
[0.02128, 0.02222], of bicubic interpolation 0.02467 [0.02432, 0.02502] (one seed, docs/results/autoregressive.md).
"""

from typing import Literal

import optax

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Fraction, Rate, Size


def experiment(
    *,
    learning_rate: Rate = 4e-3,
    decay: Fraction = 1e-3,
    channels: Size = 16,
    blocks: Size = 6,
    head: Size = 32,
    levels: Size = 2,
    given: Literal["small", "grey"] = "small",
    factor: Size = 2,
) -> Experiment:
    """`given` is what the model is conditioned on: a picture smaller by `factor`, or the picture in shades of grey.

    `levels` is the number of values of each channel.
    """
    condition = preprocess.grey if given == "grey" else preprocess.shrink(factor)

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a distribution over grey values")
        spec.require_images("a PixelCNN")
        height, width, colours = spec.shape
        of_values = likelihood.bernoulli if levels == 2 else likelihood.categorical(levels)
        schedule = optax.exponential_decay(learning_rate, 1, 1 - decay)
        return recipes.autoregressive(
            models.GatedPixelCNN(
                spec.shape,
                channels,
                blocks,
                head,
                parameters=of_values.parameters,
                condition_dim=(height, width, 1) if given == "grey" else (height // factor, width // factor, colours),
                dtype=spec.dtype,
            ),
            optax.inject_hyperparams(optax.adam)(schedule),
            likelihood=of_values,
        )

    return Experiment(
        recipe=recipe,
        prepare=preprocess.quantize(levels),
        condition=condition,
        data="binarized_mnist",
        batch_size=16,
        steps=2000,
        evaluate_every=1000,
        checkpoint_every=1000,
    )
