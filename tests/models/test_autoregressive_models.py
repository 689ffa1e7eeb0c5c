"""Causality, blind spots and cached columns of the autoregressive models, and MADE's masks against brute force."""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxgen import models
from jaxgen.models.layers.masked import rows_above

GREY, RGB, SMALL_RGB = (6, 5, 1), (4, 5, 3), (3, 4, 3)
Y = jnp.array([0, 3])
SMALL_IMAGES = jnp.float32(np.random.default_rng(2).uniform(size=(2, 2, 3, 2)))
# name: (network, y)
NETWORKS = {
    "pixelcnn": (models.PixelCNN(GREY, 4, 3, 8), None),
    "pixelcnn_rgb": (models.PixelCNN(RGB, 6, 2, 9, (5,), condition_dim=4), Y),
    "gated": (models.GatedPixelCNN(GREY, 4, 3, 8), None),
    # Channels that three colours do not divide: a gate joins two of one colour.
    "gated_rgb": (models.GatedPixelCNN(RGB, 4, 2, 8, (5,), condition_dim=4), Y),
    "gated_image": (models.GatedPixelCNN((4, 6, 1), 4, 2, 8, condition_dim=(2, 3, 2)), SMALL_IMAGES),
    "row_lstm_rgb": (models.PixelRNN(SMALL_RGB, 3, 2, 6, (3,), condition_dim=4), Y),
    "diagonal_lstm_rgb": (models.PixelRNN(SMALL_RGB, 3, 2, 6, (3,), lstm="diagonal"), None),
    "pixel_lstm": (models.PixelRNN(GREY, 4, 1, 6, lstm="pixel"), None),
    "made": (models.MADE(GREY, (40, 30)), None),
    "made_ensemble": (models.MADE(GREY, (40,), num_masks=3, condition_dim=4), Y),
    "made_random_order": (models.MADE(GREY, (40, 30), mask_seed=1, ordering="random", direct=True), None),
    "made_direct_ensemble": (models.MADE(GREY, (40,), num_masks=3, direct=True, condition_dim=4), Y),
    "made_without_hidden": (models.MADE(GREY, (), ordering="random", direct=True, condition_dim=4), Y),
    "made_gaussian": (
        models.MADE(GREY, (40,), condition_dim=4, parameters=(2,), degrees="sequential", condition_layers="first"),
        Y,
    ),
}
# Those of one colour have the layers of those of three, and compile for as long.
every_network = pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("pixelcnn", "gated")])


@functools.cache
def initialized(name: str) -> tuple:
    """(network, parameters that are nowhere 0, x [2, ...], y)."""
    network, y = NETWORKS[name]
    random = np.random.default_rng(1)

    def draw(leaf: jax.ShapeDtypeStruct) -> jax.Array:
        if len(leaf.shape) > 1:
            return jnp.float32(random.normal(size=leaf.shape) / math.sqrt(math.prod(leaf.shape[:-1])))
        return jnp.float32(1 + 0.1 * random.normal(size=leaf.shape))  # biases that leave few units at 0

    x = jnp.float32(random.uniform(size=(2, *network.shape)))
    return network, jax.tree.map(draw, jax.eval_shape(network.init, jax.random.key(0), x, y)), x, y


def order_of(network: nn.Module) -> np.ndarray:
    """The values in the order in which they are drawn, [D]."""
    order = getattr(network, "order", None)
    return np.arange(math.prod(network.shape)) if order is None else np.asarray(order)


def sees(name: str, rngs: dict | None = None) -> np.ndarray:
    """[D, D]: whether a logit of the i-th value drawn depends on the j-th, which is replaced by another value."""
    network, params, x, y = initialized(name)
    dims = math.prod(network.shape)
    same = np.tile(np.asarray(x[0]).ravel(), (dims, 1))
    y = None if y is None else jnp.repeat(y[:1], dims, axis=0)
    apply = jax.jit(lambda flat: network.apply(params, flat.reshape(dims, *network.shape), y, rngs=rngs))
    others = same + np.eye(dims, dtype=np.float32)
    logits, replaced = (np.asarray(apply(flat)).reshape(dims, dims, -1) for flat in (same, others))
    order = order_of(network)
    return (logits != replaced).any(axis=2).T[order][:, order]


