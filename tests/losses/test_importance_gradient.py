"""The importance-weighted bound of a linear Gaussian model: its gradient by hand and by finite differences, in float64.

p(z) = N(0, I), p(x | z) = N(W z + b, exp(s)), q(z | x) = N(A x + c, exp(v)); the noise that draws z is held fixed.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special, stats

from jaxgen import losses

RNG = np.random.default_rng(3)
K, B, Z, D = 5, 3, 2, 4
NAMES = ("W", "b", "s", "A", "c", "v")
SHAPES = ((D, Z), (D,), (D,), (Z, D), (Z,), (Z,))
PARAMETERS = {name: 0.5 * RNG.normal(size=shape) for name, shape in zip(NAMES, SHAPES, strict=True)}
X = RNG.normal(size=(B, D))
NOISE = RNG.normal(size=(K, B, Z))


def bound_in_jax(parameters):
    W, b, s, A, c, v = (parameters[name] for name in NAMES)
    x = jnp.float32(X)
    mean = x @ A.T + c[None]
    log_var, prior = jnp.broadcast_to(v, mean.shape), jnp.zeros_like(mean)

    def log_weight(noise):
        z = losses.reparameterize(mean, log_var, noise)
        likelihood = -losses.gaussian_nll(z @ W.T + b[None], jnp.broadcast_to(s, x.shape), x)
        return likelihood - losses.gaussian_nll(prior, prior, z) + losses.gaussian_nll(mean, log_var, z)

    return losses.importance_weighted_bound(jax.vmap(log_weight)(jnp.float32(NOISE)))


def log_weights_in_scipy(W, b, s, A, c, v):
    mean, std = X @ A.T + c, np.exp(v / 2)
    z = mean + std * NOISE
    likelihood = stats.norm.logpdf(X, z @ W.T + b, np.exp(s / 2)).sum(-1)
    return likelihood + stats.norm.logpdf(z).sum(-1) - stats.norm.logpdf(z, mean, std).sum(-1)


def gradient_by_hand(W, b, s, A, c, v):
    """sum_k w~_k grad log w_k of Burda et al. 2016, eq. 14, summed over the examples."""
    weights = special.softmax(log_weights_in_scipy(W, b, s, A, c, v), axis=0)[..., None]
    assert weights.max() > 0.6  # far from the plain average that would hide a wrong weight
    z = X @ A.T + c + np.exp(v / 2) * NOISE
    residual = (X - z @ W.T - b) / np.exp(s)
    by_z = residual @ W - z  # of log p(x, z); log q(z) at z = mean + std noise reads v alone, by -v / 2
    return {
        "W": np.einsum("kbd,kbz->dz", weights * residual, z),
        "b": (weights * residual).sum((0, 1)),
        "s": (weights * (residual**2 * np.exp(s) - 1) / 2).sum((0, 1)),
        "A": np.einsum("kbz,bd->zd", weights * by_z, X),
        "c": (weights * by_z).sum((0, 1)),
        "v": (weights * (by_z * np.exp(v / 2) * NOISE + 1) / 2).sum((0, 1)),
    }


def gradient_by_differences(**parameters):
    splits = np.cumsum([parameters[name].size for name in NAMES])[:-1]

    def bound(flat):
        arrays = [part.reshape(shape) for part, shape in zip(np.split(flat, splits), SHAPES, strict=True)]
        return special.logsumexp(log_weights_in_scipy(*arrays), b=1 / K, axis=0).sum()

    flat = optimize.approx_fprime(np.concatenate([parameters[name].ravel() for name in NAMES]), bound)
    return dict(
        zip(NAMES, (part.reshape(s) for part, s in zip(np.split(flat, splits), SHAPES, strict=True)), strict=True)
    )


def test_value():
    expected = special.logsumexp(log_weights_in_scipy(**PARAMETERS), b=1 / K, axis=0)
    np.testing.assert_allclose(bound_in_jax(jax.tree.map(jnp.float32, PARAMETERS)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("oracle", [gradient_by_hand, gradient_by_differences])
def test_gradient(oracle):
    found = jax.grad(lambda parameters: bound_in_jax(parameters).sum())(jax.tree.map(jnp.float32, PARAMETERS))
    expected = oracle(**PARAMETERS)
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_bound_never_exceeds_the_evidence_by_more_than_chance():
    # p(x) = N(b, W W^T + exp(s)) exactly. E w = p(x), so Markov: P(bound > log p(x) + t) <= exp(-t), 1e-6 at t = 13.8.
    W, b, s, *_ = PARAMETERS.values()
    evidence = stats.multivariate_normal(b, W @ W.T + np.diag(np.exp(s))).logpdf(X)
    assert np.all(bound_in_jax(jax.tree.map(jnp.float32, PARAMETERS)) < evidence + 13.8)
