"""How well a score tells outliers from inliers."""

import chex
import jax
import jax.numpy as jnp


def auroc(scores_in: jax.Array, scores_out: jax.Array) -> jax.Array:
    """The probability that an outlier's score lies above an inlier's, ties counted half: [N], [M] -> [], in [0, 1].

    The area under the curve of hits over false alarms is this probability (Hanley & McNeil 1982, section III). By
    sorting, in memory that grows with N + M; nan where a score is. Raises AssertionError unless both are floating.
    """
    chex.assert_rank([scores_in, scores_out], 1)
    chex.assert_type([scores_in, scores_out], float)
    scores_in, scores_out = jnp.asarray(scores_in, jnp.float32), jnp.asarray(scores_out, jnp.float32)

    ordered = jnp.sort(scores_in)
    below = jnp.searchsorted(ordered, scores_out, side="left")
    not_above = jnp.searchsorted(ordered, scores_out, side="right")
    # Of each outlier first, as the number of pairs may have no float32.
    area = jnp.mean((below + not_above).astype(jnp.float32) / (2 * len(scores_in)))
    # A sort puts nan last, which would make it the surest of outliers.
    return jnp.where(jnp.any(jnp.isnan(scores_in)) | jnp.any(jnp.isnan(scores_out)), jnp.nan, area)
