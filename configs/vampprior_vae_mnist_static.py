"""VAE with the standard prior on statically binarized MNIST: the baseline of the VampPrior (Tomczak & Welling 2018).

    JAXGEN_DATA=DIR python -m train configs/vampprior_vae_mnist_static.py --seeds 5 --num-samples 5000

The authors' protocol: two gated layers of 300 each way, 40 latents, log-variance in [-6, 2], gradients of each tensor
divided by their norm, Adam 5e-4, batches of 100, beta rises over 100 epochs; at most 2,000 epochs, the best model on
validation data after 50 epochs without a better one. Published: 88.56 nats with 5,000 importance samples.
"""

import jax

from jaxgen import models, preprocess, recipes
from jaxgen.optimize import optimizer
from jaxgen.recipe import Recipe
from train.experiment import Count, DataSpec, Experiment, Rate, Size


def experiment(
    *,
    learning_rate: Rate = 5e-4,
    latent_dim: Size = 40,
    hidden: tuple[Size, ...] = (300, 300),
    warmup_epochs: Count = 100,
) -> Experiment:
    """The KL is in closed form here; the authors draw it. Their gates and linear parts are tensors of their own."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        layers = {"gated": True, "kernel_init": jax.nn.initializers.variance_scaling(2.0, "fan_in", "normal")}
        network = models.VAE(
            models.GaussianEncoder(latent_dim, hidden, log_var_range=(-6.0, 2.0), **layers, dtype=spec.dtype),
            models.Decoder(spec.shape, hidden[::-1], **layers, dtype=spec.dtype),
        )
        warmup_steps = warmup_epochs * spec.steps_per_epoch
        return recipes.vae(network, optimizer("adam", learning_rate, normalize=True), warmup_steps=warmup_steps)

    return Experiment(
        recipe=recipe,
        prepare=preprocess.scale,
        data="binarized_mnist",
        batch_size=100,
        steps=2000,
        evaluate_every=1,
        checkpoint_every=10,
        unit="epoch",
        select="negative_elbo",
        patience=50,
    )
