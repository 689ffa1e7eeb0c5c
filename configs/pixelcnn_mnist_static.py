"""PixelCNN on statically binarized MNIST (van den Oord et al. 2016a).

    JAXGEN_DATA=DIR python -m train configs/pixelcnn_mnist_static.py

15 residual blocks of 16 channels and a head of 32, as in the public reproduction that reaches 81.45 nats on dynamically
binarized MNIST at a learning rate of 1e-3 that decays by a factor 1 - 2.3e-5 per step; the paper reports 81.30 on this
data. For few epochs, smaller batches and a higher rate with a faster decay are better. One busy CPU core: 53 minutes
for 6.4 epochs. Reached: 87.53 nats [87.12, 87.93], one seed (docs/results/autoregressive.md).
"""

import functools
from typing import Literal

import optax

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Fraction, Rate, Size


def experiment(
    *,
    learning_rate: Rate = 4e-3,
    decay: Fraction = 1.5e-4,
    binarize: bool = False,
    network: Literal["pixelcnn", "gated", "row-lstm", "diagonal-lstm", "pixel-lstm"] = "pixelcnn",
    channels: Size = 16,
    blocks: Size = 15,
    head: Size = 32,
    levels: Size = 2,
    conditional: bool = False,
    mutation: Fraction = 0.0,
    remat: bool = False,
) -> Experiment:
    """`binarize` is dynamic binarization; `levels` is the number of grey values of data that is not binary.

    `mutation` is the share of pixels that are replaced by random ones, to train a background model (Ren et al. 2019).
    `conditional` conditions on the class. `remat` recomputes the blocks of a PixelCNN in the backward pass, for less
    memory and a third more time. The LSTMs are those of a PixelRNN, whose recurrent layers are `blocks`.
    """

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a distribution over grey values")
        spec.require_images("a PixelCNN")
        if binarize and levels != 2:
            raise ValueError(f"--binarize needs --levels 2, got {levels}")
        if conditional and spec.num_classes is None:
            raise ValueError("--conditional needs labels")
        of_pixels = likelihood.bernoulli if levels == 2 else likelihood.categorical(levels)
        families = {
            "pixelcnn": functools.partial(models.PixelCNN, dtype=spec.dtype, remat=remat),
            "gated": functools.partial(models.GatedPixelCNN, dtype=spec.dtype, remat=remat),
            "row-lstm": functools.partial(models.PixelRNN, lstm="row"),
            "diagonal-lstm": functools.partial(models.PixelRNN, lstm="diagonal"),
            "pixel-lstm": functools.partial(models.PixelRNN, lstm="pixel"),
        }
        schedule = optax.exponential_decay(learning_rate, 1, 1 - decay)
        return recipes.autoregressive(
            families[network](
                spec.shape,
                channels,
                blocks,
                head,
                parameters=of_pixels.parameters,
                condition_dim=spec.num_classes if conditional else None,
            ),
            optax.inject_hyperparams(optax.adam)(schedule),
            likelihood=of_pixels,
        )

    prepare = preprocess.binarize if binarize else preprocess.quantize(levels)
    return Experiment(
        recipe=recipe,
        prepare=preprocess.mutate(prepare, mutation, levels) if mutation else prepare,
        data="binarized_mnist",
        batch_size=16,
        steps=20000,
        evaluate_every=2000,
        checkpoint_every=2000,
    )
