"""VAE on points of the plane, with a Gaussian whose mean and variance the decoder gives.

    python -m train configs/points_vae.py --data ring

Kingma & Welling 2014, appendix C.2. One of the generators of `python -m train study world_map`, whose page has the
number that it reaches there (docs/seeds/002_overview.md).
"""

import optax

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    decay_steps: Size = 10000,
    latent_dim: Size = 2,
    hidden: tuple[Size, ...] = (128, 128),
) -> Experiment:
    """The learning rate falls to 0 along a cosine over `decay_steps`."""

    def recipe(spec: DataSpec) -> Recipe:
        network = models.VAE(
            models.GaussianEncoder(latent_dim, hidden, dtype=spec.dtype),
            models.Decoder((*spec.shape, 2), hidden[::-1], dtype=spec.dtype),
        )
        rule = optax.inject_hyperparams(optax.adam)(optax.cosine_decay_schedule(learning_rate, decay_steps))
        return recipes.vae(network, rule, likelihood=likelihood.gaussian)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="ring",
        batch_size=256,
        steps=10000,
        evaluate_every=1000,
        checkpoint_every=2000,
    )
