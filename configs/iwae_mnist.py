"""IWAE and VAE on dynamically binarized MNIST, with one or two stochastic layers and k samples (Burda et al. 2016).

    JAXGEN_DATA=DIR python -m train configs/iwae_mnist.py --objective iwae --k 50 --schedule-scale 0.01

The authors' schedule, 3,280 epochs of batches of 20 in eight stages of decreasing learning rate, is
`--schedule-scale 1`, 9.8 million steps. The default is a hundredth: 2 minutes at k = 1 on 2 CPU cores, at most 64 at
k = 50. Reached at k = 1, 5, 50: importance-weighted NLL 97.53, 95.64 and 94.60 nats (docs/results/iwae_mnist);
published, after the full schedule: 86.76, 85.54 and 84.78.
"""

import math
from typing import Literal

import jax
import optax
from jax import numpy as jnp

from jaxgen import models, preprocess, recipes
from jaxgen.models import Decoder, GaussianEncoder
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size

GLOROT = jax.nn.initializers.glorot_uniform()
STAGES = range(8)  # stage i lasts 3^i epochs


def experiment(
    *,
    steps: Size | None = None,
    batch_size: Size = 20,
    learning_rate: Rate = 1e-4,
    objective: Literal["iwae", "vae"] = "iwae",
    k: Size = 50,
    stochastic_layers: Literal[1, 2] = 1,
    schedule_scale: Rate = 0.01,
) -> Experiment:
    """`learning_rate` is that of the last stage, a tenth of that of the first; the schedule sets the steps."""
    epoch = 59600 / batch_size * schedule_scale
    ends = [round(epoch * (3 ** (stage + 1) - 1) / 2) for stage in STAGES]
    rates = [learning_rate * round(10 ** (1 - stage / 7), 1) for stage in STAGES]
    schedule = optax.join_schedules([optax.constant_schedule(rate) for rate in rates], ends[:-1])
    # beta1 is .99 in the authors' code (.9 in the paper). They add epsilon to the uncorrected root, and their second
    # moments start at one; the difference vanishes within some thousand steps.
    optimizer = optax.inject_hyperparams(optax.adam)(schedule, b1=0.99, b2=0.999, eps=1e-4)

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        mean = jnp.clip(spec.train_mean.reshape(-1), 0.001, 0.999)
        bias_init = jax.nn.initializers.constant(jnp.log(mean) - jnp.log1p(-mean))

        def encoder(latent_dim: int, size: int) -> GaussianEncoder:
            return GaussianEncoder(latent_dim, (size, size), jnp.tanh, kernel_init=GLOROT)

        decoder = Decoder(spec.shape, (200, 200), jnp.tanh, kernel_init=GLOROT, bias_init=bias_init)
        if stochastic_layers == 1:
            network = models.VAE(encoder(50, 200), decoder)
            family = recipes.iwae if objective == "iwae" else recipes.vae
            return family(network, optimizer, num_samples=k)
        hierarchy = models.HierarchicalVAE((encoder(100, 200), encoder(50, 100)), (encoder(100, 100),), decoder)
        deep = recipes.hierarchical_iwae if objective == "iwae" else recipes.hierarchical_vae
        return deep(hierarchy, optimizer, num_samples=k)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.binarize,
        data="mnist",
        batch_size=batch_size,
        steps=steps or math.ceil(ends[-1] / 1000) * 1000,
        evaluate_every=1000,
        checkpoint_every=5000,
        valid_rows=(59600, 60000),
    )
