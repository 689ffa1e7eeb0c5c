"""Distribution of predicted classes among samples."""

import numpy as np

from train.evaluation.estimates import Measured, single
from train.evaluation.subject import Subject


def applies(subject: Subject) -> bool:
    """True if samples are compared in the features of a classifier and the data has labels."""
    references, run = subject.options.references, subject.run
    if references is None or run.recipe.sample is None or run.dataset.spec.num_classes is None:
        return False
    return references.features.classify is not None


def measure(subject: Subject) -> dict[str, Measured]:
    """The number of classes among samples, and KL(samples || training data) over classes."""
    references, y, num_classes = subject.options.references, subject.run.dataset.train["y"], _num_classes(subject)
    assert references is not None
    assert references.features.classify is not None
    counts = np.bincount(references.features.classify(subject.samples), minlength=num_classes)
    p, q = counts / counts.sum(), np.bincount(y, minlength=num_classes) / len(y)
    seen = p > 0
    with np.errstate(divide="ignore"):
        reverse_kl = np.sum(p[seen] * np.log(p[seen] / q[seen]))
    return {
        "classes": single(seen.sum(), f"of {num_classes}, {references.features.name}", most=num_classes),
        "class_reverse_kl": single(reverse_kl, "nats"),
    }


def _num_classes(subject: Subject) -> int:
    num_classes = subject.run.dataset.spec.num_classes
    assert num_classes is not None
    return num_classes
