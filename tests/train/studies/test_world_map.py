"""The sphere by hand, kernels against SciPy, and rates of points of which it is known what they are."""

import json
import types

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import vonmises_fisher

from train.__main__ import main
from train.studies import world_map
from train.studies.world import kernel_density, land, rates

RANDOM = np.random.default_rng(0)


def at(*degrees: tuple[float, float]) -> np.ndarray:
    """Unit vectors of (longitude, latitude)."""
    longitude, latitude = np.radians(np.array(degrees, float)).T
    x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    return np.stack([x, y, np.sin(latitude)], axis=1)


def on_sphere(num: int) -> np.ndarray:
    points = RANDOM.normal(size=(num, 3))
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def test_land_is_where_it_is():
    # Moscow, Kansas, the Sahara, the south pole; the Atlantic, the Pacific beside the date line, the north pole.
    known = at((37.6, 55.8), (-98, 38), (10, 23), (0, -90), (-30, 30), (-179.9, 0), (179.9, 0), (0, 90))
    np.testing.assert_array_equal(land.is_land(known), [True] * 4 + [False] * 4)
    assert not land.is_land(np.full((1, 3), np.nan)).any()
    # 29.2 % of the earth, a little less as islands are lost.
    assert 0.28 < land.share_of_land() < 0.295
    drawn = land.draw_land(np.random.default_rng(1), 1000)
    assert drawn.shape == (1000, 3)
    assert land.is_land(drawn).all()


def test_the_plane_and_back():
    points = on_sphere(100)
    np.testing.assert_allclose(land.to_sphere(land.to_plane(points)), points, atol=1e-12)
    np.testing.assert_allclose(land.to_plane(at((90, 30))), [[np.pi / 4, 0.5]], atol=1e-12)
    round_once = land.to_plane(points) + np.array([np.pi, 0])
    np.testing.assert_allclose(land.to_sphere(round_once), points, atol=1e-12)
    assert np.isnan(land.to_sphere(np.array([[0.0, 1.01]]))).all()


def test_distances_are_arcs():
    ninety, small = at((0, 0), (90, 0)), at((0, 0), (0, 1e-4))
    np.testing.assert_allclose(land.nearest(ninety[:1], ninety[1:]), np.pi / 2)
    np.testing.assert_allclose(land.nearest(small[:1], small[1:]), np.radians(1e-4), rtol=1e-6)
    three = at((0, 0), (0, 10), (0, 11))
    np.testing.assert_allclose(np.degrees(land.nearest_of_each_other(three)), [10, 1, 1])
    np.testing.assert_array_equal(land.nearest(np.full((1, 3), np.nan), three), [np.inf])


def test_cells_have_equal_areas():
    cells = np.bincount(land.cells_of(on_sphere(120_000)), minlength=1200)
    # A hundred each, of a binomial.
    assert np.abs(cells - 100).max() < 5.5 * 10
    assert land.cells_of(np.full((1, 3), np.nan)) == -1
    assert abs(len(land.land_cells()) / 1200 - land.share_of_land()) < 0.02
    # Those of Australia's middle and of the Sahara, and none of the Atlantic's.
    np.testing.assert_array_equal(
        np.isin(land.cells_of(at((134, -25), (10, 23), (-30, 30))), land.land_cells()), [1, 1, 0]
    )


def test_kernels_are_those_of_scipy():
    centers, points = on_sphere(5), on_sphere(20)
    for width in (0.05, 0.3, 2.0):
        each = [vonmises_fisher(center, width**-2).pdf(points) for center in centers]
        found = np.exp(kernel_density.log_density(points, centers, width))
        np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-9, atol=1e-300)
        cosine = kernel_density.draw(RANDOM, centers[:1], width, 4000) @ centers[0]
        # The mean of the cosine is coth kappa - 1 / kappa, its standard deviation at most width^2 or 0.6.
        margin = 4.5 * min(width**2, 0.6) / np.sqrt(4000)
        assert abs(cosine.mean() - (1 / np.tanh(width**-2) - width**2)) < margin


def test_rates_of_known_points():
    train = land.draw_land(np.random.default_rng(2), 400)
    training = rates.of_training(train)
    own = land.nearest_of_each_other(train)
    # Two points that are each other's nearest are at one distance.
    assert abs((own < training.copy_within).mean() - 0.05) <= 2 / 400

    copies, water = rates.measure(training, train), rates.measure(training, at(*[(-30, 30)] * 50))
    assert (copies["memorization"].value, copies["off_support"].value) == (1, 0)
    assert (water["memorization"].value, water["off_support"].value, water["coverage"].value) == (0, 1, 0)
    beyond = rates.measure(training, np.full((50, 3), np.nan))
    assert (beyond["memorization"].value, beyond["off_support"].value) == (0, 1)
    # Twenty thousand points of the land leave hardly a cell of it out.
    everywhere = land.draw_land(np.random.default_rng(3), 20_000)
    assert rates.measure(training, everywhere)["coverage"].value > 0.99


def uniform_run(test: np.ndarray) -> types.SimpleNamespace:
    """A run whose model is uniform on the sphere: on a plane of area 2 pi."""
    recipe = types.SimpleNamespace(
        draw_x=None,
        encode=None,
        sample=lambda key, model, num: jax.random.uniform(
            key, (num, 2), minval=jnp.array([-np.pi / 2, -1]), maxval=jnp.array([np.pi / 2, 1])
        ),
        log_prob=lambda key, model, x, num_samples: jnp.full(len(x), -np.log(2 * np.pi), jnp.float32),
        log_prob_is="exact",
    )
    dataset = types.SimpleNamespace(test={"x": np.float32(land.to_plane(test))})
    return types.SimpleNamespace(recipe=recipe, models=[()], dataset=dataset)


def test_the_study_measures_kernels_and_networks(tmp_path, monkeypatch):
    monkeypatch.setattr(
        world_map, "train_networks", lambda options, points, out: {"uniform": uniform_run(points["test"])}
    )
    main(["study", "world_map", "--num", "300", "--samples", "1500", "--out", str(tmp_path / "out")])
    result = json.loads((tmp_path / "out" / "world_map.json").read_text())
    found = result["generators"]

    narrow, best, wide = (found[name] for name in found if name.startswith("kernels"))
    assert narrow["memorization"]["value"] > 0.95
    assert narrow["off_support"]["value"] < 0.05 < best["off_support"]["value"] < wide["off_support"]["value"]
    assert best["nll"]["value"] < min(narrow["nll"]["value"], wide["nll"]["value"])
    # No density is better than the truth.
    assert result["nll_of_the_truth"] < best["nll"]["low"]
    assert found["points of the land"]["off_support"]["value"] == 0
    uniform, share = found["uniform"], result["share_of_land"]
    np.testing.assert_allclose(uniform["nll"]["value"], np.log(4 * np.pi), rtol=1e-6)
    assert abs(uniform["off_support"]["value"] - (1 - share)) < 4.5 * np.sqrt(share * (1 - share) / 1500)
    assert (tmp_path / "out" / "world_map.png").stat().st_size > 10_000
