"""Nearest neighbours: fidelity and diversity of samples, and whether they are copies."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.losses._reduce import root
from jaxgen.metrics._pairwise import check_sets, over_rows


class PRDC(NamedTuple):
    """Fidelity (precision, density) and diversity (recall, coverage) of samples; scalars []."""

    #: Share of samples inside a ball of the data, in [0, 1].
    precision: jax.Array
    #: Share of data inside a ball of the samples, in [0, 1].
    recall: jax.Array
    #: Mean number of the data's balls around a sample, over k; not negative, about 1 where the distributions are equal.
    density: jax.Array
    #: Share of the data's balls that hold a sample, in [0, 1].
    coverage: jax.Array


def _squared_radii(points: jax.Array, k: int) -> jax.Array:
    """Squared distance of each point to its k-th neighbour among the others: [N, F] -> [N]."""
    # The nearest of the k + 1 is the point itself. The last is taken out here, for with a slice in the loop XLA sorts
    # whole rows on the CPU (jax 0.10), which is ten times slower.
    nearest = over_rows(lambda distances: jax.lax.top_k(-distances, k + 1)[0], points, points)
    return -nearest[:, -1]


def precision_recall_density_coverage(real: jax.Array, fake: jax.Array, *, k: int = 5) -> PRDC:
    """Shares of samples in, and of data covered by, balls that reach to the k-th neighbour: [N, F], [M, F] -> PRDC.

    Precision is the share of fake points in at least one ball around a real point, recall the reverse (Kynkaanniemi et
    al. 2019, eqs. 1 and 2); density is the mean number of balls around real points that a fake point lies in, over k,
    and coverage the share of real points whose ball holds a fake point (Naeem et al. 2020, section 3). As in the code
    of Naeem et al. a ball is open: it does not hold a copy of the k-th neighbour, and around a point with k copies it
    holds nothing, so do not give it data that mostly repeats itself. Ties count as ties: distances between integers are
    exact. All four are nan where a feature is not finite. They are counts, and have no gradient.

    Raises AssertionError unless both are floating with equal F, ValueError unless 1 <= k < min(N, M).
    """
    check_sets(real, fake)
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
    finite = jnp.all(jnp.isfinite(real)) & jnp.all(jnp.isfinite(fake))  # no comparison would tell
    return PRDC(*(jnp.where(finite, share, jnp.nan) for share in found))


def nearest_neighbour_distances(x: jax.Array, references: jax.Array) -> jax.Array:
    """Euclidean distance of each row of x to its nearest reference: [N, F], [M, F] -> [N].

    To look for copying, compare the distances of samples to the training images with those of the same samples to as
    many held-out images: they are alike unless the model copies, and then the former are smaller. Meehan et al. 2020
    ("A non-parametric test to detect data-copying") compare them with the distances of held-out to training images.
    Neighbours in pixels miss copies that are shifted by one (Theis et al. 2016, section 3.4): use features. The
    derivative is taken as 0 at a copy, and as the mean over references that are equally near. Raises
    AssertionError unless both are floating with equal F.
    """
    check_sets(x, references)

    return root(over_rows(jnp.min, x, references))
