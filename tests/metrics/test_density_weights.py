"""Weights of a training set: against the sums of their definition, and on a set that is skewed on purpose."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import metrics

density_weights = jax.jit(metrics.density_weights)


def density(x, points, bandwidth, *, leave_out=False):
    d2 = ((x[:, None] - points[None]) ** 2).sum(-1)
    kernel = np.exp(-d2 / 2 / bandwidth**2) / (2 * np.pi * bandwidth**2) ** (x.shape[1] / 2)
    if leave_out:
        return (kernel.sum(1) - np.diag(kernel)) / (len(points) - 1)
    return kernel.mean(1)


def test_weights_are_ratios_of_kernel_densities():
    random = np.random.default_rng(0)
    codes, generated = random.normal(size=(90, 2)), 1.5 * random.normal(size=(200, 2))
    q, g = density(codes, codes, 0.4, leave_out=True), density(codes, generated, 0.4)
    one, other = jnp.asarray(codes, jnp.float32), jnp.asarray(generated, jnp.float32)

    flat = density_weights(one, bandwidth=0.4)
    np.testing.assert_allclose(flat, 90 * (1 / q) / (1 / q).sum(), rtol=1e-4)
    like_generated = density_weights(one, other, bandwidth=0.4, power=0.5)
    ratio = np.sqrt(g / q)
    np.testing.assert_allclose(like_generated, 90 * ratio / ratio.sum(), rtol=1e-4)


def test_a_rare_region_weighs_more_and_a_set_of_the_model_s_own_draws_weighs_alike():
    random = np.random.default_rng(1)
    skewed = np.concatenate([random.normal(size=(1900, 2)), random.normal(size=(100, 2)) + [8, 0]])
    even = np.concatenate([random.normal(size=(5000, 2)), random.normal(size=(5000, 2)) + [8, 0]])
    skewed, even = jnp.asarray(skewed, jnp.float32), jnp.asarray(even, jnp.float32)

    weights = np.asarray(density_weights(skewed, even, bandwidth=1.0))
    np.testing.assert_allclose(weights.mean(), 1, rtol=1e-4)
    # The two regions are to weigh alike. 100 codes know a sum to a tenth, and the share 1/2 to 1/4 of that.
    np.testing.assert_allclose(weights[1900:].sum() / weights.sum(), 0.5, atol=4 * 0.25 * 0.1)
    alike = np.asarray(density_weights(even[:3000], even[3000:], bandwidth=0.5))
    # Some 400 codes lie within two bandwidths of one: two densities to 5 % each, and a median of 0.67 x 0.07.
    assert np.median(np.abs(np.log(alike))) < 3 * 0.67 * 0.07
