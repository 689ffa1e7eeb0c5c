"""VAE on dynamically binarized MNIST (Kingma & Welling 2014).

    JAXGEN_DATA=DIR python -m train configs/vae_mnist.py --seeds 3

2 CPU cores: 12 minutes for 3 seeds, under other load. Reached: negative ELBO 96.06 nats [95.34, 96.79],
importance-weighted NLL 90.25 nats (3 seeds, docs/results/vae_mnist.json). Binarization as in Burda et al. 2016,
section 5; the numbers are not comparable with those on statically binarized images.
"""

import optax

from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe
from train.experiment import Count, DataSpec, Experiment, Rate, Size, Weight


def experiment(
    *,
    learning_rate: Rate = 1e-3,
    latent_dim: Size = 40,
    hidden: tuple[Size, ...] = (400, 400),
    beta: Weight = 1.0,
    free_bits: Weight = 0.0,
    warmup_steps: Count = 0,
    conditional: bool = False,
    elbo_samples: Size = 1,
) -> Experiment:
    """Objective options; `conditional` conditions on the class. Also for `--data fashion_mnist` and `digits`."""

    def recipe(spec: DataSpec) -> Recipe:
        spec.require_unit_interval("a Bernoulli likelihood")
        if conditional and spec.num_classes is None:
            raise ValueError("--conditional needs labels")
        network = models.VAE(
            models.GaussianEncoder(latent_dim, hidden, dtype=spec.dtype),
            models.Decoder(spec.shape, hidden[::-1], dtype=spec.dtype),
            num_classes=spec.num_classes if conditional else None,
        )
        return recipes.vae(
            network,
            optax.inject_hyperparams(optax.adam)(learning_rate),
            beta=beta,
            minimum_kl=free_bits,
            warmup_steps=warmup_steps,
            num_samples=elbo_samples,
        )

    return Experiment(
        recipe=recipe,
        prepare=preprocess.binarize,
        data="mnist",
        batch_size=128,
        steps=20000,
        evaluate_every=1000,
        checkpoint_every=5000,
    )
