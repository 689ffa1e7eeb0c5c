"""Area under the ROC curve of an out-of-distribution score."""

import jax
import jax.numpy as jnp

from jaxgen._checks import check


def auroc(scores_in: jax.Array, scores_out: jax.Array) -> jax.Array:
    """AUROC of in-distribution scores against higher out-of-distribution scores: [N], [M] -> [], in [0, 1].

    It is the probability that an out-of-distribution score exceeds an in-distribution score, ties counted half (Hanley
    & McNeil 1982, section III). Computed by sorting, in memory O(N + M); nan if any score is nan. Raises AssertionError
    unless both are floating.
    """
    check("auroc", scores_in=(scores_in, "float [N]"), scores_out=(scores_out, "float [M]"))

    scores_in, scores_out = jnp.asarray(scores_in, jnp.float32), jnp.asarray(scores_out, jnp.float32)

    ordered = jnp.sort(scores_in)
    below = jnp.searchsorted(ordered, scores_out, side="left")
    not_above = jnp.searchsorted(ordered, scores_out, side="right")
    # Divided before the mean, as float32 may not represent the number of pairs.
    area = jnp.mean((below + not_above).astype(jnp.float32) / (2 * len(scores_in)))
    # Sorting puts nan last, as the most out-of-distribution score.
    return jnp.where(jnp.any(jnp.isnan(scores_in)) | jnp.any(jnp.isnan(scores_out)), jnp.nan, area)
