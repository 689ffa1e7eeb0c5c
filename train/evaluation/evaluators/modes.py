"""Mode coverage of a known Gaussian mixture (Srivastava et al. 2017; Lin et al. 2018)."""

import jax
import jax.numpy as jnp

from jaxgen import metrics
from train.data import MIXTURES
from train.evaluation.estimates import Measured, single
from train.evaluation.subject import Subject


def applies(subject: Subject) -> bool:
    """True if the data is a mixture with known components."""
    is_mixture = subject.run.dataset.source in MIXTURES
    return is_mixture and subject.run.recipe.sample is not None and subject.options.references is not None


def measure(subject: Subject) -> dict[str, Measured]:
    """Covered modes, the share of samples near one, and the reverse KL over modes."""
    centers, std = MIXTURES[subject.run.dataset.source]
    found = jax.jit(metrics.modes_covered)(subject.samples, jnp.asarray(centers, jnp.float32), std)
    return {
        "modes": single(found.modes, f"of {len(centers)}", most=len(centers)),
        "high_quality": single(found.high_quality, "of 1", most=1),
        "mode_reverse_kl": single(found.reverse_kl, "nats"),
    }
