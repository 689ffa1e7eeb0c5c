"""Nearest neighbours: fidelity and diversity of samples, and memorization."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen._checks import check
from jaxgen.losses._reduce import root
from jaxgen.metrics._pairwise import over_rows


class PRDC(NamedTuple):
    """Fidelity (precision, density) and diversity (recall, coverage) of samples; scalars []."""

    #: Share of samples inside a ball of the data, in [0, 1].
    precision: jax.Array
    #: Share of data inside a ball of the samples, in [0, 1].
    recall: jax.Array
    #: Mean number of balls of the data that contain a sample, over k; about 1 for equal distributions.
    density: jax.Array
    #: Share of balls of the data that contain a sample, in [0, 1].
    coverage: jax.Array


def _squared_radii(points: jax.Array, k: int) -> jax.Array:
    """Squared distance of each point to its k-th nearest neighbour: [N, F] -> [N]."""
    # The nearest of the k + 1 is the point itself. The slice stays outside the loop: inside, XLA would sort whole rows
    # on the CPU (jax 0.10), ten times slower.
    nearest = over_rows(lambda distances: jax.lax.top_k(-distances, k + 1)[0], points, points)
    return -nearest[:, -1]


def precision_recall_density_coverage(real: jax.Array, fake: jax.Array, *, k: int = 5) -> PRDC:
    """Precision, recall, density and coverage by balls of k-th neighbours: [N, F], [M, F] -> PRDC.

    Precision is the share of fake points in at least one ball around a real point, recall the reverse (Kynkaanniemi et
    al. 2019, eqs. 1 and 2); density is the mean number of balls around real points that contain a fake point, over k,
    and coverage the share of real points whose ball contains a fake point (Naeem et al. 2020, section 3). As in the
    code of Naeem et al. balls are open: a ball does not contain a duplicate of the k-th neighbour, and around a point
    with k duplicates it is empty, so these metrics are unsuited to data with many duplicates. Distances between
    integers, and so ties, are exact. All four are nan if a feature is not finite. They are counts, and have no
    gradient.

    Raises AssertionError unless both are floating with equal F, ValueError unless 1 <= k < min(N, M).
    """
    check("precision_recall_density_coverage", real=(real, "float [N, F]"), fake=(fake, "float [M, F]"))
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(f"k must be at least 1 and less than the {min(len(real), len(fake))} points, got {k}")

    radii_real, radii_fake = _squared_radii(real, k), _squared_radii(fake, k)
    num_balls = over_rows(lambda distances: jnp.sum(distances < radii_real), fake, real)
    in_a_ball, closest = over_rows(lambda distances: (jnp.any(distances < radii_fake), jnp.min(distances)), real, fake)
    found = PRDC(
        precision=jnp.mean(num_balls > 0, dtype=jnp.float32),
        recall=jnp.mean(in_a_ball, dtype=jnp.float32),
        density=jnp.mean(num_balls, dtype=jnp.float32) / k,
        coverage=jnp.mean(closest < radii_real, dtype=jnp.float32),
    )
    finite = jnp.all(jnp.isfinite(real)) & jnp.all(jnp.isfinite(fake))  # comparisons with nan are false
    return PRDC(*(jnp.where(finite, share, jnp.nan) for share in found))


def nearest_neighbour_distances(x: jax.Array, references: jax.Array) -> jax.Array:
    """Euclidean distance from each row of x to its nearest reference: [N, F], [M, F] -> [N].

    To detect memorization, compare the distances from samples to training images with those from the same samples to
    as many held-out images: the former are smaller if the model memorizes. Meehan et al. 2020 ("A non-parametric test
    to detect data-copying") compare them with the distances from held-out to training images. Neighbours in pixel space
    miss copies shifted by one pixel (Theis et al. 2016, section 3.4): use features. The derivative is 0 at a distance
    of 0, and the mean over equally near references. Raises AssertionError unless both are floating with equal F.
    """
    check("nearest_neighbour_distances", x=(x, "float [N, F]"), references=(references, "float [M, F]"))

    return root(over_rows(jnp.min, x, references))
