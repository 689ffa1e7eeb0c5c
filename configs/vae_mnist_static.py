"""VAE on statically binarized MNIST, with the network and budget of flax's VAE example.

    JAXGEN_DATA=DIR python -m train configs/vae_mnist_static.py --seeds 5

Kingma & Welling 2014; 784-500-20-500-784, ReLU, Adam 1e-3, batch 128, 20 epochs of the 50,000. 2 CPU cores: about a
minute per seed. Reached: negative ELBO 101.54 nats [101.41, 101.67], importance-weighted NLL 96.03 nats (5 seeds,
docs/results/vae_mnist_static.json); flax's example, which publishes no number, reached 101.3 to 101.6 when run here
for the same 20 of its 30 epochs.
"""

import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    latent_dim: Size = 20,
    hidden: tuple[Size, ...] = (500,),
    beta: Weight = 1.0,
) -> Experiment:
    """Train on statically binarized images, so that results are comparable with published tables."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        network = models.VAE(
            models.GaussianEncoder(latent_dim, hidden, dtype=spec.dtype),
            models.Decoder(spec.shape, hidden[::-1], dtype=spec.dtype),
        )
        return recipes.vae(network, optax.inject_hyperparams(optax.adam)(learning_rate), beta=beta)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="binarized_mnist",
        batch_size=128,
        steps=7800,
        evaluate_every=390,
        checkpoint_every=1950,
    )
