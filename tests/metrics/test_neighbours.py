"""Precision, recall, density, coverage and nearest neighbours against loops in float64, and by hand."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jaxgen import metrics

RNG = np.random.default_rng(12)
compiled = jax.jit(metrics.precision_recall_density_coverage, static_argnames="k")


def by_loops(real, fake, k):
    """The definitions of Kynkaanniemi et al. 2019 and Naeem et al. 2020, word for word; squared, ties stay ties."""

    def radius(points, i):
        return sorted(np.sum((points[i] - points[j]) ** 2) for j in range(len(points)) if j != i)[k - 1]

    def is_in_a_ball(point, points, radii):
        return [np.sum((point - points[i]) ** 2) < radii[i] for i in range(len(points))]

    radii_real = [radius(real, i) for i in range(len(real))]
    radii_fake = [radius(fake, i) for i in range(len(fake))]
    in_balls = np.array([is_in_a_ball(point, real, radii_real) for point in fake])
    precision = np.mean([any(row) for row in in_balls])
    recall = np.mean([any(is_in_a_ball(point, fake, radii_fake)) for point in real])
    density = np.mean([sum(row) / k for row in in_balls])
    coverage = np.mean([any(in_balls[:, i]) for i in range(len(real))])
    return precision, recall, density, coverage


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (1.0, 0.3), (0.0, 3.0)])
def test_values(k, shift, scale):
    real, fake = np.float32(RNG.normal(size=(60, 4))), np.float32(shift + scale * RNG.normal(size=(45, 4)))
    np.testing.assert_allclose(compiled(real, fake, k=k), by_loops(np.float64(real), np.float64(fake), k), rtol=1e-6)


TIED = {  # real and fake points of which many pairs are equally far apart
    "binary": RNG.integers(0, 2, (2, 100, 64)),
    "binary in few dimensions": RNG.integers(0, 2, (2, 100, 10)),
    "bytes": RNG.integers(0, 16, (2, 70, 9)) * 17,
    "integers": RNG.integers(-3, 4, (2, 70, 20)),
    "halves": RNG.integers(0, 5, (2, 70, 8)) / 2 + 1000,
    "of two sizes": (RNG.integers(0, 3, (70, 6)), RNG.integers(0, 3, (90, 6))),
}


@pytest.mark.parametrize("name", TIED)
def test_points_on_the_edge_of_a_ball_lie_outside(name):
    # Distances of integers are exact in float32 too, so that each comparison has one right answer.
    real, fake = TIED[name]
    assert np.any(cdist(fake, real) == np.sort(cdist(real, real))[:, 4])  # or no edge is tested
    found = compiled(jnp.float32(real), jnp.float32(fake), k=4)
    np.testing.assert_allclose(found, by_loops(np.float64(real), np.float64(fake), 4), rtol=1e-6)


def test_a_copy_of_the_neighbour_that_a_ball_reaches_to_lies_outside():
    # Of any real numbers: the radius and the distance of the copy are one distance.
    real = RNG.normal(size=(60, 30))
    fake = np.concatenate([real[::2], real[:30] + 0.1 * RNG.normal(size=(30, 30))])
    real, fake = np.float32(real), np.float32(fake)
    np.testing.assert_allclose(compiled(real, fake, k=4), by_loops(np.float64(real), np.float64(fake), 4), rtol=1e-6)


def test_the_default_is_five():
    assert inspect.signature(metrics.precision_recall_density_coverage).parameters["k"].default == 5


def test_by_hand():
    # Real points 0, 1, 3 and an outlier 100: balls of radius 1, 1, 2 and 97 at k = 1. The fake points 50, 60, 0.5 lie
    # in one ball (the outlier's), one, and two; 0.5 covers 0 and 1, 50 and 60 cover 100, nothing lies within 1..5.
    # Around fake points the radii are 10, 10 and 49.5: 0, 1 and 3 lie in 0.5's ball, 100 in none.
    real, fake = jnp.array([[0.0], [1.0], [3.0], [100.0]]), jnp.array([[50.0], [60.0], [0.5]])
    found = compiled(real, fake, k=1)
    np.testing.assert_allclose(found, (1, 3 / 4, 4 / 3, 3 / 4), rtol=1e-6)
    assert found._fields == ("precision", "recall", "density", "coverage")


def test_equal_sets_and_sets_far_apart():
    x = jnp.float32(RNG.normal(size=(60, 4)))
    found = compiled(x, x, k=4)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)
    # An open ball holds its own point and k - 1 neighbours, k in all; the k-th lies on its edge.
    np.testing.assert_allclose(found.density, 1, rtol=1e-6)
    np.testing.assert_array_equal(compiled(x, x + 1000, k=4), (0, 0, 0, 0))


def test_a_lost_mode_costs_recall_and_coverage_alone():
    modes = np.float32(RNG.normal(size=(2, 30, 4)) + 50 * np.arange(2)[:, None, None])
    found = compiled(jnp.concatenate(modes), jnp.float32(RNG.normal(size=(45, 4))), k=4)
    assert found.precision > 0.8
    assert found.recall <= 0.5
    assert found.coverage <= 0.5


@pytest.mark.parametrize("side", [0, 1])
def test_a_feature_that_is_not_finite_shows_in_every_number(side):
    sets = list(RNG.normal(size=(2, 30, 3)).astype(np.float32))
    sets[side][7, 1] = np.nan
    assert np.isnan(metrics.precision_recall_density_coverage(*map(jnp.asarray, sets))).all()


@pytest.mark.parametrize("k", [0, -1, 4])
def test_k_is_less_than_the_points(k):
    with pytest.raises(ValueError, match=f"k must be at least 1 and less than the 4 points, got {k}"):
        metrics.precision_recall_density_coverage(jnp.ones((9, 2)), jnp.ones((4, 2)), k=k)


def test_nearest_neighbours():
    x, references = np.float32(RNG.normal(size=(60, 6))), np.float32(RNG.normal(size=(200, 6)))
    expected = np.min(cdist(np.float64(x), np.float64(references)), axis=1)
    np.testing.assert_allclose(metrics.nearest_neighbour_distances(x, references), expected, rtol=1e-5)


def test_copies_are_told_from_fresh_draws():
    distances = jax.jit(metrics.nearest_neighbour_distances)
    train, held_out, fresh = jnp.float32(RNG.normal(size=(3, 192, 6)))
    copies = train[::-1] + 1e-3
    np.testing.assert_array_equal(distances(train[::-1], train), np.zeros(192))
    np.testing.assert_allclose(distances(copies, train), np.full(192, 1e-3 * np.sqrt(6)), rtol=1e-3)
    assert np.all(distances(copies, train) < distances(copies, held_out))
    # A model that does not copy is nearer to the training data in half of its samples: five standard errors.
    share = np.mean(distances(fresh, train) < distances(fresh, held_out))
    assert abs(share - 0.5) < 5 * np.sqrt(0.25 / 192)
