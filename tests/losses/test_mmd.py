"""MMD against float64 loops over pairs, closed forms of Gaussians, and what rounding must not do."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

from jaxgen import losses

RNG = np.random.default_rng(12)
SCALES = (0.5, 3.0)
SEVEN_SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
KERNELS = {  # ours, and the same of one squared distance in float64
    "rbf": (losses.rbf, lambda d2: sum(math.exp(-d2 / (2 * s * s)) for s in SCALES)),
    "inverse_multiquadric": (losses.inverse_multiquadric, lambda d2: sum(c / (c + d2) for c in SCALES)),
}


def near_duplicates(x):
    """Rows 0 and 1 a millionth apart, the first too of y, and others equal within x and between the sets."""
    x = x.copy()
    x[1], x[8] = x[0] + np.float32(1e-6), x[0]
    x[3], x[7], x[9] = x[2], x[2], x[2]
    return x


SCATTERED = np.float32(RNG.normal(size=(14, 3)))
POINTS = {  # x and y below each other, 8 and 6 of them
    "scattered": SCATTERED,
    "near duplicates": near_duplicates(3 * SCATTERED),
    "one point": np.repeat(SCATTERED[:1], 14, axis=0),
    # Multiples of 2^-12, so that adding 1000 rounds nothing; squares of that size know a distance to 1e-1.
    "far from the origin": np.round(SCATTERED * 2**12) / 2**12 + 1000,
}
OF_THE_DISTANCE = {  # of no slope at 0: ours, and the same of one squared distance
    "laplace": (lambda d2: jnp.exp(-jnp.sqrt(d2) / 2), lambda d2: math.exp(-math.sqrt(d2) / 2)),
    "energy": (lambda d2: -jnp.sqrt(d2), lambda d2: -math.sqrt(d2)),
    "root of the distance": (lambda d2: 1 - (d2 / 100) ** 0.25, lambda d2: 1 - (d2 / 100) ** 0.25),
}
every_kernel = pytest.mark.parametrize("kernel", KERNELS)
every_estimate = pytest.mark.parametrize("estimate", ["mmd_unbiased", "mmd_biased"])


def by_loops(estimate, kernel, x, y):
    def mean(pairs):
        return np.mean([kernel(sum((u - v) ** 2 for u, v in zip(a, b, strict=True))) for a, b in pairs])

    def within(points):
        unbiased = estimate == "mmd_unbiased"
        return mean(itertools.permutations(points, 2) if unbiased else itertools.product(points, repeat=2))

    return within(x) + within(y) - 2 * mean(itertools.product(x, y))


def value_and_gradients(estimate, kernel, x, y, **options):
    loss = getattr(losses, estimate)
    return jax.jit(jax.value_and_grad(lambda *sets: loss(*sets, kernel, **options), (0, 1)))(x, y)


def assert_equal_with_gradients(found, of_flat, flat):
    """The value to 3e-6, and each slope to 1e-5 of that by finite differences."""
    value, gradients = found
    np.testing.assert_allclose(value, of_flat(flat), rtol=0, atol=3e-6)
    expected = optimize.approx_fprime(flat, of_flat).reshape(14, 3)
    np.testing.assert_allclose(np.concatenate(gradients), expected, rtol=0, atol=1e-5)


@every_kernel
def test_kernel_values(kernel):
    ours, oracle = KERNELS[kernel]
    d2 = np.array([[0.0, 1e-3, 0.7], [3.0, 40.0, 1e4]])
    np.testing.assert_allclose(ours(SCALES)(jnp.float32(d2)), np.vectorize(oracle)(d2), rtol=1e-6, atol=1e-30)
    assert ours(SCALES)(jnp.float32(0)) == len(SCALES)


@pytest.mark.parametrize("points", POINTS)
@pytest.mark.parametrize(("estimate", "block_size"), [("mmd_unbiased", 3), ("mmd_biased", 100)])
@every_kernel
def test_values_and_gradients(kernel, estimate, block_size, points):
    ours, oracle = KERNELS[kernel]
    x, y = np.split(POINTS[points], [8])

    def no_negative_distance(d2):
        return jnp.where(d2 < 0, jnp.nan, ours(SCALES)(d2))

    def of_flat(flat):
        return by_loops(estimate, oracle, *np.split(flat.reshape(14, 3), [8]))

    # Distances do not depend on the origin; the steps of the finite differences do.
    flat = np.ravel(np.float64(POINTS[points]) - 1000 * (points == "far from the origin"))
    found = value_and_gradients(estimate, no_negative_distance, x, y, block_size=block_size)
    assert_equal_with_gradients(found, of_flat, flat)


@pytest.mark.parametrize(("estimate", "block_size"), [("mmd_unbiased", 3), ("mmd_unbiased", 8), ("mmd_biased", 3)])
@pytest.mark.parametrize("kernel", OF_THE_DISTANCE)
def test_kernels_of_the_distance_itself(kernel, estimate, block_size):
    ours, oracle = OF_THE_DISTANCE[kernel]
    x, y = np.split(SCATTERED, [8])

    def of_flat(flat):
        return by_loops(estimate, oracle, *np.split(flat.reshape(14, 3), [8]))

    # Terms of order 1 and their slopes, of distances squared that are known to 1e-6: the nearest are .4 apart.
    found = value_and_gradients(estimate, ours, x, y, block_size=block_size)
    assert_equal_with_gradients(found, of_flat, np.ravel(np.float64(SCATTERED)))


@pytest.mark.parametrize(("estimate", "block_size"), [("mmd_unbiased", 3), ("mmd_unbiased", 8), ("mmd_biased", 3)])
@pytest.mark.parametrize("kernel", OF_THE_DISTANCE)
def test_points_at_no_distance_pull_at_nothing(kernel, estimate, block_size):
    # Each point twice within its set, and in the other; multiples of 1/4 are at distance 0 in float32 too.
    ours, oracle = OF_THE_DISTANCE[kernel]
    points = np.round(4 * SCATTERED[:7]) / 4
    x, y = points[[0, 0, 1, 1, 2, 2, 3, 4]], points[[0, 0, 1, 1, 5, 6]]
    flat = np.ravel(np.float64(np.concatenate([x, y])))

    def of_flat(flat):
        def constant_at_0(d2):
            return oracle(d2) if d2 > 1e-9 else oracle(0)

        return by_loops(estimate, constant_at_0, *np.split(flat.reshape(14, 3), [8]))

    _, gradients = value_and_gradients(estimate, ours, x, y, block_size=block_size)
    expected = optimize.approx_fprime(flat, of_flat).reshape(14, 3)
    np.testing.assert_allclose(np.concatenate(gradients), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("block_size", [3, 100])
@every_estimate
def test_a_kernel_keeps_shapes_and_gives_floats(estimate, block_size):
    x, y = jnp.asarray(SCATTERED[:8]), jnp.asarray(SCATTERED[8:])
    for wrong in (jnp.sum, lambda d2: d2[..., None], lambda d2: jnp.sum(d2, axis=-1), lambda d2: d2 > 1):
        with pytest.raises(AssertionError):
            getattr(losses, estimate)(x, y, wrong, block_size=block_size)


@pytest.mark.parametrize(("n", "m", "block_size"), [(64, 64, 16), (50, 37, 16)])
def test_blocks_change_nothing(n, m, block_size):
    x, y = jnp.float32(RNG.normal(size=(n, 8))), jnp.float32(RNG.normal(size=(m, 8)))
    kernel = losses.inverse_multiquadric([4.0, 16.0])
    blocked = value_and_gradients("mmd_unbiased", kernel, x, y, block_size=block_size)
    whole = value_and_gradients("mmd_unbiased", kernel, x, y, block_size=max(n, m))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), blocked, whole)


def test_means_over_draws_are_the_closed_form():
    # For x ~ N(0, I), y ~ N(mu, I): E k(x, x') = c = (s / (s + 2))^(Z / 2) and E k(x, y) = c exp(-|mu|^2 / 2(s + 2)),
    # s = sigma^2.
    n, m, size, s, draws = 12, 9, 2, 1.5, 4000
    kernel = losses.rbf([math.sqrt(s)])
    within = (s / (s + 2)) ** (size / 2)
    surplus = (1 - within) * (1 / n + 1 / m)
    for shift in (0.0, 0.6):
        key_x, key_y = jax.random.split(jax.random.key(3))
        x = jax.random.normal(key_x, (draws, n, size))
        y = jax.random.normal(key_y, (draws, m, size)) + shift
        expected = 2 * within * (1 - math.exp(-size * shift**2 / (2 * (s + 2))))
        for estimate, bias in (("mmd_unbiased", 0.0), ("mmd_biased", surplus)):
            loss = getattr(losses, estimate)
            values = np.float64(jax.jit(jax.vmap(lambda x, y, loss=loss: loss(x, y, kernel)))(x, y))
            margin = 4 * values.std(ddof=1) / math.sqrt(draws)  # exceeded by 1 in 16,000
            assert margin < surplus / 10  # so that neither estimate would pass for the other
            np.testing.assert_allclose(values.mean(), expected + bias, rtol=0, atol=margin)
            assert (values.min() < 0) == (estimate == "mmd_unbiased")


@pytest.mark.parametrize("block_size", [2, 100])
def test_a_point_is_paired_with_itself_never_or_at_distance_0(block_size):
    # All points differ, and have squares whose rounding alone is a distance.
    x, y = (jnp.float32(100 * RNG.normal(size=(count, 6))) for count in (9, 7))

    def is_zero(d2):
        return jnp.where(d2 == 0, 1.0, 0.0)

    def both(x, y):
        return [f(x, y, is_zero, block_size=block_size) for f in (losses.mmd_unbiased, losses.mmd_biased)]

    unbiased, biased = jax.jit(both)(x, y)
    assert unbiased == 0
    np.testing.assert_allclose(biased, 1 / 9 + 1 / 7, rtol=1e-6)


def test_half_precision_is_accumulated_in_float32():
    x, y = (jnp.float16(RNG.normal(size=(count, 16))) for count in (700, 600))
    value, gradients = value_and_gradients("mmd_biased", losses.inverse_multiquadric([32.0]), x, y)

    def mean(a, b):
        return np.mean(32 / (32 + np.square(np.float64(a)[:, None] - np.float64(b)[None]).sum(-1)))

    assert value.dtype == jnp.float32
    np.testing.assert_allclose(value, mean(x, x) + mean(y, y) - 2 * mean(x, y), rtol=0, atol=1e-6)
    assert [gradient.dtype for gradient in gradients] == [jnp.float16] * 2


@pytest.mark.parametrize(
    ("kernel", "n", "m"),
    [("rbf", 4096, 4096), ("inverse_multiquadric", 4096, 4096), ("inverse_multiquadric", 4095, 4001)],
)
def test_memory_of_value_and_gradient(kernel, n, m):
    # Each of the three Gram matrices would be 64 MiB, and as much for each bandwidth on the way back.
    def loss(x, y):
        return losses.mmd_unbiased(x, y, KERNELS[kernel][0](SEVEN_SCALES))

    shapes = [jax.ShapeDtypeStruct((count, 64), jnp.float32) for count in (n, m)]
    compiled = jax.jit(jax.value_and_grad(loss, (0, 1))).lower(*shapes).compile()
    assert compiled.memory_analysis().temp_size_in_bytes <= 80 * 2**20


@every_estimate
@pytest.mark.parametrize(
    ("x", "y"),
    [
        (jnp.zeros((4, 3)), jnp.zeros((4, 1))),
        (jnp.zeros((4, 3)), jnp.zeros(3)),
        (jnp.zeros((2, 4, 3)), jnp.zeros((2, 4, 3))),
        (jnp.zeros((4, 3)), jnp.zeros((4, 3), jnp.int32)),
        (jnp.zeros((4, 3), bool), jnp.zeros((4, 3))),
    ],
)
def test_wrong_arrays_are_refused(estimate, x, y):
    with pytest.raises(AssertionError):
        getattr(losses, estimate)(x, y, losses.rbf([1.0]))


@pytest.mark.parametrize(("estimate", "count"), [("mmd_unbiased", 1), ("mmd_unbiased", 0), ("mmd_biased", 0)])
def test_too_few_points_are_refused(estimate, count):
    few, many = jnp.zeros((count, 3)), jnp.zeros((4, 3))
    for sets in [(few, many), (many, few)]:
        with pytest.raises((AssertionError, ValueError), match="points|must not be empty"):
            getattr(losses, estimate)(*sets, losses.rbf([1.0]))


@pytest.mark.parametrize("block_size", [3, 100])
def test_a_kernel_of_pairs(block_size):
    """(x . y + 1)^2 sees where the origin is, and each point has a k(x, x) of its own."""
    x, y = np.split(SCATTERED, [8])

    def value_and_gradient(estimate):
        loss = lambda *sets: estimate(*sets, pair_kernel=lambda x, y: (x @ y + 1) ** 2, block_size=block_size)  # noqa: E731
        return jax.value_and_grad(loss, (0, 1))(x, y)

    def of_flat(flat, biased):
        x, y = np.split(flat.reshape(14, 3), [8])
        xx, yy, xy = ((a @ b.T + 1) ** 2 for a, b in ((x, x), (y, y), (x, y)))
        if biased:
            return xx.mean() + yy.mean() - 2 * xy.mean()
        return (xx.sum() - np.trace(xx)) / 56 + (yy.sum() - np.trace(yy)) / 30 - 2 * xy.mean()

    flat = np.ravel(np.float64(SCATTERED))
    for estimate, biased in ((losses.mmd_unbiased, False), (losses.mmd_biased, True)):
        value, gradients = value_and_gradient(estimate)
        largest = (np.square(SCATTERED).sum(axis=1).max() + 1) ** 2  # of the terms that are summed
        np.testing.assert_allclose(value, of_flat(flat, biased), rtol=0, atol=1e-6 * largest)
        expected = optimize.approx_fprime(flat, of_flat, 1e-6, biased).reshape(14, 3)
        np.testing.assert_allclose(np.concatenate(gradients), expected, rtol=0, atol=1e-5 * largest)


@every_estimate
def test_a_kernel_of_pairs_and_one_of_distances_are_the_same_loss(estimate):
    x, y = np.split(SCATTERED, [8])
    pairs = getattr(losses, estimate)(x, y, pair_kernel=lambda x, y: 2 / (2 + jnp.sum(jnp.square(x - y))))
    distances = getattr(losses, estimate)(x, y, losses.inverse_multiquadric([2.0]))
    np.testing.assert_allclose(pairs, distances, rtol=0, atol=1e-6)


@every_estimate
def test_one_kernel_is_expected_and_one_value_for_a_pair(estimate):
    loss, x = getattr(losses, estimate), jnp.zeros((4, 3))
    with pytest.raises(ValueError, match=f"{estimate}: expected either kernel or pair_kernel, got neither"):
        loss(x, x)
    with pytest.raises(ValueError, match=f"{estimate}: expected either kernel or pair_kernel, got both"):
        loss(x, x, losses.rbf([1.0]), pair_kernel=jnp.dot)
    with pytest.raises(AssertionError, match=r"pair_kernel\(x, y\) must be \[\], got float32 \(3,\)"):
        loss(x, x, pair_kernel=jnp.multiply)


def test_one_point_is_a_set_to_the_biased_estimate():
    found = losses.mmd_biased(jnp.zeros((1, 2)), jnp.ones((1, 2)), losses.rbf([1.0]))
    np.testing.assert_allclose(found, 2 - 2 * math.exp(-1), rtol=1e-6)


@every_estimate
def test_a_block_of_no_rows_is_refused(estimate):
    with pytest.raises(ValueError, match="block_size"):
        getattr(losses, estimate)(jnp.zeros((4, 3)), jnp.zeros((4, 3)), losses.rbf([1.0]), block_size=0)


@pytest.mark.parametrize("values", [[], [0.0], [1.0, -1.0], [math.nan]])
def test_scales_of_kernels_are_positive(values):
    with pytest.raises(ValueError, match="bandwidths"):
        losses.rbf(values)
    with pytest.raises(ValueError, match="scales"):
        losses.inverse_multiquadric(values)
