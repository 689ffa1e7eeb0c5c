"""The area under the curve against scikit-learn's in float64, with ties, and at its ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from jaxgen import metrics

RNG = np.random.default_rng(21)
auroc = jax.jit(metrics.auroc)


def by_the_curve(scores_in, scores_out):
    return roc_auc_score(np.repeat([0, 1], [len(scores_in), len(scores_out)]), np.concatenate([scores_in, scores_out]))


@pytest.mark.parametrize("levels", [2, 10, 10**6])
@pytest.mark.parametrize(("num_in", "num_out"), [(1, 1), (300, 7), (40, 900)])
def test_values_with_and_without_ties(levels, num_in, num_out):
    scores_in = np.float32(RNG.integers(0, levels, num_in)) - 3
    scores_out = np.float32(RNG.integers(0, levels, num_out)) * 1.2 - 3
    scores_out = np.round(scores_out).astype(np.float32)
    np.testing.assert_allclose(auroc(scores_in, scores_out), by_the_curve(scores_in, scores_out), rtol=1e-5)


def test_more_pairs_than_float32_counts():
    # 2.5e9 pairs; the two normals' true value is Phi(1 / sqrt 2).
    scores_in, scores_out = np.float32(RNG.normal(size=50_000)), np.float32(RNG.normal(size=50_000) + 1)
    found = auroc(scores_in, scores_out)
    np.testing.assert_allclose(found, by_the_curve(scores_in, scores_out), rtol=1e-5)
    np.testing.assert_allclose(found, 0.7602, atol=0.006)  # 4 standard errors of Hanley & McNeil


def test_its_ends_and_its_middle():
    low, high = jnp.arange(5.0), jnp.arange(10.0, 13.0)
    assert auroc(low, high) == 1
    assert auroc(high, low) == 0
    assert auroc(low, low) == 0.5
    assert auroc(jnp.ones(4), jnp.ones(3)) == 0.5
    assert auroc(low, jnp.full(3, jnp.inf)) == 1
    assert jnp.isnan(auroc(low, jnp.array([1.0, jnp.nan])))
    assert jnp.isnan(auroc(jnp.array([1.0, jnp.nan]), low))
