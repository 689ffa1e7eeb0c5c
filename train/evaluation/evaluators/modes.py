"""Modes of a Gaussian mixture that samples cover, as Lin et al. 2018 and Srivastava et al. 2017 count them."""

import jax
import jax.numpy as jnp

from jaxgen import metrics
from train.data import MIXTURES
from train.evaluation.estimates import Measured, single
from train.evaluation.subject import Subject


def applies(subject: Subject) -> bool:
    """Where the data is a mixture whose components are known."""
    is_mixture = subject.run.dataset.source in MIXTURES
    return is_mixture and subject.run.recipe.sample is not None and subject.options.references is not None


def measure(subject: Subject) -> dict[str, Measured]:
    """Covered modes, the share of samples near one, and the reverse KL over modes."""
    centers, std = MIXTURES[subject.run.dataset.source]
    found = jax.jit(metrics.modes_covered)(subject.samples, jnp.asarray(centers, jnp.float32), std)
    return {
        "modes": single(found.modes, f"of {len(centers)}"),
        "high_quality": single(found.high_quality, "of 1"),
        "mode_reverse_kl": single(found.reverse_kl, "nats"),
    }
