"""The permutation test: right as often as it says where there is no difference, and sharp where there is one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import losses, metrics

KERNEL = losses.inverse_multiquadric([4.0])
permutation_test = jax.jit(metrics.mmd_permutation_test, static_argnames=("kernel", "num_permutations"))


def test_its_estimate_is_the_unbiased_mmd():
    x, y = jax.random.normal(jax.random.key(0), (2, 50, 3))
    found = permutation_test(jax.random.key(1), x, y + 1, KERNEL, num_permutations=3)
    np.testing.assert_allclose(found.mmd, losses.mmd_unbiased(x, y + 1, KERNEL), rtol=0, atol=3e-6)


def test_under_no_difference_the_p_value_is_uniform():
    def p_value(key):
        key_x, key_y, key_test = jax.random.split(key, 3)
        x, y = jax.random.normal(key_x, (30, 2)), jax.random.normal(key_y, (30, 2))
        return metrics.mmd_permutation_test(key_test, x, y, KERNEL, num_permutations=99).p_value

    found = np.asarray(jax.jit(jax.vmap(p_value))(jax.random.split(jax.random.key(0), 400)))
    for level in (0.05, 0.5):
        margin = 4 * np.sqrt(level * (1 - level) / 400)
        assert abs(np.mean(found <= level) - level) < margin


def test_a_difference_is_seen():
    x, y = jax.random.normal(jax.random.key(0), (2, 200, 2))
    found = permutation_test(jax.random.key(1), x, 1.5 * y, KERNEL, num_permutations=199)
    assert found.p_value == 1 / 200


@pytest.mark.parametrize("seed", range(10))
def test_a_permutation_that_gives_the_observed_split_counts(seed):
    # Of the splits of ten points into two sets of five, two are the observed one: 1 in 126.
    key_x, key_y, key_test = jax.random.split(jax.random.key(seed), 3)
    x, y = jax.random.normal(key_x, (5, 2)), 8 + jax.random.normal(key_y, (5, 2))
    found = permutation_test(key_test, x, y, KERNEL, num_permutations=4000)
    assert abs(float(found.p_value) - 1 / 126) < 4.5 * np.sqrt(1 / 126 / 4000)


def test_without_a_number_there_is_no_p_value():
    x = jnp.ones((20, 2)).at[3, 1].set(jnp.nan)
    found = permutation_test(jax.random.key(0), x, jnp.ones((20, 2)), KERNEL, num_permutations=9)
    assert np.isnan(found).all()


@pytest.mark.parametrize(("n", "m"), [(5, 6), (1, 1)])
def test_sets_of_unlike_size_are_refused(n, m):
    with pytest.raises(ValueError, match=f"got {n} and {m}"):
        metrics.mmd_permutation_test(jax.random.key(0), jnp.zeros((n, 2)), jnp.zeros((m, 2)), KERNEL)
