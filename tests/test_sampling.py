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
    np.testing.assert_allclose(x, np.sum(seen[0], axis=1) + 1, rtol=0, atol=1e-5)


@pytest.mark.parametrize("num", [1, 9])
def test_fewer_samples_are_the_first_of_many(num):
    few = sampling.from_prior(jax.random.key(8), jnp.tanh, num, 4)
    np.testing.assert_allclose(sampling.from_prior(jax.random.key(8), jnp.tanh, 10, 4)[:num], few, rtol=1e-6)


def test_another_key_gives_other_samples():
    first, second = (sampling.from_prior(jax.random.key(seed), lambda z: z, 5, 4) for seed in (9, 10))
    assert not np.any(first == second)


def chain(key, given=None, mask=None):
    """A process of which every draw is known: after a value comes another with probability 0.2, the first is 0 or 1."""

    def column(count, previous, position):
        return count + 1, jnp.where(position == 0, 0.0, jnp.where(previous > 0.5, np.log(4.0), -np.log(4.0)))

    def draw(key, logits):
        return jax.random.bernoulli(key, jax.nn.sigmoid(logits), (4000,)).astype(jnp.float32)

    return sampling.raster_scan(key, column, jnp.int32(0), shape=(4000, 2, 3), draw=draw, given=given, mask=mask)


def test_a_raster_scan_draws_each_value_given_the_one_before():
    x = np.asarray(chain(jax.random.key(0))).reshape(4000, 6)

    # 5 x 4,000 changes, each with probability 0.2: four standard errors.
    changes = (x[:, 1:] != x[:, :-1]).mean()
    assert abs(changes - 0.2) < 4 * np.sqrt(0.2 * 0.8 / 20000)
    assert abs(x[:, 0].mean() - 0.5) < 4 * np.sqrt(0.25 / 4000)


def test_a_raster_scan_keeps_what_is_given_and_goes_on_from_it():
    given = jax.random.bernoulli(jax.random.key(1), 0.5, (4000, 2, 3)).astype(jnp.float32)
    mask = jnp.zeros((2, 3), bool).at[0].set(True)
    x = np.asarray(chain(jax.random.key(0), given, mask))

    np.testing.assert_array_equal(x[:, 0], given[:, 0])
    stays = (x[:, 1, 0] == x[:, 0, 2]).mean()
    assert abs(stays - 0.8) < 4 * np.sqrt(0.2 * 0.8 / 4000)


def test_a_raster_scan_wants_given_and_mask_together():
    with pytest.raises(ValueError, match="belong together"):
        chain(jax.random.key(0), mask=jnp.ones((2, 3), bool))