@every_network
def test_no_logit_depends_on_its_own_value_or_a_later_one(name):
    found = sees(name)

    assert not np.triu(found).any()
    assert np.count_nonzero(found) > 0.6 * np.count_nonzero(np.tril(np.ones_like(found), -1))


@pytest.mark.parametrize("index", range(3))
def test_each_mask_of_an_ensemble_is_causal(index):
    assert not np.triu(sees("made_ensemble", rngs={"masks": jax.random.key(index)})).any()


def receptive_field(network: nn.Module, shape: tuple[int, int], pixel: tuple[int, int]) -> np.ndarray:
    """Which pixels the logit of one pixel depends on, [H, W]: positive weights and inputs let nothing cancel."""
    x = jnp.full((1, *shape, 1), 0.5)
    params = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1), jax.eval_shape(network.init, jax.random.key(0), x))
    gradient = jax.jit(jax.grad(lambda x: network.apply(params, x)[0, pixel[0], pixel[1], 0]))(x)
    return np.asarray(gradient[0, :, :, 0]) != 0


def test_the_gated_network_has_no_blind_spot_and_the_plain_one_has():
    # Figure 1 of van den Oord et al. 2016b: to the upper right, stacked masks of type B see less and less.
    shape, pixel = (7, 15), (6, 7)
    before = np.zeros(shape, bool)
    before[:6] = True
    before[6, :7] = True
    gated = receptive_field(models.GatedPixelCNN((*shape, 1), 2, 6, 2), shape, pixel)
    plain = receptive_field(models.PixelCNN((*shape, 1), 2, 6, 2), shape, pixel)

    assert np.array_equal(gated, before)
    assert not (plain & ~before).any()
    assert plain[5, 7 + 3]
    assert not plain[3, 14]


@every_network
def test_columns_are_those_of_the_full_pass(name):
    network, params, x, y = initialized(name)
    full = np.asarray(jax.jit(network.apply)(params, x, y)).reshape(2, math.prod(network.shape), -1)
    flat, per_row = x.reshape(2, -1), math.prod(network.shape[1:])
    order = jnp.asarray(order_of(network))

    def forced(step: jax.Array, cache) -> tuple:
        position = order[step]
        previous = jnp.where(step > 0, flat[:, order[step - 1]], 0.0)
        if hasattr(network, "begin_row"):
            begun = network.apply(params, cache, previous, position, method="begin_row")
            first = position % per_row == 0
            cache = jax.tree.map(lambda new, old: jnp.where(first, new, old), begun, cache)
        return network.apply(params, cache, previous, position, method="column")

    def body(cache, step):
        return forced(step, cache)

    cache = jax.jit(lambda: network.apply(params, 2, y, method="start"))()
    logits = jax.jit(lambda cache: jax.lax.scan(body, cache, jnp.arange(flat.shape[1]))[1])(cache)
    found = np.moveaxis(np.asarray(logits).reshape(-1, 2, full.shape[2]), 0, 1)
    np.testing.assert_allclose(found, full[:, order], atol=1e-4)


@pytest.mark.parametrize("name", ["pixelcnn_rgb", "gated_rgb", "made_ensemble"])
def test_logits_see_the_condition(name):
    network, params, x, _ = initialized(name)
    apply = jax.jit(network.apply)
    one, other, vectors = (
        apply(params, x, y) for y in (jnp.array([1, 1]), jnp.array([2, 2]), jnp.eye(4)[jnp.array([1, 1])])
    )

    assert (one != other).mean() > 0.9  # some units of the head are 0 under both
    np.testing.assert_array_equal(one, vectors)
    for y, said in [(None, "must be given"), (jnp.ones((2, 3)), r"floats \[B, 4\]"), (jnp.ones(2), "integers")]:
        with pytest.raises(ValueError, match=said):
            jax.eval_shape(network.apply, params, x, y)


