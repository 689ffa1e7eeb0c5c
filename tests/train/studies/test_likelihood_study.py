"""Likelihoods against SciPy, by hand, and at the maxima that are known."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from train.__main__ import main
from train.studies import likelihood

CORNERS = np.array([[0.0, 0.0], [2.0, 0.0], [0.5, 1.0]])  # of area 1


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> dict:
    out = tmp_path_factory.mktemp("study") / "out"
    main(["study", "likelihood", "--num", "20", "--seed", "3", "--out", str(out)])
    assert (out / "likelihood.png").stat().st_size > 10_000
    return json.loads((out / "likelihood.json").read_text())


def test_a_normal_s_likelihood_is_largest_at_the_mean_and_std_of_the_points(result):
    found = result["normal"]
    y = np.random.default_rng(3).normal(1, 2, 20)
    mean, std = norm.fit(y)
    np.testing.assert_allclose([found["mean"], found["std"]], [mean, std], rtol=1e-12)
    np.testing.assert_allclose(found["grid_argmax"], [mean, std], atol=0.0051)  # half a cell
    np.testing.assert_allclose(found["log_likelihood"], norm.logpdf(y, mean, std).sum(), rtol=1e-12)
    assert found["log_likelihood_of_true"] < found["log_likelihood"]
    # The largest of the densities: at a point, with the smallest std there is.
    at, smallest = found["grid_argmax_of_largest_density"]
    assert smallest == 0.5
    assert np.abs(y - at).min() < 0.0051


def test_a_density_is_no_probability(result):
    found = result["normal"]
    np.testing.assert_allclose(found["density_at_half"], norm.pdf(0.5, 1, 2), rtol=1e-12)
    np.testing.assert_allclose(found["density_at_mean"]["0.01"], 100 / np.sqrt(2 * np.pi), rtol=1e-12)
    np.testing.assert_allclose(list(found["integral_over_mean"].values()), 1, rtol=1e-6)


def test_products_underflow():
    tenths = np.full(400, np.log(0.1))
    # The smallest numbers above 0 are 1.4e-45 and 4.9e-324; half of them rounds to 0.
    assert likelihood.underflow(tenths, np.float32) == 46
    assert likelihood.underflow(tenths, np.float64) == 324
    assert likelihood.underflow(tenths[:10], np.float64) == 11


def test_a_triangle_s_likelihood_by_hand():
    points = np.array([[0.5, 0.5], [1.0, 0.1]])
    small, large = 0.5 * CORNERS, 2 * CORNERS - 0.2
    found = likelihood.triangle_log_likelihood(points, np.stack([CORNERS, large, small, CORNERS[::-1]]))
    np.testing.assert_allclose(found, [0, -2 * np.log(4), -np.inf, 0], atol=1e-12)


def test_the_smallest_triangle(result):
    # With its corners among the points it is known.
    points = np.concatenate([CORNERS, np.random.default_rng(0).dirichlet(np.ones(3), 40) @ CORNERS])
    found = likelihood.smallest_triangle(points)
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(CORNERS, axis=0), atol=1e-4)
    # That of a square of side 1 has area 2.
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    np.testing.assert_allclose(likelihood.triangle_area(likelihood.smallest_triangle(square)), 2, rtol=1e-6)
    triangle = result["triangle"]
    assert triangle["area_of_smallest"] < triangle["area_of_true"]
    np.testing.assert_allclose(triangle["log_likelihood"], -20 * np.log(triangle["area_of_smallest"]), rtol=1e-9)
    assert triangle["log_likelihood_of_third_vertex"] <= triangle["log_likelihood"]
