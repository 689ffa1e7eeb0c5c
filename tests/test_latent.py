"""Walks and interpolation against NumPy in float64, and the identities that they obey."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import latent

RNG = np.random.default_rng(3)
CODES = RNG.normal(size=(200, 6)).astype(np.float32)
LABELS = RNG.integers(0, 5, 200)
START, END = RNG.normal(size=(2, 7, 6)).astype(np.float32)


def test_centroids_are_class_means_and_an_empty_class_is_nan():
    centroids = jax.jit(latent.class_centroids, static_argnums=2)(CODES, LABELS, 6)

    for label in range(5):
        expected = np.float64(CODES)[label == LABELS].mean(0)
        np.testing.assert_allclose(centroids[label], expected, rtol=1e-5, atol=1e-6)
    assert np.isnan(centroids[5]).all()


def test_centroids_of_many_short_floats_are_summed_in_float32():
    np.testing.assert_array_equal(latent.class_centroids(jnp.ones((3000, 2), jnp.bfloat16), np.zeros(3000, int), 1), 1)


def test_a_code_without_a_class_counts_nowhere():
    found = latent.class_centroids(jnp.ones((3, 2)), np.array([0, -1, 0]), 2)
    np.testing.assert_array_equal(found, [[1, 1], [np.nan, np.nan]])


def test_a_direction_leads_from_source_to_target():
    centroids = jnp.asarray(CODES[:5])
    arrived = latent.walk(centroids[2:3], latent.direction(centroids, 2, 4), jnp.array([1.0]))

    np.testing.assert_allclose(arrived[0, 0], CODES[4], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(latent.direction(centroids, 4, 2), -latent.direction(centroids, 2, 4))


@pytest.mark.parametrize("index", [-1, 10, np.int64(10)])
def test_a_direction_needs_classes_that_there_are(index):
    centroids = jnp.asarray(CODES[:10])
    with pytest.raises(ValueError, match=rf"target must be one of the 10 classes 0\.\.9, got {index}"):
        latent.direction(centroids, 0, index)
    with pytest.raises(ValueError, match=rf"source must be one of the 10 classes 0\.\.9, got {index}"):
        latent.direction(centroids, index, 0)
    for source, target in ((0, index), (index, 0)):
        assert np.isnan(jax.jit(latent.direction)(centroids, jnp.int32(source), jnp.int32(target))).all()


def test_a_direction_between_classes_in_arrays():
    found = jax.jit(latent.direction)(jnp.asarray(CODES[:10]), jnp.int32(0), jnp.int32(9))
    np.testing.assert_array_equal(found, CODES[9] - CODES[0])


def test_all_pairs_in_order():
    centroids = CODES[:10]
    pairs = [(a, b) for a in range(10) for b in range(a + 1, 10)]
    expected = np.array([centroids[a] - centroids[b] for a, b in pairs])

    directions = latent.pairwise_directions(jnp.asarray(centroids))
    assert directions.shape == (45, 6)
    np.testing.assert_array_equal(directions, expected)
    swapped = latent.pairwise_directions(jnp.asarray(centroids[::-1]))
    np.testing.assert_array_equal(swapped[0], centroids[9] - centroids[8])


def test_a_walk_is_linear_and_starts_where_alpha_is_0():
    alphas = np.linspace(-3, 3, 7, dtype=np.float32)
    path = jax.jit(latent.walk)(START, END[0], alphas)

    assert path.shape == (7, 7, 6)
    np.testing.assert_array_equal(path[3], START)
    expected = np.float64(START)[None] + np.float64(alphas)[:, None, None] * np.float64(END[0])
    np.testing.assert_allclose(path, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(latent.walk(START, -END[0], -alphas), path, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("between", [latent.interpolate, latent.slerp])
def test_interpolation_has_its_ends(between):
    path = jax.jit(between)(START, END, jnp.array([0.0, 0.5, 1.0]))

    assert path.shape == (3, 7, 6)
    np.testing.assert_allclose(path[0], START, atol=1e-6)
    np.testing.assert_allclose(path[2], END, atol=1e-6)
    back = between(END, START, jnp.array([0.5]))
    np.testing.assert_allclose(back[0], path[1], atol=1e-6)


def test_the_line_in_the_middle_is_the_mean():
    np.testing.assert_allclose(latent.interpolate(START, END, jnp.array([0.5]))[0], (START + END) / 2, atol=1e-6)


def test_slerp_keeps_the_norm_and_the_pace():
    start, end = (3 * z / np.linalg.norm(z, axis=1, keepdims=True) for z in (START, END))
    weights = np.linspace(0, 1, 11, dtype=np.float32)
    path = np.float64(latent.slerp(jnp.asarray(start), jnp.asarray(end), weights))

    np.testing.assert_allclose(np.linalg.norm(path, axis=-1), 3, rtol=1e-5)
    whole = np.arccos((np.float64(start) * end).sum(-1) / 9)
    cosines = (path * start).sum(-1) / 9
    np.testing.assert_allclose(np.arccos(np.clip(cosines, -1, 1)), weights[:, None] * whole, atol=2e-3)


@pytest.mark.parametrize("scale", [1.0, 1 + 1e-7, 2.0])
def test_slerp_of_parallel_codes_is_the_line(scale):
    weights = jnp.array([0.25])
    start = jnp.asarray(START)

    np.testing.assert_allclose(latent.slerp(start, scale * start, weights)[0], (0.75 + 0.25 * scale) * START, rtol=1e-5)


def test_slerp_from_and_to_zero_is_the_line():
    nothing, weights = jnp.zeros_like(START), jnp.array([0.25])
    np.testing.assert_allclose(latent.slerp(nothing, START, weights)[0], 0.25 * START, rtol=1e-6)
    np.testing.assert_allclose(latent.slerp(START, nothing, weights)[0], 0.75 * START, rtol=1e-6)
    np.testing.assert_array_equal(latent.slerp(nothing, nothing, weights)[0], nothing)


def slerp_in_float64(start, end, weight):
    """White 2016, as it stands there."""
    start, end = np.float64(start), np.float64(end)
    cosine = start @ end / np.linalg.norm(start) / np.linalg.norm(end)
    angle = np.arccos(np.clip(cosine, -1, 1))
    return (np.sin((1 - weight) * angle) * start + np.sin(weight * angle) * end) / np.sin(angle)


@pytest.mark.parametrize("scale", [1e-32, 1e-30, 1e-19, 1.0, 1e19, 1e30, 1e37])
@pytest.mark.parametrize("other", [1.0, 1e-3])
def test_slerp_of_codes_of_any_size(scale, other):
    # Squares of codes beyond 1e19 overflow float32, those of codes below 1e-19 vanish.
    found = np.float64(latent.slerp(jnp.asarray(START * scale), jnp.asarray(END * scale * other), jnp.array([0.3])))[0]
    expected = np.array([slerp_in_float64(a, other * np.float64(b), 0.3) for a, b in zip(START, END, strict=True)])
    np.testing.assert_allclose(found / scale, expected, rtol=0, atol=2e-6 * np.abs(START).max())


@pytest.mark.parametrize("angle", [0.99e-4, 1.01e-4, 1e-2, 1.0, 3.0, np.pi - 1e-2])
def test_slerp_of_every_angle(angle):
    start, across = np.linalg.qr(RNG.normal(size=(6, 2)))[0].T
    start, end = np.float32(3 * start), np.float32(np.cos(angle) * start + np.sin(angle) * across)
    found = latent.slerp(start[None], end[None], jnp.array([0.3]))[0, 0]
    # The angle is known to about 1e-7, and 1 / sin(angle) to as much over the square of the sine.
    np.testing.assert_allclose(found, slerp_in_float64(start, end, 0.3), rtol=0, atol=2e-6 / np.sin(max(angle, 1)) ** 2)


def test_slerp_of_half_precision_knows_equal_codes():
    codes = jnp.asarray(START, jnp.float16)
    value, slope = jax.value_and_grad(lambda end: latent.slerp(codes, end, jnp.array([0.25])).sum())(codes)
    np.testing.assert_allclose(value, np.float64(codes).sum(), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(slope, np.full(codes.shape, 0.25))


def test_slerp_of_opposite_codes_is_the_line():
    for scale in (-1.0, -3.0):
        found = latent.slerp(jnp.asarray(START), jnp.asarray(scale * START), jnp.array([0.25]))[0]
        np.testing.assert_allclose(found, (0.75 + 0.25 * scale) * START, rtol=0, atol=1e-6)


def test_shapes_that_do_not_fit_raise():
    with pytest.raises(AssertionError):
        latent.walk(START, END, jnp.ones(3))
    with pytest.raises(AssertionError):
        latent.walk(START, END[0, :5], jnp.ones(3))
    with pytest.raises(AssertionError):
        latent.interpolate(START, END[:3], jnp.ones(3))
    with pytest.raises(AssertionError):
        latent.class_centroids(CODES, LABELS[:-1], 5)


@pytest.mark.parametrize("function", [latent.interpolate, latent.slerp])
def test_scalars_and_single_codes_are_named(function):
    name, weights = function.__name__, jnp.ones(3)
    with pytest.raises(AssertionError, match=rf"{name}: weights must be \[A\], got float32 \(\)"):
        function(START, END, 0.5)
    with pytest.raises(AssertionError, match=rf"{name}: z_end must be \[B, Z\], got float32 \(\d+,\)"):
        function(START, END[0], weights)
    with pytest.raises(AssertionError, match=rf"{name}: z_start must be \[B, Z\], got float32 \(\)"):
        function(jnp.float32(1), END, weights)
    with pytest.raises(AssertionError, match=rf"{name}: z_start must not be empty"):
        function(START[:0], END[:0], weights)
    with pytest.raises(AssertionError, match=r"walk: alphas must be \[A\], got float32 \(\)"):
        latent.walk(START, END[0], 2.0)
    with pytest.raises(AssertionError, match=r"walk: direction must be \[Z\], got float32"):
        latent.walk(START, END, weights)
