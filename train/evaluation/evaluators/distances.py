"""Distances between samples and test data in the features of a classifier, and memorization of training examples."""

import jax
import numpy as np

from jaxgen import metrics
from train.evaluation.estimates import Measured, single
from train.evaluation.subject import Subject

_NEIGHBOURS = 5


def applies(subject: Subject) -> bool:
    """True if samples are compared with data and there are more examples than neighbours."""
    enough = len(subject.run.dataset.test["x"]) > _NEIGHBOURS
    return enough and subject.run.recipe.sample is not None and subject.options.references is not None


def measure(subject: Subject) -> dict[str, Measured]:
    """Frechet and kernel distance, precision, recall, density, coverage, and nearest neighbours of samples.

    The Frechet distance of training data is reported too. It is a little larger than that of fresh data, since the
    classifier was fitted to the training data. Memorization is the share of samples that are nearer to a training than
    to a test example (Meehan et al. 2020), one half for a model that generalizes. It is measured against as many
    training examples as there are test examples; memorized examples outside this subset are missed.
    """
    references = subject.options.references
    assert references is not None
    features, real, train = references
    fake, name = features.embed(subject.samples[: len(real)]), features.name
    frechet = jax.jit(metrics.frechet_distance)
    found = {
        "frechet_distance": single(frechet(real, fake), name),
        "frechet_distance_of_training_data": single(frechet(real, train), name),
        "kernel_distance": single(jax.jit(metrics.kernel_distance)(real, fake), name),
    }
    prdc = jax.jit(metrics.precision_recall_density_coverage, static_argnames="k")(real, fake, k=_NEIGHBOURS)
    found |= {
        quantity: single(value, name, most=None if quantity == "density" else 1)
        for quantity, value in prdc._asdict().items()
    }
    nearest = jax.jit(metrics.nearest_neighbour_distances)
    to_train, to_test = np.asarray(nearest(fake, train)), np.asarray(nearest(fake, real))
    return found | {
        "nearest_training_example": Measured(to_train, f"of {len(train)}, {name}"),
        "nearest_test_example": Measured(to_test, f"of {len(real)}, {name}"),
        "memorization": Measured(_nearer(to_train, to_test), f"of 1, 0.5 without it, {name}", most=1),
    }


def _nearer(to_train: np.ndarray, to_test: np.ndarray) -> np.ndarray:
    """1 where the nearest training example is nearer than the nearest test example, else 0; a tie is 0.5."""
    return 0.5 * (1.0 + np.sign(to_test - to_train))
