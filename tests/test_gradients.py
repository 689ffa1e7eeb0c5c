"""Gradients of every public function of arrays: finite at special points, and where there is a derivative, that.

A point's gradient in float32 is held to differences of the same function in float64, one coordinate at a time; where
the slopes on the two sides differ, or the function jumps, it must be 0.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import NamedTuple
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import latent, likelihood, losses, metrics, preprocess, sampling

RNG = np.random.default_rng(21)
STEP = 1e-5  # of the differences in float64
B, Z, K = 3, 2, 4


def normal(*shape):
    # Nothing near a kink of the hinge or of free bits, nor two values near each other.
    return np.round(RNG.normal(size=shape), 2) + 0.003


KERNELS = {
    "rbf": losses.rbf([0.7, 2.0]),
    "inverse multiquadric": losses.inverse_multiquadric([1.0]),
    "laplace": lambda d2: jnp.exp(-jnp.sqrt(d2)),
}


def critic(x):
    return jnp.sum(jnp.square(jnp.tanh(x)), axis=1)


def flat_critic(x):
    return jnp.sum(x, axis=1) * 0


def points(*arguments, **special):
    """Arguments at which nothing is special, and others by name."""
    return {"anywhere": arguments, **special}


X, Y, ROW, SCORES = normal(B, Z), normal(B, Z), normal(1, Z), normal(B)
ONE_SET = {"equal": (X, X), "zeros": (0 * X, 0 * X), "one is zeros": (0 * X, X), "same rows": (X[[0, 0, 0]], Y)}
TWO_SETS = {**ONE_SET, "all rows the same": (X[[0, 0, 0]], X[[0, 0, 0]]), "a copy": (np.r_[Y[:1], X], Y)}
LOGITS = {"zeros": 0 * SCORES, "saturated": np.array([200.0, -200.0, 88.0]), "edges": np.array([1.0, -1.0, 0.0])}
ONE_SCORE = {name: (value,) for name, value in LOGITS.items()} | {"one row": (SCORES[:1],)}
TWO_SCORES = {name: (value, value) for name, value in LOGITS.items()} | {"one row": (SCORES[:1], -SCORES[:1])}
BINARY = np.float64(X > 0)
CLASSES, WHOLE = np.array([0, 3]), np.array([1, 0, 1])
ANY_LOGITS = normal(2, K)
MOMENTS = {
    "prior": (0 * X, 0 * X),
    "equal": (X, X),
    "narrow and wide": (X, np.array([[-60.0, 30.0]] * B)),
    "one row": (ROW, ROW),
}
CATEGORICAL = {
    "zeros": (0 * ANY_LOGITS, CLASSES),
    "saturated": (np.where(np.arange(K) == 2, 200.0, -200.0) + 0 * ANY_LOGITS, CLASSES),
    "one class": (ANY_LOGITS[:, :1], 0 * CLASSES),
}
CODES = {
    "parallel": (X, 2 * X),
    "opposite": (X, -3 * X),
    "large and small": (10 * X, 0.1 * Y),
    "one row": (ROW, 2 * ROW),
    "orthogonal": (np.eye(2), 3 * np.eye(2)[::-1]),
    **ONE_SET,
}
WEIGHTS = np.array([0.0, 0.3, 0.5, 1.0])


def with_weights(cases):
    return {name: (*codes, WEIGHTS) for name, codes in cases.items()}


CASES: dict[str, tuple[Callable, Mapping[str, tuple]]] = {
    "losses.bernoulli_nll": (
        losses.bernoulli_nll,
        points(
            X,
            BINARY,
            zeros=(0 * X, BINARY),
            saturated=(200 * (2 * BINARY - 1), BINARY),
            wrong=(200 - 400 * BINARY, BINARY),
        ),
    ),
    "losses.bits_per_dim": (functools.partial(losses.bits_per_dim, num_dims=3), points(SCORES, **ONE_SCORE)),
    "losses.categorical_nll": (losses.categorical_nll, points(ANY_LOGITS, CLASSES, **CATEGORICAL)),
    "losses.change_of_variables_nll": (losses.change_of_variables_nll, points(X, SCORES, zeros=(0 * X, 0 * SCORES))),
    "losses.discretized_logistic_mixture_nll": (
        losses.discretized_logistic_mixture_nll,
        points(
            RNG.normal(size=(2, 1, 2, 20)),
            RNG.uniform(-0.9, 0.9, (2, 1, 2, 3)),
            zeros=(np.zeros((2, 1, 2, 20)), np.zeros((2, 1, 2, 3))),
        ),
    ),
    "losses.logistic_mixture_mean": (
        functools.partial(losses.logistic_mixture_mean, channels=3),
        points(RNG.normal(size=(2, 1, 2, 20)), zeros=(np.zeros((2, 1, 2, 20)),)),
    ),
    "losses.free_bits": (
        functools.partial(losses.free_bits, minimum=0.25),
        points(np.abs(X), minimum=(0.25 + 0 * X,), zeros=(0 * X,)),
    ),
    "losses.gaussian_kl": (losses.gaussian_kl, points(X, Y, **MOMENTS)),
    "losses.gaussian_kl_between": (
        losses.gaussian_kl_between,
        points(X, Y, Y, X, equal=(X, Y, X, Y), zeros=(0 * X,) * 4, wide=(X, Y, X, 60 + 0 * X)),
    ),
    "losses.gaussian_kl_per_dim": (losses.gaussian_kl_per_dim, points(X, Y, **MOMENTS)),
    "losses.gaussian_nll": (
        losses.gaussian_nll,
        points(X, Y, normal(B, Z), exact=(X, Y, X), zeros=(0 * X,) * 3, wide=(X, 60 + 0 * X, Y)),
    ),
    "losses.gradient_penalty": (
        functools.partial(losses.gradient_penalty, critic),
        points(X, flat=(0 * X,), saturated=(200 + 0 * X,), one_row=(ROW,)),
    ),
    "losses.gradient_penalty of a constant": (functools.partial(losses.gradient_penalty, flat_critic), points(X)),
    "losses.hinge_discriminator_loss": (losses.hinge_discriminator_loss, points(SCORES, -SCORES, **TWO_SCORES)),
    "losses.hinge_generator_loss": (losses.hinge_generator_loss, points(SCORES, **ONE_SCORE)),
    "losses.importance_weighted_bound": (
        losses.importance_weighted_bound,
        points(X, equal=(X[[0, 0, 0]],), one=(ROW,), apart=(200 * X,), far=(X - 1e4,)),
    ),
    "losses.least_squares_discriminator_loss": (
        losses.least_squares_discriminator_loss,
        points(SCORES, -SCORES, **TWO_SCORES),
    ),
    "losses.least_squares_generator_loss": (losses.least_squares_generator_loss, points(SCORES, **ONE_SCORE)),
    "losses.minimax_discriminator_loss": (
        functools.partial(losses.minimax_discriminator_loss, smoothing=0.1),
        points(SCORES, -SCORES, **TWO_SCORES),
    ),
    "losses.minimax_generator_loss": (losses.minimax_generator_loss, points(SCORES, **ONE_SCORE)),
    **{
        f"losses.{name} of {kernel} by {size}": (
            functools.partial(getattr(losses, name), kernel=KERNELS[kernel], block_size=size),
            points(X, Y, **TWO_SETS),
        )
        for name, kernel, size in (
            ("mmd_biased", "laplace", 2),
            ("mmd_unbiased", "laplace", 2),
            ("mmd_unbiased", "laplace", 9),
            ("mmd_unbiased", "rbf", 2),
            ("mmd_unbiased", "inverse multiquadric", 9),
        )
    },
    "losses.negative_elbo": (functools.partial(losses.negative_elbo, beta=4.0), points(SCORES, -SCORES, **TWO_SCORES)),
    "losses.non_saturating_generator_loss": (losses.non_saturating_generator_loss, points(SCORES, **ONE_SCORE)),
    "losses.reparameterize": (losses.reparameterize, points(X, Y, normal(B, Z), zeros=(0 * X,) * 3)),
    "losses.squared_error": (losses.squared_error, points(X, Y, **ONE_SET)),
    "losses.wasserstein_critic_loss": (losses.wasserstein_critic_loss, points(SCORES, -SCORES, **TWO_SCORES)),
    "losses.wasserstein_generator_loss": (losses.wasserstein_generator_loss, points(SCORES, **ONE_SCORE)),
    "losses.zero_centered_penalty": (
        functools.partial(losses.zero_centered_penalty, critic),
        points(X, flat=(0 * X,), saturated=(200 + 0 * X,), one_row=(ROW,)),
    ),
    "metrics.bayes_posterior": (
        metrics.bayes_posterior,
        points(
            normal(2, K),
            normal(K),
            equal=(np.ones((2, K)), np.zeros(K)),
            saturated=(5000 * normal(2, K), normal(K)),
            impossible=(normal(2, K), np.array([0.0, -np.inf, 1.0, 0.0])),
        ),
    ),
    "metrics.density_weights": (
        functools.partial(metrics.density_weights, bandwidth=0.7),
        points(X, Y, **TWO_SETS),
    ),
    "metrics.frechet_distance": (
        metrics.frechet_distance,
        points(
            normal(5, 2),
            normal(4, 2),
            few=(normal(2, 3), normal(3, 3)),
            few_and_many=(normal(2, 3), normal(6, 3)),
            **TWO_SETS,
        ),
    ),
    "metrics.kernel_distance": (metrics.kernel_distance, points(X, Y, **TWO_SETS)),
    "metrics.mmd_permutation_test": (
        lambda x, y: metrics.mmd_permutation_test(jax.random.key(0), x, y, KERNELS["laplace"], num_permutations=1).mmd,
        points(X, Y, **ONE_SET),
    ),
    "metrics.nearest_neighbour_distances": (metrics.nearest_neighbour_distances, points(X, Y, **TWO_SETS)),
    "metrics.parzen_log_likelihood": (
        functools.partial(metrics.parzen_log_likelihood, std=0.7),
        points(X, Y, **TWO_SETS),
    ),
    "latent.class_centroids": (
        functools.partial(latent.class_centroids, y=WHOLE, num_classes=2),
        points(X, zeros=(0 * X,)),
    ),
    "latent.direction": (functools.partial(latent.direction, source=0, target=2), points(X, zeros=(0 * X,))),
    "latent.interpolate": (latent.interpolate, points(X, Y, WEIGHTS, **with_weights(CODES))),
    "latent.pairwise_directions": (latent.pairwise_directions, points(X, equal=(0 * X,))),
    "latent.slerp": (latent.slerp, points(X, Y, WEIGHTS, **with_weights(CODES))),
    "latent.walk": (latent.walk, points(X, Y[0], WEIGHTS, zeros=(0 * X, 0 * Y[0], WEIGHTS))),
    "likelihood.bernoulli.nll": (
        likelihood.bernoulli.nll,
        points(X, BINARY, zeros=(0 * X, BINARY), saturated=(200 * (2 * BINARY - 1), BINARY)),
    ),
    "likelihood.bernoulli.mean": (likelihood.bernoulli.mean, points(X, zeros=(0 * X,), saturated=(200 * X,))),
    "likelihood.fixed_gaussian.nll": (likelihood.fixed_gaussian(0.3).nll, points(X, Y, **ONE_SET)),
    "likelihood.fixed_gaussian.mean": (likelihood.fixed_gaussian(0.3).mean, points(X)),
    "likelihood.gaussian.nll": (
        likelihood.gaussian.nll,
        points(normal(B, Z, 2), Y, zeros=(np.zeros((B, Z, 2)), 0 * Y)),
    ),
    "likelihood.gaussian.mean": (likelihood.gaussian.mean, points(normal(B, Z, 2))),
    "likelihood.categorical.nll": (
        lambda logits: likelihood.categorical(K).nll(logits, jnp.array([0.0, 1.0])),
        points(ANY_LOGITS, zeros=(0 * ANY_LOGITS,), saturated=(200 * ANY_LOGITS,)),
    ),
    "likelihood.categorical.mean": (
        likelihood.categorical(K).mean,
        points(ANY_LOGITS, zeros=(0 * ANY_LOGITS,), saturated=(200 * ANY_LOGITS,)),
    ),
    "preprocess.grey": (functools.partial(preprocess.grey, None), points(RNG.uniform(size=(2, 2, 3)))),
    "preprocess.shrink": (functools.partial(preprocess.shrink(2), None), points(RNG.uniform(size=(4, 2, 1)))),
    "preprocess.scale": (functools.partial(preprocess.scale, None), points(X, zeros=(0 * X,))),
    "preprocess.scale_symmetric": (functools.partial(preprocess.scale_symmetric, None), points(X, zeros=(0 * X,))),
    "preprocess.logit of its volume": (preprocess.logit(1e-3).log_det, points(X, zeros=(0 * X,), ends=(100 * X,))),
    "preprocess.logit of its inverse": (preprocess.logit(1e-3).to_unit, points(X, zeros=(0 * X,))),
    "preprocess.standardize": (
        functools.partial(preprocess.standardize(0.3, 0.5), None),
        points(X, zeros=(0 * X,)),
    ),
}
EXEMPT = {
    "losses.NegativeElbo", "metrics.ModeCoverage", "metrics.PRDC", "metrics.TwoSampleTest",  # values
    "losses.rbf", "losses.inverse_multiquadric", "losses.latent_kernel",  # kernels, tried within the MMD
    "metrics.auroc", "metrics.modes_covered", "metrics.precision_recall_density_coverage",  # ranks and counts
    "likelihood.bernoulli.draw", "likelihood.categorical.draw", "losses.discretized_logistic_mixture_draw",  # discrete
    "likelihood.fixed_gaussian.draw", "likelihood.gaussian.draw",  # losses.reparameterize
    "preprocess.binarize", "preprocess.dequantize", "preprocess.mutate", "preprocess.quantize",
    "sampling.example_keys", "sampling.from_prior", "sampling.raster_scan", "sampling.standard_normal",  # of no array
}  # fmt: skip
# At the kinks of these, which have a slope to either side, the gradient is the mean of both: 0 of what has the kink.
MEANS = {
    "losses.mmd_biased",
    "losses.mmd_unbiased",
    "metrics.frechet_distance",
    "metrics.mmd_permutation_test",
    "metrics.nearest_neighbour_distances",
}
# Along each coordinate there is a slope, and yet no derivative with respect to the codes.
JOINTLY = {("latent.slerp", "opposite"), ("latent.slerp", "zeros")}

every_point = pytest.mark.parametrize(
    ("name", "point"), [(name, point) for name, (_, given) in CASES.items() for point in given]
)


def public_names():
    for module in (losses, metrics):
        yield from (f"{module.__name__.removeprefix('jaxgen.')}.{name}" for name in module.__all__)
    for module in (latent, preprocess, sampling):
        for name, found in inspect.getmembers(module):
            function = found.apply if isinstance(found, preprocess.Preparation) else found
            is_own = inspect.isfunction(function) and function.__module__ == module.__name__
            if is_own and not name.startswith("_"):
                yield f"{module.__name__.removeprefix('jaxgen.')}.{name}"
    for name in ("bernoulli", "fixed_gaussian", "gaussian", "categorical"):
        yield from (f"likelihood.{name}.{part}" for part in ("nll", "mean", "draw"))


def test_every_public_function_is_here():
    assert {name.split(" of ")[0] for name in CASES} | EXEMPT == set(public_names())


def is_floating(argument):
    return np.issubdtype(np.asarray(argument).dtype, np.floating)


class Programs(NamedTuple):
    """Compiled once for all points of the same shapes; `whole` are the arguments that are no floating-point arrays."""

    values: Callable  # (floating, whole) -> leaves
    gradients: Callable  # (floating, whole, keep) -> the gradients of `total`
    around: Callable  # (vectors [N, D], floating, whole, keep) -> totals [N], the vectors in place of `floating`


@functools.cache
def programs(name):
    function, given = CASES[name]
    kinds = [is_floating(argument) for argument in given["anywhere"]]

    def values(floating, whole):
        floating, whole = iter(floating), iter(whole)
        return jax.tree.leaves(function(*(next(floating if kind else whole) for kind in kinds)))

    def total(floating, whole, keep):
        """The sum of all finite values, with weights of their own."""
        random = np.random.default_rng(5)
        leaves = zip(values(floating, whole), keep, strict=True)
        return sum(jnp.sum(jnp.where(k, leaf, 0) * random.uniform(0.5, 1.5, leaf.shape)) for leaf, k in leaves)

    def of_flat(vector, floating, whole, keep):
        parts = jnp.split(vector, np.cumsum([leaf.size for leaf in floating])[:-1])
        return total([part.reshape(leaf.shape) for part, leaf in zip(parts, floating, strict=True)], whole, keep)

    return Programs(jax.jit(values), jax.jit(jax.grad(total)), jax.jit(jax.vmap(of_flat, (0, None, None, None))))


@every_point
def test_gradients(name, point):
    arguments = [np.asarray(argument) for argument in CASES[name][1][point]]
    floating = [np.float32(argument) for argument in arguments if is_floating(argument)]
    whole = [argument for argument in arguments if not is_floating(argument)]
    keep = [np.isfinite(leaf) for leaf in programs(name).values(floating, whole)]
    gradients = programs(name).gradients(floating, whole, keep)
    gradient = np.concatenate([np.float64(leaf).ravel() for leaf in gradients])
    assert np.isfinite(gradient).all()

    flat = np.concatenate([np.float64(leaf).ravel() for leaf in floating])
    where = np.flatnonzero(np.isfinite(flat))
    steps = STEP * np.eye(len(flat))[where]

    # The library computes in float32, which here is float64.
    with jax.enable_x64(new_val=True), mock.patch.object(jnp, "float32", jnp.float64):
        vectors = np.concatenate([flat[None], flat + steps, flat - steps])
        totals = np.asarray(programs(name).around(vectors, floating, whole, keep))
    (middle,), above, below = np.split(totals, [1, 1 + len(where)])
    right, left = (above - middle) / STEP, (middle - below) / STEP
    scale = max(1, np.abs(gradient).max(), np.median(np.abs(right)))
    is_smooth = np.abs(right - left) < 1e-3 * scale
    expected = np.where(is_smooth | (name.split(" of ")[0] in MEANS), (right + left) / 2, 0)
    if (name, point) in JOINTLY:
        expected[: -len(WEIGHTS)] = 0
    np.testing.assert_allclose(gradient[where], expected, rtol=0, atol=3e-5 * scale)
