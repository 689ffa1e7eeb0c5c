"""MADE with Gaussian conditionals on the logits of dequantized MNIST (Papamakarios et al. 2017, table 5).

    JAXGEN_DATA=DIR python -m train configs/gaussian_made_mnist.py --seeds 5

The authors' protocol: two hidden layers of 1,024, natural order and sequential degrees, Adam 1e-3 with weight decay
1e-6, batches of 100, noise drawn once, the best model on 10,000 validation images after 30 epochs without a better
one. `--conditional` gives the class to the first layer; its row of the table is `marginal_nll`.
"""

import jax

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.optimize import optimizer
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    weight_decay: Weight = 1e-6,
    hidden: tuple[Size, ...] = (1024, 1024),
    alpha: Rate = 1e-6,
    conditional: bool = False,
) -> Experiment:
    """`alpha` keeps the logits of 0 and 1 finite."""

    def recipe(spec: DataSpec) -> Recipe:
        if conditional and spec.num_classes is None:
            raise ValueError("--conditional needs labels")
        network = models.MADE(
            spec.shape,
            hidden,
            parameters=likelihood.gaussian.parameters,
            degrees="sequential",
            condition_dim=spec.num_classes if conditional else None,
            condition_layers="first",
            kernel_init=jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal"),
        )
        rule = optimizer("adam", learning_rate, weight_decay=weight_decay)
        return recipes.autoregressive(network, rule, likelihood=likelihood.gaussian, part_size=1000)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.logit(alpha),
        data="mnist_dequantized",
        batch_size=100,
        steps=300,
        evaluate_every=1,
        checkpoint_every=10,
        unit="epoch",
        select="nll",
        patience=30,
    )
