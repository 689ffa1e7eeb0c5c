"""Latent-space quality: distance of the codes from the prior, and of decodings from the data.

The columns of Ghosh et al. 2020, table 1, and the distance that a Wasserstein autoencoder minimizes.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import losses, metrics
from train.data import spread
from train.evaluation import code_density
from train.evaluation.estimates import Measured, single
from train.evaluation.subject import Subject

_MOST_DIMENSIONS = 64
_MOST_CODES = 1000  # of the permutation test, which holds all pairs


def applies(subject: Subject) -> bool:
    """True if the recipe encodes and decodes vectors below 64 dimensions, to which a mixture is quickly fitted."""
    recipe, encode = subject.run.recipe, subject.run.recipe.encode
    if encode is None or recipe.decode is None or subject.options.references is None:
        return False
    few = {name: array[:2] for name, array in subject.test.prepared.items()}
    z = jax.eval_shape(lambda batch: encode(subject.model, batch["x"], y=batch.get("y")), few)
    return z.ndim == 2 and z.shape[1] < _MOST_DIMENSIONS


def measure(subject: Subject) -> dict[str, Measured]:
    """Frechet distances of decodings from several origins, and the MMD of the aggregate posterior to the prior.

    Reconstructions are compared with the test examples they reconstruct, so that perfect ones are at distance 0.
    Decodings of other codes are samples: perfect ones would be at the distance of training data.
    """
    run, model, key, against = subject.run, subject.model, subject.key_codes, subject.options.references
    assert against is not None
    names = ("test", "train", "codes", "prior", "permutations", "pairs")
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    x, y = _rows(run.dataset.test, len(against.real))
    z = code_density.encode(run, model, keys["test"], x, y)
    training_codes = code_density.encode_training_data(run, model, keys["train"])
    others = np.asarray(jax.random.permutation(keys["pairs"], len(z)))
    origins = {
        "reconstructions": (z, y),
        "normal": (np.asarray(jax.random.normal(keys["prior"], z.shape)), y),
        "gaussian": code_density.fit("gaussian", training_codes)(len(z), 0),
        "gmm": code_density.fit("gmm", training_codes)(len(z), 0),
        "interpolations": (0.5 * (z + z[others]), y),
    }
    features, frechet = against.features, jax.jit(metrics.frechet_distance)
    found = {}
    for name, (codes, labels) in origins.items():
        decoded = features.embed(code_density.decode(run, model, codes, labels))
        found[f"frechet_distance_of_{name}"] = single(frechet(against.real, decoded), features.name)
    few = code_density.draw_codes(run, model, keys["codes"], *_rows(run.dataset.test, _MOST_CODES))
    return found | _against_prior(keys["permutations"], jnp.asarray(few))


def _rows(examples: Mapping[str, np.ndarray], num: int) -> tuple[np.ndarray, np.ndarray | None]:
    """x and y of at most `num` rows, spread over a set."""
    rows = spread(len(examples["x"]), num)
    return examples["x"][rows], examples["y"][rows] if "y" in examples else None


def _against_prior(key: jax.Array, z: jax.Array) -> dict[str, Measured]:
    """MMD between the aggregate posterior and N(0, I), under the kernel of Tolstikhin et al. 2018."""
    key_prior, key_test = jax.random.split(key)
    kernel = losses.latent_kernel(z.shape[1])
    test = jax.jit(metrics.mmd_permutation_test, static_argnames=("kernel", "num_permutations"))
    found = test(key_test, z, jax.random.normal(key_prior, z.shape), kernel=kernel)
    return {
        "mmd_to_prior": single(found.mmd, f"of MMD^2, {len(z)} codes"),
        "mmd_p_value": single(found.p_value, "by permutations")._replace(is_p_value=True),
    }
