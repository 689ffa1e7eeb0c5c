"""Metrics of sets of samples: arrays in, values out.

A set is `[N, F]`, with flattened events; images are given as features, or as pixels where the docstring allows it.
Scores of a set are `[N]`. A metric belongs to the whole set: it is not the mean of its values over batches or devices.
The exception is Bayes' rule, which works row by row. Everything is computed in float32. Shapes and dtypes are checked
when a function is traced. Wrap functions that are called repeatedly in `jax.jit`.
"""

from jaxgen.metrics.auroc import (
    auroc,
)
from jaxgen.metrics.bayes import (
    bayes_posterior,
)
from jaxgen.metrics.coverage import (
    ModeCoverage,
    modes_covered,
)
from jaxgen.metrics.density_weights import (
    density_weights,
)
from jaxgen.metrics.distances import (
    frechet_distance,
    kernel_distance,
)
from jaxgen.metrics.neighbours import (
    PRDC,
    nearest_neighbour_distances,
    precision_recall_density_coverage,
)
from jaxgen.metrics.parzen import (
    parzen_log_likelihood,
)
from jaxgen.metrics.two_sample import (
    TwoSampleTest,
    mmd_permutation_test,
)

__all__ = [
    "PRDC",
    "ModeCoverage",
    "TwoSampleTest",
    "auroc",
    "bayes_posterior",
    "density_weights",
    "frechet_distance",
    "kernel_distance",
    "mmd_permutation_test",
    "modes_covered",
    "nearest_neighbour_distances",
    "parzen_log_likelihood",
    "precision_recall_density_coverage",
]
