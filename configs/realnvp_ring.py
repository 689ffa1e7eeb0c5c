"""RealNVP on a ring of 8 Gaussians: couplings that are rational-quadratic splines, or affine.

    python -m train configs/realnvp_ring.py [--coupling affine]

Dinh et al. 2017, with the splines of Durkan et al. 2019; the data is that of Lin et al. 2018, section 4.1. Each layer
moves one coordinate given the other. The entropy of the data, the least NLL there is, is log 8 + 1 + log(2 pi 1e-4) =
-4.293 nats. Reached: NLL -4.26 nats [-4.30, -4.22] (one seed, docs/results/flows/realnvp_ring.json).
`--conditional` gives the mode to every layer.
"""

from typing import Literal

import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    decay_steps: Size = 4000,
    num_layers: Size = 8,
    hidden: tuple[Size, ...] = (64, 64),
    coupling: Literal["affine", "spline"] = "spline",
    num_bins: Size = 16,
    bound: Rate = 3.0,
    clip_norm: Rate = 10.0,
    conditional: bool = False,
) -> Experiment:
    """Couplings after an activation normalisation each; `num_bins` and `bound` are those of splines.

    The learning rate falls to 0 along a cosine over `decay_steps`, and gradients are clipped to `clip_norm`.
    """

    def layer(index: int) -> models.AffineCoupling | models.SplineCoupling:
        flip = bool(index % 2)
        if coupling == "affine":
            return models.AffineCoupling(flip=flip, hidden=hidden)
        return models.SplineCoupling(flip=flip, hidden=hidden, num_bins=num_bins, bound=bound)

    def recipe(spec: DataSpec) -> Recipe:
        if conditional and spec.num_classes is None:
            raise ValueError("--conditional needs labels")
        layers = [part for index in range(num_layers) for part in (models.ActNorm(), layer(index))]
        rule = optax.chain(
            optax.clip_by_global_norm(clip_norm),
            optax.inject_hyperparams(optax.adam)(optax.cosine_decay_schedule(learning_rate, decay_steps)),
        )
        num_classes = spec.num_classes if conditional else None
        return recipes.flow(models.Flow(spec.shape, layers), rule, num_classes=num_classes)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="ring",
        batch_size=256,
        steps=4000,
        evaluate_every=500,
        checkpoint_every=1000,
    )
