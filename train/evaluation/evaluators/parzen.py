"""Parzen-window log-likelihood of test data, for models without a likelihood."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import metrics
from train.data import spread
from train.evaluation.estimates import Measured, single
from train.evaluation.samples import MOST, as_float
from train.evaluation.subject import Subject

_STDS = np.logspace(-1, 0, 10)  # as in Goodfellow et al. 2014 and Breuleux et al. 2011
_FEWEST = 6  # test examples, as for the distances between sets


def applies(subject: Subject) -> bool:
    """True if data in [0, 1] is compared with samples of a model without log p(x)."""
    run = subject.run
    in_unit_interval = run.dataset.spec.unit_interval and len(run.dataset.test["x"]) >= _FEWEST
    samples = run.recipe.sample is not None and subject.options.references is not None
    return samples and in_unit_interval and run.recipe.log_prob is None


def measure(subject: Subject) -> dict[str, Measured]:
    """Log-likelihood of each test example in nats, with the window width that is best on validation data."""
    dataset = subject.run.dataset
    sets = _few(dataset.test["x"], MOST), _few(dataset.valid["x"], 1000), subject.samples[:MOST]
    test, valid, samples = (jnp.asarray(x.reshape(len(x), -1)) for x in sets)
    window = jax.jit(metrics.parzen_log_likelihood)
    means = [window(valid, samples, std=jnp.float32(std)).mean() for std in _STDS]
    std = _STDS[int(np.argmax(means))]
    found = window(test, samples, std=jnp.float32(std))
    return {
        "parzen_log_likelihood": Measured(np.asarray(found), "nats, a poor measure"),
        "parzen_window": single(std, "of a pixel's range"),
    }


def _few(x: np.ndarray, most: int) -> np.ndarray:
    return as_float(x[spread(len(x), most)])
