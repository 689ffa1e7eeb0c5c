"""Evaluators, a file each: `applies(subject)` says whether a run can be measured so, and `measure(subject)` does."""

from train.evaluation.evaluators import accuracy, classes, codes, distances, likelihood, modes, parzen, per_example

EVALUATORS = (per_example, likelihood, accuracy, modes, classes, distances, parzen, codes)
