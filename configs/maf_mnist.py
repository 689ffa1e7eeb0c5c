"""Masked autoregressive flow on the logits of dequantized MNIST (Papamakarios et al. 2017, table 5).

    JAXGEN_DATA=DIR python -m train configs/maf_mnist.py --seeds 5

The authors' protocol: five or ten layers (`--num-layers 10`) of one hidden layer of 1,024, each followed by batch norm
and the reverse order, Adam 1e-4 with weight decay 1e-6, batches of 100, noise drawn once, the best model on 10,000
validation images after 30 epochs without a better one. `--conditional` gives the class to every layer; its row of the
table is `marginal_nll`. Two things differ: a tanh bounds log-scales by 5, and in evaluation batch norm has running
statistics, where the authors have those of all training data.
"""

from typing import Literal

import jax

from jaxgen import models, preprocess, recipes
from jaxgen.optimize import optimizer
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 1e-4,
    weight_decay: Weight = 1e-6,
    num_layers: Size = 5,
    hidden: tuple[Size, ...] = (1024,),
    layer: Literal["autoregressive", "coupling"] = "autoregressive",
    alpha: Rate = 1e-6,
    conditional: bool = False,
) -> Experiment:
    """`alpha` keeps the logits of 0 and 1 finite."""

    def recipe(spec: DataSpec) -> Recipe:
        if conditional and spec.num_classes is None:
            raise ValueError("--conditional needs labels")
        num_classes = spec.num_classes if conditional else None
        flatten = models.Flatten(spec.shape)

        def transform(index: int) -> models.MaskedAutoregressive | models.AffineCoupling:
            if layer == "coupling":
                return models.AffineCoupling(flip=bool(index % 2), hidden=hidden)
            network = models.MADE(
                flatten.shape_after(spec.shape),
                hidden,
                parameters=(2,),
                degrees="sequential",
                condition_dim=num_classes,
                condition_layers="first",
                kernel_init=jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal"),
            )
            return models.MaskedAutoregressive(network)

        turn = [models.Reverse()] if layer == "autoregressive" else []
        layers = [part for i in range(num_layers) for part in (transform(i), models.FlowBatchNorm(), *turn)]
        rule = optimizer("adam", learning_rate, weight_decay=weight_decay)
        return recipes.flow(models.Flow(spec.shape, [flatten, *layers]), rule, num_classes=num_classes)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.logit(alpha),
        data="mnist_dequantized",
        batch_size=100,
        steps=1000,
        evaluate_every=1,
        checkpoint_every=10,
        unit="epoch",
        select="nll",
        patience=30,
    )
