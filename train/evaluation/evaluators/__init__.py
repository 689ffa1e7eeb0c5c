"""Evaluators, one a file: `applies(subject)` says whether a metric applies, `measure(subject)` computes it."""

from train.evaluation.evaluators import (
    accuracy,
    annealed,
    classes,
    codes,
    detection,
    distances,
    likelihood,
    matching,
    modes,
    parzen,
    per_example,
    probes,
)

EVALUATORS = (
    per_example,
    likelihood,
    annealed,
    accuracy,
    matching,
    modes,
    classes,
    distances,
    parzen,
    codes,
    detection,
    probes,
)
