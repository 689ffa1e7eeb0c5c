"""VAE on statically binarized MNIST under the protocol of pythae's benchmark (Chadebec et al. 2022).

    JAXGEN_DATA=DIR python -m train configs/pythae_vae_mnist_static.py --seeds 5 --num-samples 200

784-400-40-400-784, ReLU, batches of 100, Adam 1e-4 times 10^(-1/5) from epochs 200 and 350 on, 500 epochs, the best
model on validation data. Published: 89.78 nats with 200 importance samples.
"""

import jax
import optax

from jaxgen import models, preprocess, recipes
from jaxgen.optimize import optimizer
from jaxgen.recipe import Recipe
from train.experiment import DataSpec, Experiment, Rate, Size


def experiment(*, learning_rate: Rate = 1e-4, latent_dim: Size = 40, hidden: tuple[Size, ...] = (400,)) -> Experiment:
    """`learning_rate` is that of the first 200 epochs."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        kernel_init = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")  # PyTorch's
        network = models.VAE(
            models.GaussianEncoder(latent_dim, hidden, kernel_init=kernel_init, dtype=spec.dtype),
            models.Decoder(spec.shape, hidden[::-1], kernel_init=kernel_init, dtype=spec.dtype),
        )
        drops = {epoch * spec.steps_per_epoch: 10**-0.2 for epoch in (200, 350)}
        return recipes.vae(network, optimizer("adam", optax.piecewise_constant_schedule(learning_rate, drops)))

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="binarized_mnist",
        batch_size=100,
        steps=500,
        evaluate_every=1,
        checkpoint_every=10,
        unit="epoch",
        select="negative_elbo",
    )
