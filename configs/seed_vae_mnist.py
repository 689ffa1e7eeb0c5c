"""VAE of the article on generative interpolation: softplus activations, a unit-variance Gaussian over pixels.

    JAXGEN_DATA=DIR python -m train configs/seed_vae_mnist.py --beta 0.0078125

Its code sums half the squared error over the batch of 128 but takes the KL per example, so beta is 1/128: this gives
the figures of the article, with the command above. `--beta 1` is the model described in its text. 2 CPU cores: at most
5 minutes. Reached: squared error 5.88 [5.81, 5.95] per image, 23.33 at beta 1 (docs/results/seed_article.md).
"""

import jax
import optax

from jaxgen import likelihood, models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    latent_dim: Size = 20,
    hidden: tuple[Size, ...] = (500, 500),
    beta: Weight = 1 / 128,
) -> Experiment:
    """784-500-500-Z-500-500-784, Xavier initialisation, Adam, 20 epochs of the last 55,000 images."""

    def recipe(spec: DataSpec) -> Recipe:
        xavier, softplus = jax.nn.initializers.glorot_uniform(), jax.nn.softplus
        network = models.VAE(
            models.GaussianEncoder(latent_dim, hidden, softplus, kernel_init=xavier, dtype=spec.dtype),
            models.Decoder(
                spec.shape, hidden[::-1], softplus, output_activation=softplus, kernel_init=xavier, dtype=spec.dtype
            ),
        )
        optimizer = optax.inject_hyperparams(optax.adam)(learning_rate)
        return recipes.vae(network, optimizer, likelihood=likelihood.fixed_gaussian(), beta=beta)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="mnist",
        batch_size=128,
        steps=8580,
        evaluate_every=390,
        checkpoint_every=1950,
        valid_rows=(0, 5000),
    )
