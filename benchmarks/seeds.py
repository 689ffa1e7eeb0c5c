"""Steps of five seeds in one compiled call against those of one seed: a VAE 784-400-20 and a DCGAN.

    python -m benchmarks.seeds [--steps 200]

An accelerator vmaps the seeds, a CPU takes them one after the other. Five seeds that cost as one are 5x.
"""

import argparse

import jax
import numpy as np
import optax

from benchmarks import alternate, compiled, record
from jaxgen import models, preprocess, recipes
from jaxgen.recipe import Recipe

SEEDS, BATCH = 5, 128
IMAGES = np.random.default_rng(0).integers(0, 256, (6000, 28, 28, 1), dtype=np.uint8)


def vae() -> Recipe:
    """A VAE of dense layers."""
    network = models.VAE(models.GaussianEncoder(20, (400,)), models.Decoder((28, 28, 1), (400,)))
    return recipes.vae(network, optax.adam(1e-3))


def dcgan() -> Recipe:
    """A DCGAN with batch norm."""
    networks = models.DCGANGenerator((28, 28, 1)), models.DCGANDiscriminator()
    return recipes.gan(*networks, optax.adam(2e-4), optax.adam(2e-4), latent_dim=100)


def main() -> None:
    """Print the seconds of each and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=200)
    steps = parser.parse_args().steps
    print(f"jax {jax.__version__} on {jax.devices()[0].device_kind}, {steps} steps a turn")
    measured = {}
    for name, recipe, prepare in (("VAE", vae(), preprocess.binarize), ("DCGAN", dcgan(), preprocess.scale_symmetric)):
        sizes = {"batch_size": BATCH, "num": steps, "steps_per_call": min(steps, 50)}
        turns = {str(seeds): compiled.steps_of(recipe, prepare, IMAGES, seeds=seeds, **sizes) for seeds in (1, SEEDS)}
        taken = measured[name] = alternate.seconds(turns)
        print(f"  {name}: {SEEDS} seeds cost {taken[str(SEEDS)] / taken['1']:.2f} of one, "
              f"{SEEDS * taken['1'] / taken[str(SEEDS)]:.2f}x")  # fmt: skip
    record.write("seeds", {"steps": steps, "seconds": measured})


if __name__ == "__main__":
    main()
