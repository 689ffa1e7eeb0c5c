"""Importance sampling in chunks: the bound of all samples, whatever the chunks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxgen.importance import log_marginal


@pytest.mark.parametrize("num_samples", [1, 7, 64, 65, 130, 500])
def test_chunks_change_nothing(num_samples):
    drawn = []

    def log_weights(key, num):
        weights = 3 * jax.random.normal(key, (num, 4))
        jax.debug.callback(lambda seen: drawn.append(np.asarray(seen)), weights)
        return weights

    found = log_marginal(jax.random.key(0), log_weights, num_samples)
    jax.effects_barrier()

    weights = np.concatenate(drawn).astype(np.float64)
    assert weights.shape == (num_samples, 4)
    assert len(np.unique(weights)) == weights.size  # no chunk repeats another
    assert max(len(chunk) for chunk in drawn) <= 64
    np.testing.assert_allclose(found, special.logsumexp(weights, axis=0) - np.log(num_samples), rtol=1e-5, atol=1e-5)


def test_it_is_jit_able():
    found = jax.jit(lambda key: log_marginal(key, lambda key, num: jnp.full((num, 3), 2.5), 500))(jax.random.key(0))

    np.testing.assert_allclose(found, 2.5, rtol=1e-6)


@pytest.mark.parametrize("num_samples", [0, -1])
def test_no_samples_are_refused(num_samples):
    with pytest.raises(ValueError, match=f"num_samples must be positive, got {num_samples}"):
        log_marginal(jax.random.key(0), lambda key, num: jnp.zeros((num, 3)), num_samples)
