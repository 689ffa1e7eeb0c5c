"""EM for mixtures of Bernoullis against NumPy in float64, and their distribution against all x there are."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from jaxgen import models, recipes

KEY, C, K, D, SMOOTHING = jax.random.key(0), 2, 3, 6, 0.1
RANDOM = np.random.default_rng(2)
Y = RANDOM.integers(0, C, 120).astype(np.int32)
X = (RANDOM.uniform(size=(120, D)) < RANDOM.uniform(0.05, 0.95, (C, D))[Y]).astype(np.float32)
EVERY = np.array(list(itertools.product([0, 1], repeat=D)), np.float32)
UPPER = np.arange(D) < 2
RECIPE = recipes.bernoulli_mixture((D,), K, C, smoothing=SMOOTHING, batches=2)
log_prob = jax.jit(RECIPE.log_prob)


def parameters(model: models.MixtureCounts) -> tuple[np.ndarray, np.ndarray]:
    """Weights [C, K] and probabilities [C, K, D] in float64."""
    counts, ones = np.float64(model.counts), np.float64(model.ones)
    return counts / counts.sum(1, keepdims=True), (ones + SMOOTHING) / (counts[..., None] + 2 * SMOOTHING)


def log_joint(model: models.MixtureCounts, x: np.ndarray) -> np.ndarray:
    """log p(x, k | class), a sum over the values: [N, C, K]."""
    weights, p = parameters(model)
    x = np.float64(x)[:, None, None, :]
    return np.log(weights) + np.sum(np.where(x == 1, np.log(p), np.log1p(-p)), axis=-1)


@functools.cache
def trained() -> tuple[list, list]:
    """The states before and after eight steps of 60 of the 120 examples, four iterations of EM, and the losses."""
    halves = [{"x": jnp.asarray(X[part]), "y": jnp.asarray(Y[part])} for part in (slice(60), slice(60, 120))]
    step, states, losses = jax.jit(RECIPE.step), [jax.jit(RECIPE.init)(jax.random.key(0), halves[0])], []
    for half in halves * 4:
        state, metrics = step(KEY, states[-1], half)
        states, losses = [*states, state], [*losses, float(metrics["loss"])]
    return states, losses


@functools.cache
def model() -> models.MixtureCounts:
    return trained()[0][-1].model


@functools.cache
def probabilities() -> np.ndarray:
    """p(x | class) of every x, [2^D, C]."""
    return np.exp(logsumexp(log_joint(model(), EVERY), axis=2))


def test_an_iteration_is_em_on_the_whole_set():
    states, losses = trained()
    for before, half, after in zip(states[::2], states[1::2], states[2::2], strict=False):
        joint = log_joint(before.model, X)[np.arange(120), Y]
        responsibilities = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
        for label in range(C):
            own = responsibilities[label == Y]
            np.testing.assert_allclose(after.model.counts[label], own.sum(0), rtol=1e-5)
            np.testing.assert_allclose(after.model.ones[label], own.T @ X[label == Y], rtol=1e-5, atol=1e-5)
        np.testing.assert_array_equal(half.model.ones, before.model.ones)
    first = logsumexp(log_joint(states[0].model, X[:60]), axis=2)
    np.testing.assert_allclose(losses[0], -first[np.arange(60), Y[:60]].mean(), rtol=1e-5)


def test_the_penalised_log_likelihood_never_falls():
    """Bishop 2006, section 9.4, for the posterior under the prior Beta(1 + smoothing, 1 + smoothing)."""

    def objective(model: models.MixtureCounts) -> float:
        p = parameters(model)[1]
        likelihood = logsumexp(log_joint(model, X), axis=2)[np.arange(120), Y].sum()
        return likelihood + SMOOTHING * (np.log(p) + np.log1p(-p)).sum()

    found = [objective(state.model) for state in trained()[0][::2]]
    # Some 500 nats, which counts in float32 give to 1e-4.
    assert (np.diff(found) > -1e-3).all()
    assert found[-1] > found[0] + 10


def test_probabilities_are_those_of_float64():
    whole = probabilities() @ np.bincount(Y) / 120
    np.testing.assert_allclose(log_prob(KEY, model(), EVERY), np.log(whole), rtol=1e-5)
    given = log_prob(KEY, model(), EVERY, y=jnp.full(len(EVERY), 1))
    np.testing.assert_allclose(given, np.log(probabilities()[:, 1]), rtol=1e-5)
    # One mixture is that of a single class.
    one = recipes.bernoulli_mixture((D,), K, smoothing=SMOOTHING)
    second = jax.tree.map(lambda leaf: leaf[1:], model())
    np.testing.assert_allclose(jax.jit(one.log_prob)(KEY, second, EVERY), given, rtol=1e-6)


def test_a_part_has_the_summed_probability_of_the_rest_and_the_rest_its_conditional():
    grid = (probabilities() @ np.bincount(Y) / 120).reshape(4, 16)
    kept, hidden = (np.float64(log_prob(KEY, model(), EVERY, mask=mask)) for mask in (UPPER, ~UPPER))
    conditional = grid / grid.sum(1, keepdims=True)

    np.testing.assert_allclose(np.exp(kept).reshape(4, 16), np.tile(grid.sum(1)[:, None], 16), rtol=1e-4)
    np.testing.assert_allclose(np.exp(hidden).reshape(4, 16), conditional, rtol=1e-4)
    assert np.ptp(conditional, axis=0).max() > 0.05  # the parts do depend on each other
    mask = np.arange(D) % 2 == 0
    parts = log_prob(KEY, model(), EVERY, mask=mask) + log_prob(KEY, model(), EVERY, mask=~mask)
    np.testing.assert_allclose(np.exp(np.float64(parts)), grid.ravel(), rtol=1e-4)


def test_completions_are_drawn_from_the_conditional_of_any_part():
    given = EVERY[5]
    conditional = (probabilities() @ np.bincount(Y) / 120).reshape(4, 16)[:, 5]
    conditional /= conditional.sum()
    drawn = np.asarray(jax.jit(RECIPE.complete)(KEY, model(), np.tile(given, (4000, 1)), ~UPPER))

    np.testing.assert_array_equal(drawn[:, 2:], np.tile(given[2:], (4000, 1)))
    shares = np.bincount((drawn[:, :2] @ [2, 1]).astype(int), minlength=4) / 4000
    assert (np.abs(shares - conditional) < 4 * np.sqrt(conditional * (1 - conditional) / 4000)).all()


def test_samples_are_as_frequent_as_they_are_probable():
    num, expected = 20_000, probabilities()[:, 1]
    y = jnp.concatenate([jnp.full(num, 1), jnp.array([-1, C])])
    drawn = np.asarray(jax.jit(RECIPE.sample, static_argnums=2)(KEY, model(), num + 2, y=y))
    shares = np.bincount((drawn[:num] @ 2 ** np.arange(D)[::-1]).astype(int), minlength=len(EVERY)) / num

    # None of 64 is off by 4.5 standard deviations and, where it is rare, two samples.
    assert (np.abs(shares - expected) < 4.5 * np.sqrt(expected / num) + 2 / num).all()
    assert np.isnan(drawn[num:]).all()


def test_a_label_without_a_class_is_that_of_no_other():
    """The second half of an iteration, with labels of which two are classes."""
    y = jnp.array([-1, 0, C - 1, C, 100] * 12)
    before = trained()[0][1]
    after, metrics = jax.jit(RECIPE.step)(KEY, before, {"x": jnp.asarray(X[:60]), "y": y})

    np.testing.assert_allclose(after.model.counts.sum(1), np.bincount(Y[:60]) + 12, rtol=1e-5)
    assert np.isnan(metrics["loss"])
    inside = np.tile([False, True, True, False, False], 12)
    np.testing.assert_array_equal(np.isfinite(log_prob(KEY, after.model, X[:60], y=y)), inside)


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"smoothing must be positive, got 0\.0"):
        recipes.bernoulli_mixture((D,), K, smoothing=0.0)
    with pytest.raises(ValueError, match="needs labels y"):
        RECIPE.init(jax.random.key(0), {"x": jnp.asarray(X)})
