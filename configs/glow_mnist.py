"""Glow, a multi-scale flow of images (Kingma & Dhariwal 2018), on dequantized MNIST.

    JAXGEN_DATA=DIR python -m train configs/glow_mnist.py

Each scale squeezes 2 x 2 pixels, takes `depth` steps of activation normalisation, invertible 1 x 1 convolution and
affine coupling, and makes half of the channels codes. The networks are far smaller than the paper's, which have 512
channels and 32 steps a scale.
"""

import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    num_scales: Size = 2,
    depth: Size = 4,
    channels: tuple[Size, ...] = (32, 32),
    temperature: Rate = 1.0,
    clip_norm: Rate = 100.0,
    conditional: bool = False,
) -> Experiment:
    """Samples are drawn at `temperature`; gradients are clipped to `clip_norm`."""

    def step_of_flow(seed: int) -> tuple:
        return models.ActNorm(), models.InvertibleConv(seed), models.AffineCoupling("channel", channels=channels)

    def scales(shape: tuple[int, ...], num: int) -> models.Flow:
        squeeze = models.Squeeze()
        height, width, colours = squeeze.shape_after(shape)
        layers = [squeeze, *(layer for seed in range(depth) for layer in step_of_flow(seed))]
        if num > 1:
            layers.append(models.FactorOut(scales((height, width, colours // 2), num - 1)))
        return models.Flow(shape, layers)

    def recipe(spec: DataSpec) -> Recipe:
        if conditional and spec.num_classes is None:
            raise ValueError("--conditional needs labels")
        rule = optax.chain(optax.clip_by_global_norm(clip_norm), optax.inject_hyperparams(optax.adam)(learning_rate))
        num_classes = spec.num_classes if conditional else None
        network = scales(spec.shape, num_scales)
        return recipes.flow(network, rule, num_classes=num_classes, temperature=temperature)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.dequantize,
        data="mnist",
        batch_size=64,
        steps=20000,
        evaluate_every=1000,
        checkpoint_every=1000,
    )
