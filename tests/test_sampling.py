"""Randomness that belongs to examples: the same on one device and on many, and of the right distribution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen import sampling

NUM_LOCAL, NUM_DEVICES = 3, 4


def by_vmap(function):
    return jax.vmap(lambda _: function("devices"), axis_name="devices")(jnp.arange(NUM_DEVICES))


def by_pmap(function):
    devices = jax.devices()[:NUM_DEVICES]
    return jax.pmap(lambda _: function("devices"), axis_name="devices", devices=devices)(jnp.arange(NUM_DEVICES))


@pytest.mark.parametrize("over_devices", [by_vmap, by_pmap])
def test_example_keys_on_devices_are_the_rows_of_the_whole_batch(over_devices):
    def on_device(axis_name):
        return jax.random.key_data(sampling.example_keys(jax.random.key(3), NUM_LOCAL, axis_name))

    whole = jax.random.key_data(sampling.example_keys(jax.random.key(3), NUM_DEVICES * NUM_LOCAL))
    np.testing.assert_array_equal(np.concatenate(over_devices(on_device)), whole)


@pytest.mark.parametrize("over_devices", [by_vmap, by_pmap])
def test_noise_on_devices_is_the_noise_of_the_whole_batch(over_devices):
    def on_device(axis_name):
        return sampling.standard_normal(jax.random.key(4), NUM_LOCAL, (2, 5), axis_name=axis_name)

    whole = sampling.standard_normal(jax.random.key(4), NUM_DEVICES * NUM_LOCAL, (2, 5))
    assert whole.shape == (NUM_DEVICES * NUM_LOCAL, 2, 5)
    np.testing.assert_allclose(np.concatenate(over_devices(on_device)), whole, rtol=1e-6)


def test_example_keys_are_folded_in_and_distinct():
    # What the documentation promises: row j has fold_in(key, j), however many rows there are.
    keys = jax.random.key_data(sampling.example_keys(jax.random.key(5), 100))
    for row in (0, 1, 99):
        np.testing.assert_array_equal(keys[row], jax.random.key_data(jax.random.fold_in(jax.random.key(5), row)))
    assert len({tuple(row) for row in keys.tolist()}) == 100


def test_standard_normal_has_the_moments_of_one():
    num = 20_000
    draws = np.float64(sampling.standard_normal(jax.random.key(6), num, (3,)))
    # 6 standard deviations of each estimate: var(mean) = 1 / num, var(variance) = 2 / num, var(covariance) = 1 / num.
    np.testing.assert_allclose(draws.mean(0), 0, rtol=0, atol=6 / np.sqrt(num))
    covariance = draws.T @ draws / num
    margin = 6 * np.sqrt((1 + np.eye(3)) / num)
    assert np.all(np.abs(covariance - np.eye(3)) < margin)
    # Neighbouring examples are independent too.
    np.testing.assert_allclose((draws[1:] * draws[:-1]).mean(0), 0, rtol=0, atol=6 / np.sqrt(num))
    assert stats.kstest(draws.ravel(), "norm").pvalue > 1e-8


def test_from_prior_decodes_latents_of_the_given_size():
    seen = []

    def decode(z):
        seen.append(z)
        return z.sum(axis=1) + 1

    x = sampling.from_prior(jax.random.key(7), decode, 6, 4)
    assert [z.shape for z in seen] == [(6, 4)]
    np.testing.assert_allclose(x, np.sum(seen[0], axis=1) + 1, rtol=1e-6)


@pytest.mark.parametrize("num", [1, 9])
def test_fewer_samples_are_the_first_of_many(num):
    few = sampling.from_prior(jax.random.key(8), jnp.tanh, num, 4)
    np.testing.assert_allclose(sampling.from_prior(jax.random.key(8), jnp.tanh, 10, 4)[:num], few, rtol=1e-6)


def test_another_key_gives_other_samples():
    first, second = (sampling.from_prior(jax.random.key(seed), lambda z: z, 5, 4) for seed in (9, 10))
    assert not np.any(first == second)
