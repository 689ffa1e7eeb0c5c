"""What a model's latent space is worth: how like the prior its codes are, and what is decoded from where.

The columns of Ghosh et al. 2020, table 1, and the distance that a Wasserstein autoencoder is trained for.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import losses, metrics
from jaxgen.recipe import PyTree
from train import latent_density
from train.data import spread
from train.sample_metrics import Measured, References, value
from train.trained import Trained

_MOST_CODES = 1000  # of the permutation test, which holds all pairs


def measure(run: Trained, model: PyTree, key: jax.Array, against: References) -> dict[str, Measured]:
    """All of them, for a model that encodes and decodes, with the test examples that `against` holds.

    Reconstructions are of those very examples, so that perfect ones are at distance 0; what is decoded from other codes
    is a sample beside a sample, and perfect ones would be as far as training data is.
    """
    names = ("test", "train", "codes", "prior", "permutations", "pairs")
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    x, y = _rows(run.dataset.test, len(against.real))
    z = latent_density.encode(run, model, keys["test"], x, y)
    of_training_data = latent_density.of_training_data(run, model, keys["train"])
    others = np.asarray(jax.random.permutation(keys["pairs"], len(z)))
    origins = {
        "reconstructions": (z, y),
        "normal": (np.asarray(jax.random.normal(keys["prior"], z.shape)), y),
        "gaussian": latent_density.fit("gaussian", of_training_data)(len(z), 0),
        "gmm": latent_density.fit("gmm", of_training_data)(len(z), 0),
        "interpolations": (0.5 * (z + z[others]), y),
    }
    features, frechet = against.features, jax.jit(metrics.frechet_distance)
    found = {}
    for name, (codes, labels) in origins.items():
        decoded = features.embed(latent_density.decode(run, model, codes, labels))
        found[f"frechet_distance_of_{name}"] = value(frechet(against.real, decoded), features.name)
    few = latent_density.draw_codes(run, model, keys["codes"], *_rows(run.dataset.test, _MOST_CODES))
    return found | _against_prior(keys["permutations"], jnp.asarray(few))


def _rows(examples: Mapping[str, np.ndarray], num: int) -> tuple[np.ndarray, np.ndarray | None]:
    """X and y of at most `num` rows from all over a set."""
    rows = spread(len(examples["x"]), num)
    return examples["x"][rows], examples["y"][rows] if "y" in examples else None


def _against_prior(key: jax.Array, z: jax.Array) -> dict[str, Measured]:
    """The aggregate posterior against N(0, I), under the kernel that Tolstikhin et al. 2018 train with."""
    key_prior, key_test = jax.random.split(key)
    kernel = losses.latent_kernel(z.shape[1])
    test = jax.jit(metrics.mmd_permutation_test, static_argnames=("kernel", "num_permutations"))
    found = test(key_test, z, jax.random.normal(key_prior, z.shape), kernel=kernel)
    return {
        "mmd_to_prior": value(found.mmd, f"of MMD^2, {len(z)} codes"),
        "mmd_p_value": value(found.p_value, "by permutations")._replace(is_p_value=True),
    }
