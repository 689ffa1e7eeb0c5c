"""MADE as published (Germain et al. 2015), on the binary UCI tables of its table 4.

    JAXGEN_DATA=DIR python -m train configs/made_uci.py --data uci_dna

500 hidden units and direct connections, a random ordering of the dimensions, orthogonal initial weights, one mask. The
settings that the paper varies and those chosen here are in docs/results/autoregressive.md. `--num-masks 300` trains an
ensemble of orderings and connectivities, `--hidden` (nothing behind it) the fully visible belief network: a logistic
regression of each value on those before it.
"""

from typing import Literal

import jax

from jaxgen import models, preprocess, recipes
from jaxgen.optimize import optimizer as named_optimizer
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Seed, Size, Weight

ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jax.nn.tanh, "softplus": jax.nn.softplus}


def experiment(
    *,
    optimizer: Literal["sgd", "momentum", "adagrad", "adadelta", "rmsprop", "adam", "adamax"] = "adagrad",
    learning_rate: Rate = 0.02,
    epsilon: Rate | None = None,
    weight_decay: Weight = 0.0,
    hidden: tuple[Size, ...] = (500,),
    activation: Literal["relu", "tanh", "softplus"] = "relu",
    ordering: Literal["natural", "random"] = "random",
    direct: bool = True,
    num_masks: Size = 1,
    fresh_masks: bool = False,
    ensemble_size: Size | None = None,
    mask_seed: Seed = 0,
    binarize: bool = False,
) -> Experiment:
    """`direct` connects inputs to outputs as well; `epsilon` is the optimizer's, None: that of its paper.

    `num_masks` are taken in turn; `fresh_masks` draws one each step. An ensemble is evaluated under `ensemble_size`
    masks, or those of training: the mean of p(x) under each. `binarize` draws each pixel of grey images anew at each
    visit.
    """

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        network = models.MADE(
            spec.shape,
            hidden,
            num_masks,
            mask_seed,
            ordering=ordering,
            direct=direct,
            activation=ACTIVATIONS[activation],
            kernel_init=jax.nn.initializers.orthogonal(),
        )
        of_rule = {} if epsilon is None else {"eps": epsilon}
        rule = named_optimizer(optimizer, learning_rate, weight_decay=weight_decay, **of_rule)
        if num_masks == 1 and not fresh_masks:
            return recipes.autoregressive(network, rule, part_size=1000)
        return recipes.made(network, rule, fresh_masks=fresh_masks, ensemble_size=ensemble_size)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.binarize if binarize else preprocess.scale,
        data="uci_dna",
        batch_size=100,
        steps=4000,
        evaluate_every=100,
        checkpoint_every=1000,
    )
