"""Preprocessing of one example: exact values where there are any, worked-out margins where there are not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgen import preprocess

BYTES = np.arange(256, dtype=np.uint8)


@pytest.fixture
def every_word_once(monkeypatch):
    """Random words of which the upper and the lower 16 bits each take every value once."""
    words = np.arange(65536, dtype=np.uint32)
    words = words << 16 | words[::-1]

    def bits(key, shape, dtype):
        assert shape == (65536,)
        assert dtype == jnp.uint32
        return jnp.asarray(words)

    monkeypatch.setattr(jax.random, "bits", bits)


def ones_of(value, dtype):
    """Of 2 * 65536 pixels of this value, how many are 1 under `every_word_once`: the probability times 2 * 65536."""
    return int(preprocess.binarize(jax.random.key(0), jnp.full(2 * 65536, value, dtype)).sum())


@pytest.mark.usefixtures("every_word_once")
def test_binarize_has_the_probability_of_every_byte():
    found = np.array([ones_of(value, jnp.uint8) for value in BYTES]) / (2 * 65536)
    np.testing.assert_allclose(found, BYTES / 255, rtol=0, atol=1e-5)  # thresholds of 8 bits would miss by up to 4e-3
    assert found[0] == 0
    assert found[255] == 1


@pytest.mark.usefixtures("every_word_once")
@pytest.mark.parametrize("probability", [0.0, 1e-4, 0.3, 0.5, 0.9999, 1.0])
def test_binarize_has_the_probability_of_a_float(probability):
    found = ones_of(probability, jnp.float32) / (2 * 65536)
    np.testing.assert_allclose(found, probability, rtol=0, atol=1e-5 * (0 < probability < 1))


@pytest.mark.parametrize("dtype", [jnp.uint8, jnp.float32])
def test_binarize_keeps_the_ends(dtype):
    ends = np.random.default_rng(0).integers(0, 2, (50, 51))
    x = jnp.asarray(ends * 255 if dtype == jnp.uint8 else ends, dtype)
    for seed in range(5):
        np.testing.assert_array_equal(preprocess.binarize(jax.random.key(seed), x), ends)


@pytest.mark.parametrize("shape", [(), (1,), (2,), (7, 5), (28, 28, 1)])
def test_binarize_keeps_the_shape_and_every_pixel_is_drawn(shape):
    keys = jax.random.split(jax.random.key(1), 400)
    drawn = jax.jit(jax.vmap(preprocess.binarize, in_axes=(0, None)))(keys, jnp.full(shape, 0.5))
    assert drawn.shape == (400, *shape)
    assert drawn.dtype == jnp.float32
    assert np.isin(drawn, [0.0, 1.0]).all()
    # Each pixel is binomial(400, 1/2), of standard deviation 10: beyond 6 of them once in 500 million.
    np.testing.assert_allclose(np.sum(drawn, axis=0), 200, rtol=0, atol=60)


def test_binarize_reads_both_halves_of_a_word_once():
    # Pixels that share a word would be equal if the same bits were read twice: a correlation of 1.
    num_words = 100_000
    signs = 2 * preprocess.binarize(jax.random.key(2), jnp.full(2 * num_words, 0.5)) - 1
    correlation = [np.mean(signs[:num_words] * signs[num_words:]), np.mean(signs[::2] * signs[1::2])]
    np.testing.assert_allclose(correlation, 0, rtol=0, atol=6 / np.sqrt(num_words))
    np.testing.assert_allclose(np.mean(signs), 0, rtol=0, atol=6 / np.sqrt(2 * num_words))


def test_binarize_draws_anew_under_another_key():
    x = jnp.full(10_000, 0.5)
    first, second = (preprocess.binarize(jax.random.key(seed), x) for seed in (3, 4))
    np.testing.assert_array_equal(preprocess.binarize(jax.random.key(3), x), first)
    # The pixels that differ are binomial(10000, 1/2), of standard deviation 50.
    assert abs(np.sum(first != second) - 5000) < 300


@pytest.mark.parametrize("function", [preprocess.binarize, preprocess.dequantize])
def test_examples_of_a_batch_are_drawn_from_their_own_keys(function):
    x = np.random.default_rng(1).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    batch = jax.jit(jax.vmap(function))(jax.random.split(jax.random.key(5), 6), jnp.asarray(x))
    for i, key in enumerate(jax.random.split(jax.random.key(5), 6)):
        np.testing.assert_array_equal(batch[i], function(key, jnp.asarray(x[i])))


def test_scale():
    found = preprocess.scale(jax.random.key(0), jnp.asarray(BYTES))
    np.testing.assert_allclose(found, BYTES / 255, rtol=1e-7)
    assert found.dtype == jnp.float32
    assert (found[0], found[255]) == (0, 1)


def test_scale_symmetric():
    found = preprocess.scale_symmetric(jax.random.key(0), jnp.asarray(BYTES))
    np.testing.assert_allclose(found, BYTES / 127.5 - 1, rtol=0, atol=2e-7)
    assert (found[0], found[255]) == (-1, 1)
    np.testing.assert_allclose(preprocess.scale_symmetric.to_unit(found), BYTES / 255, rtol=0, atol=2e-7)
    half = preprocess.scale_symmetric(jax.random.key(0), jnp.array([0.0, 0.25, 1.0]))
    np.testing.assert_array_equal(half, [-1, -0.5, 1])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_floats_pass_through_scale(dtype):
    # In the units of the model already, whatever these are.
    found = preprocess.scale(jax.random.key(0), jnp.array([-3.5, 0.0, 0.25, 255.0], dtype))
    np.testing.assert_array_equal(found, [-3.5, 0, 0.25, 255])
    assert found.dtype == jnp.float32


def test_dequantize_stays_in_the_cell_of_its_value():
    x = np.tile(BYTES, 200)
    found = np.asarray(preprocess.dequantize(jax.random.key(6), jnp.asarray(x)))
    assert found.dtype == np.float32
    place = found.astype(np.float64) * 256 - x
    assert place.min() >= 0
    assert place.max() <= 1
    # Uniform within: mean 1/2 and variance 1/12, 6 standard deviations of their estimates from 51,200 draws.
    np.testing.assert_allclose(place.mean(), 1 / 2, rtol=0, atol=6 * np.sqrt(1 / 12 / place.size))
    np.testing.assert_allclose(place.var(), 1 / 12, rtol=0, atol=6 * np.sqrt(1 / 180 / place.size))


def test_dequantize_never_reaches_the_next_value():
    # In float32, 255 + u rounds to 256 for u within 2^-17 of 1: expected 32 times in these draws, none with odds e^-32.
    found = preprocess.dequantize(jax.random.key(7), jnp.full(2**22, 255, jnp.uint8))
    assert found.max() < 1


def test_dequantized_bytes_drawn_uniformly_take_eight_bits_each():
    nats = preprocess.dequantize.log_det(jnp.zeros((3, 4, 5)))  # of a density that is 1 on [0, 1)
    np.testing.assert_allclose(nats / (20 * np.log(2)), [8, 8, 8], rtol=1e-6)


def test_dequantize_takes_bytes_alone():
    with pytest.raises(ValueError, match="only uint8 can be dequantized, got float32"):
        preprocess.dequantize(jax.random.key(0), jnp.zeros(3))


@pytest.mark.parametrize("name", ["binarize", "dequantize", "scale", "scale_symmetric"])
@pytest.mark.parametrize("dtype", ["int32", "bool", "int8", "uint16"])
def test_other_dtypes_are_refused(name, dtype):
    with pytest.raises(ValueError, match=f"x must be uint8 or floating, got {dtype}"):
        getattr(preprocess, name)(jax.random.key(0), jnp.zeros((2, 2), dtype))


def test_quantize_is_the_bin_of_every_byte():
    x = jnp.arange(256, dtype=jnp.uint8)
    for levels in (2, 5, 16, 256):
        found = np.asarray(preprocess.quantize(levels)(jax.random.key(0), x))
        expected = np.floor(np.arange(256) * levels / 256) / (levels - 1)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(found, preprocess.scale(jax.random.key(0), x))
    ends = preprocess.quantize(2)(jax.random.key(0), jnp.array([0.0, 0.49, 0.5, 1.0]))
    np.testing.assert_array_equal(ends, [0, 0, 1, 1])
    with pytest.raises(ValueError, match="levels must be 2 to 256"):
        preprocess.quantize(1)


def test_mutate_replaces_its_share_by_any_level():
    x = jnp.full(50_000, 51, jnp.uint8)
    found = np.asarray(preprocess.mutate(preprocess.scale, 0.2, 6)(jax.random.key(0), x))
    kept = np.round(5 * found) == 1  # 51 is 1 of 5
    # One in six replaced values is the old one; four standard deviations.
    share = 0.2 * 5 / 6
    assert abs((~kept).mean() - share) < 4 * np.sqrt(share * (1 - share) / 50_000)
    assert set(np.round(5 * found[~kept]).astype(int)) == {0, 2, 3, 4, 5}
    with pytest.raises(ValueError, match="rate must lie"):
        preprocess.mutate(preprocess.scale, 1.5, 6)


@pytest.mark.parametrize("alpha", [1e-6, 0.05])
def test_logit_squashes_dequantized_values(alpha):
    prepare = preprocess.logit(alpha)
    found = np.asarray(prepare(jax.random.key(0), jnp.asarray(BYTES)))
    unit = np.float64(preprocess.dequantize(jax.random.key(0), jnp.asarray(BYTES)))
    squashed = alpha + (1 - 2 * alpha) * unit

    # Up to 14 in size, of logarithms that are each rounded once.
    np.testing.assert_allclose(found, np.log(squashed) - np.log1p(-squashed), rtol=1e-6, atol=2e-6)
    assert found.dtype == np.float32
    back = np.asarray(prepare.to_unit(jnp.asarray(found)))
    np.testing.assert_allclose(back, unit, rtol=0, atol=2e-6)
    ends = prepare.to_unit(jnp.array([-1e4, -15.0, 0.0, 15.0, 1e4]))
    np.testing.assert_allclose(ends, [0, 0, 0.5, 1, 1], rtol=0, atol=1e-6)


def test_the_logit_takes_floats_as_dequantized():
    unit = np.array([0.0, 0.25, 0.5, 1.0], np.float32)
    squashed = 1e-3 + (1 - 2e-3) * np.float64(unit)
    found = preprocess.logit(1e-3)(jax.random.key(0), jnp.asarray(unit))
    np.testing.assert_allclose(found, np.log(squashed / (1 - squashed)), rtol=1e-6, atol=2e-6)


def test_the_log_det_of_the_logit_is_that_of_the_jacobian():
    prepare = preprocess.logit(1e-3)
    v = np.random.default_rng(0).uniform(0, 256, (3, 5))

    def of_bytes(v: jax.Array) -> jax.Array:
        unit = v / 256
        squashed = 1e-3 + (1 - 2e-3) * unit
        return jnp.log(squashed / (1 - squashed))

    jacobians = jax.vmap(jax.jacobian(of_bytes))(jnp.float32(v))
    expected = -np.linalg.slogdet(np.float64(jacobians))[1]
    x = of_bytes(jnp.float32(v))
    np.testing.assert_allclose(prepare.log_det(x), expected, rtol=1e-5, atol=1e-4)

    # Bits of a density that is uniform over 0..256: 8 a value, whatever the alpha.
    squashed = 1e-3 + (1 - 2e-3) * v / 256
    log_prob_x = (np.log(1 / 256) - np.log((1 - 2e-3) / 256 / (squashed * (1 - squashed)))).sum(axis=1)
    bits = (np.asarray(prepare.log_det(x)) - log_prob_x) / (5 * np.log(2))
    np.testing.assert_allclose(bits, 8, rtol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_an_alpha_without_an_inside_is_refused(alpha):
    with pytest.raises(ValueError, match=r"alpha must lie in \(0, 1/2\)"):
        preprocess.logit(alpha)


def test_standardize():
    mean, std = np.array([0.1, 0.5, 0.2]), np.array([0.2, 0.0, 0.4])
    prepare = preprocess.standardize(mean, std)
    x = np.array([[0, 128, 255], [10, 20, 30]], np.uint8)
    found = prepare(jax.random.key(0), jnp.asarray(x))

    np.testing.assert_allclose(found, (x / 255 - mean) / [0.2, 1, 0.4], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(prepare.to_unit(found), x / 255, rtol=0, atol=1e-6)
    assert prepare.log_det is None


def test_conditions_made_of_an_image():
    x = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    key = jax.random.key(0)
    expected = [[x[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean((0, 1)) / 255 for column in range(3)]
                for row in range(2)]  # fmt: skip
    np.testing.assert_allclose(preprocess.shrink(2)(key, x), expected, atol=1e-6)
    grey = np.asarray(Image.fromarray(x).convert("L"))  # rounded to whole numbers, by weights of 16 bits
    np.testing.assert_allclose(preprocess.grey(key, x)[..., 0] * 255, grey, atol=0.51)
    np.testing.assert_allclose(preprocess.grey(key, jnp.ones((1, 1, 3))), 1, atol=1e-6)
    for condition, said in [(preprocess.shrink(4), "factor must divide height and width, got 4"),
                            (preprocess.grey, r"x must be \[H, W, 3\]")]:  # fmt: skip
        with pytest.raises(ValueError, match=said):
            condition(key, x[..., :1])
