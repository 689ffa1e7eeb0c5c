"""Convolutional VAE on faces: Frey's film of one face (Roweis), or the 40 people of Olivetti.

    JAXGEN_DATA=DIR python -m train configs/vae_faces.py
    JAXGEN_DATA=DIR python -m train configs/vae_faces.py --data olivetti_faces --latent-dim 8 --steps 1000

Kingma & Welling 2014 trained on the first. The second holds out people: 36 faces say little of another, as the
reconstructions show. 2 CPU cores: 2 minutes. Reached on the first: negative ELBO -240.54 nats [-241.69, -239.24] of
density (docs/results/vae_faces.json).
"""

import jax
import optax

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Seed, Size, Weight


def experiment(
    *,
    seed: Seed = 0,
    seeds: Size = 1,
    steps: Size = 3000,
    batch_size: Size = 100,
    learning_rate: Rate = 1e-3,
    data: str = "frey_faces",
    latent_dim: Size = 4,
    channels: tuple[Size, ...] = (32, 64),
    hidden: tuple[Size, ...] = (256,),
    std: Rate = 0.25,
    beta: Weight = 1.0,
) -> Experiment:
    """A Gaussian of width `std` over grey values, the smaller the sharper and the more code is spent.

    1,565 images are at most log 1,565 = 7.4 nats apart: a KL far above that leaves holes in the prior.
    """

    def recipe(spec: DataSpec) -> Recipe:
        # From the mean on: else a latent dimension is spent on being bright, and half of its prior is never used.
        mean = jax.nn.initializers.constant(spec.train_mean.mean(axis=(0, 1)))
        network = models.VAE(
            models.GaussianEncoder(latent_dim, hidden, channels=channels),
            models.Decoder(spec.shape, hidden[::-1], channels=channels[::-1], bias_init=mean),
        )
        optimizer = optax.inject_hyperparams(optax.adam)(learning_rate)
        return recipes.vae(network, optimizer, likelihood=likelihood.fixed_gaussian(std), beta=beta)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data=data,
        batch_size=batch_size,
        steps=steps,
        seed=seed,
        seeds=seeds,
        evaluate_every=200,
        checkpoint_every=1000,
    )
