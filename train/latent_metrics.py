"""What a model's latent space is worth: how like the prior its codes are, and what is decoded from where.

The columns of Ghosh et al. 2020, table 1, and the distance that a Wasserstein autoencoder is trained for.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import losses, metrics
from jaxgen.recipe import PyTree
from jaxgen.recipes.wae import SCALES
from train import latent_density
from train.features import Features
from train.sample_metrics import Measured, stored, value
from train.trained import Trained

_MOST = 10_000  # examples on either side of a distance between images
_MOST_CODES = 1000  # of the permutation test, which holds all pairs


def measure(run: Trained, model: PyTree, key: jax.Array, features: Features) -> dict[str, Measured]:
    """All of them, for a model that encodes and decodes, on at most 10,000 test examples."""
    keys = dict(
        zip(("test", "train", "codes", "prior", "permutations", "pairs"), jax.random.split(key, 6), strict=True)
    )
    test = {leaf: array[:_MOST] for leaf, array in run.dataset.test.items()}
    x, y = test["x"], test.get("y")
    z = latent_density.encode(run, model, keys["test"], x, y)
    of_training_data = latent_density.of_training_data(run, model, keys["train"])
    others = np.asarray(jax.random.permutation(keys["pairs"], len(z)))
    origins = {
        "reconstructions": (z, y),
        "normal": (np.asarray(jax.random.normal(keys["prior"], z.shape)), y),
        "gaussian": latent_density.fit("gaussian", of_training_data, seed=0)(len(z)),
        "gmm": latent_density.fit("gmm", of_training_data, seed=0)(len(z)),
        "interpolations": (0.5 * (z + z[others]), y),
    }
    real, frechet = features.embed(stored(x)), jax.jit(metrics.frechet_distance)
    found = {}
    for name, (codes, labels) in origins.items():
        decoded = latent_density.decode(run, model, codes, labels)
        found[f"frechet_distance_of_{name}"] = value(frechet(real, features.embed(decoded)), features.name)
    few = latent_density.draw_codes(run, model, keys["codes"], x[:_MOST_CODES], None if y is None else y[:_MOST_CODES])
    return found | _against_prior(keys["permutations"], jnp.asarray(few))


def _against_prior(key: jax.Array, z: jax.Array) -> dict[str, Measured]:
    """The aggregate posterior against N(0, I), under the kernel that Tolstikhin et al. 2018 train with."""
    key_prior, key_test = jax.random.split(key)
    kernel = losses.inverse_multiquadric([2 * z.shape[1] * scale for scale in SCALES])
    test = jax.jit(metrics.mmd_permutation_test, static_argnames=("kernel", "num_permutations"))
    found = test(key_test, z, jax.random.normal(key_prior, z.shape), kernel=kernel)
    return {
        "mmd_to_prior": value(found.mmd, f"of MMD^2, {len(z)} codes"),
        "mmd_p_value": value(found.p_value, "by permutations"),
    }
