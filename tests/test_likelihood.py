"""Likelihoods against SciPy in float64, and importance sampling in chunks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from jaxgen import likelihood

RNG = np.random.default_rng(5)
SHAPE = (3, 4, 2)
OUTPUT = RNG.normal(size=SHAPE)
PAIRS = RNG.normal(size=(*SHAPE, 2))  # a mean and a log-variance
PIXELS = RNG.integers(0, 2, SHAPE).astype(float)
X = RNG.normal(size=SHAPE)
NUM_DRAWS = 20_000

# name: (likelihood, output, x, log p(x | output) of each value, mean, standard deviation)
LIKELIHOODS = {
    "bernoulli": (
        likelihood.bernoulli,
        OUTPUT,
        PIXELS,
        stats.bernoulli.logpmf(PIXELS, special.expit(OUTPUT)),
        special.expit(OUTPUT),
        np.sqrt(special.expit(OUTPUT) * special.expit(-OUTPUT)),
    ),
    "fixed_gaussian": (
        likelihood.fixed_gaussian(0.1),
        OUTPUT,
        X,
        stats.norm.logpdf(X, OUTPUT, 0.1),
        OUTPUT,
        np.full(SHAPE, 0.1),
    ),
    "fixed_gaussian of std 1": (
        likelihood.fixed_gaussian(),
        OUTPUT,
        X,
        stats.norm.logpdf(X, OUTPUT),
        OUTPUT,
        np.ones(SHAPE),
    ),
    "gaussian": (
        likelihood.gaussian,
        PAIRS,
        X,
        stats.norm.logpdf(X, PAIRS[..., 0], np.exp(PAIRS[..., 1] / 2)),
        PAIRS[..., 0],
        np.exp(PAIRS[..., 1] / 2),
    ),
}

# Over 3 values in [0, 1]; its probabilities are those of a softmax, by SciPy.
LOGITS = RNG.normal(size=(*SHAPE, 3))
GREY = RNG.integers(0, 3, SHAPE)


def test_a_categorical_is_over_equally_spaced_values():
    family = likelihood.categorical(3)
    log_probabilities = special.log_softmax(LOGITS, axis=-1)
    chosen = np.take_along_axis(log_probabilities, GREY[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(family.nll(jnp.float32(LOGITS), jnp.float32(GREY / 2)), -chosen.sum((1, 2)), rtol=1e-5)
    mean = np.exp(log_probabilities) @ [0, 0.5, 1]
    np.testing.assert_allclose(family.mean(jnp.float32(LOGITS)), mean, rtol=1e-5)
    keys = jax.random.split(jax.random.key(0), NUM_DRAWS)
    draws = np.asarray(jax.vmap(family.draw, in_axes=(0, None))(keys, jnp.float32(LOGITS)))
    for index, value in enumerate((0, 0.5, 1)):  # 6 standard deviations of the estimate
        p = np.exp(log_probabilities[..., index])
        np.testing.assert_array_less(np.abs((draws == value).mean(0) - p), 6 * np.sqrt(p * (1 - p) / NUM_DRAWS))
    assert family.levels == 3
    with pytest.raises(ValueError, match="at least 2"):
        likelihood.categorical(1)


def test_a_value_a_rounding_below_its_level_is_that_level():
    family, logits = likelihood.categorical(256), RNG.normal(size=(1, 255, 256)).astype(np.float32)
    below = np.nextafter(np.arange(1, 256, dtype=np.float32) / 255, np.float32(0))
    expected = -np.diagonal(special.log_softmax(np.float64(logits[0]), axis=1)[:, 1:]).sum()
    np.testing.assert_allclose(family.nll(jnp.asarray(logits), below[None]), [expected], rtol=1e-5)


every_likelihood = pytest.mark.parametrize("name", LIKELIHOODS)


@every_likelihood
def test_output_has_the_shape_of_x_and_the_parameters(name):
    family, output, x, *_ = LIKELIHOODS[name]
    assert output.shape == (*x.shape, *family.parameters)


@every_likelihood
def test_nll(name):
    family, output, x, log_prob, *_ = LIKELIHOODS[name]
    found = family.nll(jnp.float32(output), jnp.float32(x))
    np.testing.assert_allclose(found, -log_prob.sum((1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("family", "std"), [(likelihood.fixed_gaussian(0.1), 0.1), (likelihood.fixed_gaussian(), 1.0)], ids=["0.1", "1"]
)
def test_nll_of_a_bfloat16_mean_keeps_the_standard_deviation(family, std):
    # Of 784 pixels: rounding 2 log(0.1) to bfloat16 would cost 4 nats from the constant alone.
    mean, x = (jnp.asarray(0.1 * array, jnp.bfloat16) for array in RNG.normal(size=(2, 3, 784)))
    expected = -stats.norm.logpdf(np.float64(x), np.float64(mean), std).sum(1)
    np.testing.assert_allclose(family.nll(mean, x), expected, rtol=0, atol=1e-2)


@every_likelihood
def test_mean(name):
    family, output, _, _, mean, _ = LIKELIHOODS[name]
    np.testing.assert_allclose(family.mean(jnp.float32(output)), mean, rtol=1e-6)


@every_likelihood
def test_draws(name):
    family, output, _, _, mean, std = LIKELIHOODS[name]
    keys = jax.random.split(jax.random.key(0), NUM_DRAWS)
    draws = np.float64(jax.vmap(family.draw, in_axes=(0, None))(keys, jnp.float32(output)))
    assert draws.shape == (NUM_DRAWS, *SHAPE)
    # 6 standard deviations of each estimate; that of a variance is sqrt((fourth moment - variance^2) / draws).
    np.testing.assert_array_less(np.abs(draws.mean(0) - mean), 6 * std / np.sqrt(NUM_DRAWS))
    fourth = 3 * std**4 if "gaussian" in name else mean * (1 - mean) * (1 - 3 * mean * (1 - mean))
    spread = np.sqrt((fourth - std**4) / NUM_DRAWS)
    np.testing.assert_array_less(np.abs(((draws - mean) ** 2).mean(0) - std**2), 6 * spread + 1e-9)


def test_draws_of_pixels_are_pixels():
    logits = jnp.array([[-200.0, 0.0, 200.0]])
    draws = jax.vmap(likelihood.bernoulli.draw, in_axes=(0, None))(jax.random.split(jax.random.key(1), 100), logits)
    assert draws.dtype == jnp.float32
    assert set(np.unique(draws[:, 0, 1])) == {0.0, 1.0}
    np.testing.assert_array_equal(draws[:, 0, [0, 2]], [[0.0, 1.0]] * 100)


def test_draws_of_pixels_from_bfloat16_logits_are_as_rare_as_they_should_be():
    # Uniform numbers of bfloat16 come in steps of 1/128, and -6 (p = 0.0025) is exact: within 6 standard deviations.
    num, probability = 100_000, special.expit(-6.0)
    draws = likelihood.bernoulli.draw(jax.random.key(4), jnp.full((1, num), -6.0, jnp.bfloat16))
    margin = 6 * np.sqrt(probability * (1 - probability) / num)
    np.testing.assert_allclose(np.mean(draws), probability, rtol=0, atol=margin)


def test_values_of_one_draw_are_independent():
    num = 40_000
    signs = 2 * likelihood.bernoulli.draw(jax.random.key(2), jnp.zeros((1, num))) - 1
    noise = likelihood.gaussian.draw(jax.random.key(3), jnp.zeros((1, num, 2)))
    for values in (signs, noise):
        np.testing.assert_allclose(np.mean(values[0, 1:] * values[0, :-1]), 0, rtol=0, atol=6 / np.sqrt(num))


@pytest.mark.parametrize("std", [0.0, -0.0, -1.0, float("nan")])
def test_a_standard_deviation_is_positive(std):
    with pytest.raises(ValueError, match="std must be positive"):
        likelihood.fixed_gaussian(std)


@every_likelihood
def test_wrong_shapes_raise(name):
    family, output, x, *_ = LIKELIHOODS[name]
    for wrong in (x[..., None], x[:, :1], x[:1]):
        with pytest.raises(AssertionError):
            family.nll(jnp.float32(output), jnp.float32(wrong))


@pytest.mark.parametrize("num_samples", [1, 7, 64, 65, 67, 130, 499, 500])
def test_chunks_change_nothing(num_samples):
    drawn = []

    def log_weights(key, num):
        weights = 3 * jax.random.normal(key, (num, 4))
        jax.debug.callback(lambda seen: drawn.append(np.asarray(seen)), weights, ordered=True)
        return weights

    found = likelihood.log_marginal(jax.random.key(0), log_weights, num_samples)
    jax.effects_barrier()

    weights = np.concatenate(drawn)[:num_samples].astype(np.float64)  # of a prime, the last chunk draws more
    assert weights.shape == (num_samples, 4)
    assert len(np.unique(weights)) == weights.size  # no chunk repeats another
    assert max(len(chunk) for chunk in drawn) <= 64
    assert len(drawn) <= max(1, num_samples / 16)
    np.testing.assert_allclose(found, special.logsumexp(weights, axis=0) - np.log(num_samples), rtol=1e-5, atol=1e-5)


def test_log_marginal_is_jit_able():
    log_marginal = functools.partial(likelihood.log_marginal, log_weights=lambda key, num: jnp.full((num, 3), 2.5))
    found = jax.jit(lambda key: log_marginal(key, num_samples=500))(jax.random.key(0))

    np.testing.assert_allclose(found, 2.5, rtol=1e-6)


@pytest.mark.parametrize("num_samples", [0, -1])
def test_no_samples_are_refused(num_samples):
    with pytest.raises(ValueError, match=f"num_samples must be positive, got {num_samples}"):
        likelihood.log_marginal(jax.random.key(0), lambda key, num: jnp.zeros((num, 3)), num_samples)
