"""What holds for every metric: a new one gets these tests by a line in `METRICS`."""

import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import metrics

N, M, F = 70, 83, 3  # more than one block of rows, and no whole number of them
RNG = np.random.default_rng(8)
FIRST = jnp.float32(RNG.normal(size=(N, F)))
SECOND = jnp.float32(0.3 + 0.8 * RNG.normal(size=(M, F)))


class Case(NamedTuple):
    metric: Callable  # of two sets
    per_row: bool = False  # a value for each row of the first set, else one for the sets
    by_distance: bool = True  # depends on differences of features alone
    of_scores: bool = False  # the sets are scores, [N] and [M]


METRICS = {
    "auroc": Case(metrics.auroc, by_distance=False, of_scores=True),
    "density_weights": Case(functools.partial(metrics.density_weights, bandwidth=0.5), per_row=True),
    "frechet_distance": Case(metrics.frechet_distance),
    "kernel_distance": Case(metrics.kernel_distance, by_distance=False),
    "modes_covered": Case(functools.partial(metrics.modes_covered, std=0.2)),
    "nearest_neighbour_distances": Case(metrics.nearest_neighbour_distances, per_row=True),
    "parzen_log_likelihood": Case(functools.partial(metrics.parzen_log_likelihood, std=0.5), per_row=True),
    "precision_recall_density_coverage": Case(functools.partial(metrics.precision_recall_density_coverage, k=4)),
}
NOT_METRICS = {
    "mmd_permutation_test",
    "ModeCoverage",
    "PRDC",
    "TwoSampleTest",
    "bayes_posterior",
}  # what a metric returns; the test takes a key, and Bayes' rule no sets: tests/metrics/test_bayes.py has its laws

every_metric = pytest.mark.parametrize("name", METRICS)


@functools.cache
def compiled(name):
    return jax.jit(METRICS[name].metric)


def sets_of(name):
    return (FIRST[:, 0], SECOND[:, 0]) if METRICS[name].of_scores else (FIRST, SECOND)


@functools.cache
def expected(name):
    return compiled(name)(*sets_of(name))


def assert_close(found, wanted):
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), found, wanted)


def test_every_metric_is_here():
    assert set(METRICS) | NOT_METRICS == set(metrics.__all__)


@every_metric
def test_shapes_and_dtypes(name):
    shape = (N,) if METRICS[name].per_row else ()
    half = [a.astype(jnp.bfloat16) for a in sets_of(name)]
    for leaves in (expected(name), jax.eval_shape(METRICS[name].metric, *half)):
        for leaf in jax.tree.leaves(leaves):
            assert leaf.shape == shape
            assert leaf.dtype in (jnp.float32, jnp.int32)


@every_metric
def test_plain_equals_jit(name):
    assert_close(METRICS[name].metric(*sets_of(name)), expected(name))


@every_metric
def test_vmap_equals_a_loop(name):
    first, second = sets_of(name)
    stacked = jax.jit(jax.vmap(METRICS[name].metric))(jnp.stack([first, first[::-1]]), jnp.stack([second, 2 * second]))
    for i, sets in enumerate([(first, second), (first[::-1], 2 * second)]):
        assert_close(jax.tree.map(lambda leaf, i=i: leaf[i], stacked), compiled(name)(*sets))


@every_metric
def test_the_order_of_the_rows_does_not_matter(name):
    order, other = RNG.permutation(N), RNG.permutation(M)
    first, second = sets_of(name)
    found = compiled(name)(first[order], second[other])
    assert_close(found, expected(name)[order] if METRICS[name].per_row else expected(name))


@pytest.mark.parametrize("name", [name for name in METRICS if METRICS[name].by_distance])
def test_moving_and_turning_both_sets_does_not_matter(name):
    rotation = jnp.float32(np.linalg.qr(RNG.normal(size=(F, F)))[0])
    found = compiled(name)(FIRST @ rotation + 4, SECOND @ rotation + 4)
    assert_close(found, expected(name))


@every_metric
def test_wrong_shapes_raise(name):
    metric = METRICS[name].metric
    first, second = sets_of(name)
    of_sets = [] if METRICS[name].of_scores else [SECOND[:, :2], SECOND[:, 0]]
    for wrong in [*of_sets, second[..., None], second[None], jnp.float32(0)]:
        for sets in [(first, wrong), (wrong, first)]:
            with pytest.raises(AssertionError):
                metric(*sets)


@every_metric
@pytest.mark.parametrize("dtype", [jnp.int32, jnp.bool_])
def test_wrong_dtypes_raise(name, dtype):
    first, second = sets_of(name)
    for sets in [(first.astype(dtype), second), (first, second.astype(dtype))]:
        with pytest.raises(AssertionError):
            METRICS[name].metric(*sets)


@every_metric
def test_errors_name_the_function_and_the_argument(name):
    sets, parameters = sets_of(name), list(inspect.signature(getattr(metrics, name)).parameters)
    for position, features in enumerate(sets):
        for wrong, said in [
            (features.astype(jnp.int32), f"must be floating, got int32 {features.shape}"),
            (features[:0], f"must not be empty, got float32 {features[:0].shape}"),
            (features[None], "must be ["),
        ]:
            with pytest.raises(AssertionError) as raised:
                METRICS[name].metric(*(wrong if i == position else given for i, given in enumerate(sets)))
            assert f"{name}: {parameters[position]} {said}" in str(raised.value)


@every_metric
def test_memory_grows_with_rows_alone(name):
    # A matrix of all pairs would take 64 MB, an array of their differences 4 GB. The modes are few in practice.
    sets = [jax.ShapeDtypeStruct((4032,) if METRICS[name].of_scores else (4032, 64), jnp.float32)] * 2
    assert compiled(name).lower(*sets).compile().memory_analysis().temp_size_in_bytes < 16e6