@pytest.mark.parametrize("network", [NETWORKS["gated_image"][0], models.PixelCNN((4, 6, 1), 4, 1, 8, (), (4, 6, 1))])
def test_logits_see_an_image_condition_at_its_place(network):
    y = jnp.ones((1, *network.condition_dim))
    x = jnp.zeros((1, 4, 6, 1))
    params = jax.tree.map(
        lambda leaf: jnp.full(leaf.shape, 0.01), jax.eval_shape(network.init, jax.random.key(0), x, y)
    )
    gradient = jax.jit(jax.grad(lambda y: network.apply(params, x, y)[0, 0, 0, 0]))(y)
    # Before its first pixel a network sees y alone, through three convolutions of 3 x 3.
    near = (np.indices(y.shape[1:3]) <= 3).all(axis=0)
    np.testing.assert_array_equal((gradient[0] != 0).all(axis=-1), near)

    for wrong, said in [(None, "got None"), (y[:, 1:], r"floats \[B, "), (jnp.int32(y), "got int32")]:
        with pytest.raises(ValueError, match=said):
            jax.eval_shape(network.apply, params, x, wrong)
    with pytest.raises(ValueError, match="must divide images of size"):
        jax.eval_shape(network.clone(condition_dim=(3, 3, 1)).init, jax.random.key(0), x, y)


def test_the_colours_of_a_pixel_see_those_before_them():
    found = sees("pixelcnn_rgb").reshape(20, 3, 20, 3)

    for pixel in range(20):
        assert np.array_equal(found[pixel, :, pixel], np.tril(np.ones((3, 3)), -1) > 0)
        if pixel % 5:
            assert found[pixel, :, pixel - 1].all()


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize(
    "offsets",
    [
        models.raster_offsets(5, centre=True),
        rows_above(5),
        rows_above(3, own_row=True),
        models.to_the_left(3, centre=True),
    ],
    ids=["raster", "above", "above_and_own", "left"],
)
def test_a_masked_convolution_is_flax_s_with_a_mask(offsets, colours):
    x = jax.random.normal(jax.random.key(0), (2, 7, 6, 6))
    ours = models.MaskedConv(6, 9, offsets, colours, own_colour=False)
    params = jax.jit(ours.init)(jax.random.key(1), x)["params"]
    kernel, mask = (np.zeros((5, 5, 6, 9), np.float32) for _ in range(2))
    for offset, weights in zip(offsets, params["kernel"].reshape(-1, 6, 9), strict=True):
        at = offset[0] + 2, offset[1] + 2
        kernel[at], mask[at] = weights, 1
        if offset == (0, 0) and colours == 3:
            mask[at] = np.arange(6)[:, None] // 2 < np.arange(9) // 3
    theirs = nn.Conv(9, (5, 5), mask=jnp.asarray(mask))
    expected = jax.jit(theirs.apply)({"params": {"kernel": kernel, "bias": params["bias"]}}, x)

    np.testing.assert_allclose(jax.jit(ours.apply)({"params": params}, x), expected, atol=1e-5)
    bound = ours.bind({"params": params})  # what accelerators run is the same; the bias is 0
    np.testing.assert_allclose(jax.jit(lambda: bound._native(x, bound._seen()))(), expected, atol=1e-5)


def test_an_ensemble_averages_conditional_probabilities():
    network, params, x, y = initialized("made_ensemble")
    (key,) = jax.random.split(jax.random.key(0), 1)
    drawn = np.asarray(jax.random.randint(key, (3, 40), jnp.ones((3, 1), jnp.int32), 30))
    weights, given = jax.tree.map(np.float64, (params["params"], x.reshape(2, -1)))
    positions, each = np.arange(30), []
    for degrees in drawn:
        masked = {
            **weights,
            "kernel_0": weights["kernel_0"] * (positions[:, None] + 1 <= degrees[None]),
            "kernel_1": weights["kernel_1"] * (degrees[:, None] <= positions[None]),
        }
        hidden = given @ masked["kernel_0"] + weights["bias_0"]
        added = [np.eye(4)[y] @ weights["condition"][f"Dense_{layer}"]["kernel"] for layer in range(2)]
        logits = np.maximum(hidden + added[0], 0) @ masked["kernel_1"] + weights["bias_1"] + added[1]
        each.append(special.expit(logits))
    expected = np.mean(each, axis=0)

    found = special.expit(np.asarray(jax.jit(network.apply)(params, x, y), np.float64)).reshape(2, -1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
