"""Convolutional networks against forward passes in NumPy, in float64, layer by layer as their papers draw them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from jaxgen import models

RANDOM = np.random.default_rng(11)
IMAGES = RANDOM.normal(size=(3, 8, 8, 2))
CODES = RANDOM.normal(size=(3, 5))
CONDITIONS = RANDOM.normal(size=(3, 4))


def drawn(network, *inputs, **options) -> dict:
    """Variables that are nowhere 0, so that a layer that is left out or misplaced is seen; variances are positive."""
    shapes = jax.eval_shape(lambda key: network.init(key, *map(jnp.float32, inputs), **options), jax.random.key(0))
    return jax.tree.map_with_path(
        lambda path, leaf: jnp.float32(
            RANDOM.uniform(0.5, 2, leaf.shape) if path[-1].key == "var" else 0.5 * RANDOM.normal(size=leaf.shape)
        ),
        shapes,
    )


def in_float64(variables: dict) -> dict:
    return jax.tree.map(np.float64, variables)


def relu(h):
    return np.maximum(h, 0)


def leaky_relu(h):
    return np.where(h > 0, h, 0.2 * h)


def dense(layer, x):
    return x @ layer["kernel"] + layer.get("bias", 0)


def mlp(layers, x):
    x = x.reshape(len(x), -1)
    for name in sorted(layers):
        x = relu(dense(layers[name], x))
    return x


def correlate(layer, x, padding: int, stride: int = 1):
    """[B, H, W, C] with the kernel [h, w, C, F] of a layer."""
    kernel = layer["kernel"]
    x = np.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("bijchw,hwcf->bijf", windows, kernel) + layer.get("bias", 0)


def halve(layer, x):
    return correlate(layer, x, padding=1, stride=2)


def double(layer, x):
    """A transposed 4 x 4 convolution: a convolution over the image with zeros between its pixels."""
    between = np.zeros((len(x), 2 * x.shape[1] - 1, 2 * x.shape[2] - 1, x.shape[3]))
    between[:, ::2, ::2] = x
    return correlate(layer, between, padding=2)


def batch_norm(params, statistics, x, *, train):
    axes = tuple(range(x.ndim - 1))
    mean, variance = (x.mean(axes), x.var(axes)) if train else (statistics["mean"], statistics["var"])
    return (x - mean) / np.sqrt(variance + 1e-5) * params["scale"] + params["bias"]


def assert_equal(found, expected):
    # Sums of some hundreds of terms of the size of the result, a few times over.
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("norm", ["batch", None])
def test_dcgan_discriminator(norm, train):
    network = models.DCGANDiscriminator((3, 4), norm=norm)
    variables = drawn(network, IMAGES, train=False)
    params, statistics = (in_float64(variables.get(name, {})) for name in ("params", "batch_stats"))
    h = leaky_relu(halve(params["Conv_0"], IMAGES))  # no batch norm on the input layer
    h = halve(params["Conv_1"], h)
    if norm == "batch":
        h = batch_norm(params["BatchNorm_0"], statistics["BatchNorm_0"], h, train=train)
    expected = dense(params["Dense_0"], leaky_relu(h).reshape(3, -1))[:, 0]

    found = network.apply(variables, jnp.float32(IMAGES), train=train, mutable=["batch_stats"] if train else False)
    assert_equal(found[0] if train else found, expected)


@pytest.mark.parametrize("train", [True, False])
def test_dcgan_generator(train):
    network = models.DCGANGenerator((6, 7, 2), (4, 3))
    variables = drawn(network, CODES, train=False)
    params, statistics = in_float64(variables["params"]), in_float64(variables["batch_stats"])

    def norm(index, h):
        name = f"BatchNorm_{index}"
        return batch_norm(params[name], statistics[name], h, train=train)

    h = relu(norm(0, dense(params["Dense_0"], CODES).reshape(3, 2, 2, 4)))
    h = relu(norm(1, double(params["ConvTranspose_0"], h)))
    expected = np.tanh(double(params["ConvTranspose_1"], h))[:, :6, :7]

    found = network.apply(variables, jnp.float32(CODES), train=train, mutable=["batch_stats"] if train else False)
    assert_equal(found[0] if train else found, expected)


def test_dcgan_starts_from_weights_of_deviation_0_02():
    networks = models.DCGANGenerator((8, 8, 1), (64, 32)), models.DCGANDiscriminator((32, 64))
    for network, inputs in zip(networks, (jnp.ones((1, 50)), jnp.ones((1, 8, 8, 1))), strict=True):
        init = jax.jit(lambda key, network=network, inputs=inputs: network.init(key, inputs, train=False)["params"])
        for leaf in jax.tree.leaves(init(jax.random.key(0))):
            if leaf.ndim > 1:  # a deviation estimated from n draws is off by 1 / sqrt(2 n) of itself
                assert abs(float(leaf.std()) / 0.02 - 1) < 5 / np.sqrt(2 * leaf.size)


def test_convolutional_halves_of_an_autoencoder():
    network = models.Autoencoder(
        models.Encoder(5, (6,), channels=(3, 4)), models.Decoder((6, 7, 1), (6,), channels=(4, 3))
    )
    variables = drawn(network, IMAGES)
    encoder, decoder = (in_float64(variables["params"][half]) for half in ("encoder", "decoder"))
    h = relu(halve(encoder["Conv_1"], relu(halve(encoder["Conv_0"], IMAGES))))
    z = dense(encoder["code"], mlp(encoder["MLP_0"], h))
    assert_equal(network.apply(variables, jnp.float32(IMAGES), method="encode"), z)

    h = relu(dense(decoder["Dense_0"], mlp(decoder["MLP_0"], CODES))).reshape(3, 2, 2, 4)
    x = double(decoder["output"], relu(double(decoder["ConvTranspose_0"], h)))[:, :6, :7]
    assert_equal(network.apply(variables, jnp.float32(CODES), method="decode"), x)


def test_convolutional_classifier():
    network = models.Classifier(3, (6,), channels=(4, 5))
    x = IMAGES[:, :, :6]
    variables = drawn(network, x)
    params, h = in_float64(variables["params"]), x
    for index in range(2):
        h = relu(correlate(params[f"convolutions_{index}"], h, padding=1))
        h = np.pad(h, [(0, 0), (0, 0), (0, h.shape[2] % 2), (0, 0)])  # after a rectifier, 0 is below all
        h = h.reshape(3, h.shape[1] // 2, 2, h.shape[2] // 2, 2, -1).max(axis=(2, 4))
    assert_equal(network.apply(variables, jnp.float32(x)), dense(params["logits"], mlp(params["mlp"], h)))


ABOVE = {size: [(r, c) for r in range(-(size // 2), 0) for c in range(-(size // 2), size // 2 + 1)] for size in (7, 3)}
LEFT = {size: [(0, c) for c in range(-(size // 2), 0)] for size in (7, 3)}
OWN = [(0, 0)]


def masked(layer, x, offsets):
    """A convolution over the pixels at these offsets, of which each has its rows of the kernel."""
    padded = np.pad(x, [(0, 0), (3, 3), (3, 3), (0, 0)])
    height, width = x.shape[1:3]
    seen = [padded[:, 3 + row : 3 + row + height, 3 + column : 3 + column + width] for row, column in offsets]
    return dense(layer, np.concatenate(seen, axis=-1))


def added(layers):
    """What a condition adds to each layer, at every pixel."""
    return [(CONDITIONS @ layers[name]["kernel"])[:, None, None] for name in sorted(layers)]


def test_pixelcnn():
    """Van den Oord et al. 2016a, table 1 and figure 5, with conditions as in 2016b, eq. 4."""
    network, x = models.PixelCNN((5, 6, 1), 3, 2, 4, condition_dim=4), IMAGES[:, :5, :6, :1]
    variables = drawn(network, x, CONDITIONS)
    params = in_float64(variables["params"])
    first, *conditions = added(params["condition"])
    h = masked(params["first"], x, ABOVE[7] + LEFT[7]) + first
    for block in range(2):
        inner = relu(dense(params[f"narrow_{block}"], relu(h)))
        seen = masked(params[f"masked_{block}"], inner, ABOVE[3] + LEFT[3] + OWN)
        h = h + dense(params[f"widen_{block}"], relu(seen + conditions[block]))
    expected = dense(params["logits"], relu(dense(params["last"], relu(h))))

    assert_equal(jax.jit(network.apply)(variables, jnp.float32(x), jnp.float32(CONDITIONS)), expected)


def test_gated_pixelcnn():
    """Van den Oord et al. 2016b, eqs. 2 and 4 and figure 2."""
    network, x = models.GatedPixelCNN((5, 6, 1), 3, 2, 4, condition_dim=4), IMAGES[:, :5, :6, :1]
    variables = drawn(network, x, CONDITIONS)
    params = in_float64(variables["params"])
    to_vertical, to_horizontal = (added(params[f"{stack}_condition"]) for stack in ("vertical", "horizontal"))

    def gate(h):
        return np.tanh(h[..., ::2]) * expit(h[..., 1::2])

    own_row = [(0, -1), (0, 0), (0, 1)]  # of the vertical stack, which has seen nothing of it
    above, left = [ABOVE[7], ABOVE[3] + own_row], [LEFT[7], LEFT[3] + OWN]
    vertical, horizontal = x, x
    for layer in range(2):
        v, h = (
            masked(params[f"{stack}_{layer}"], seen, offsets[layer])
            for stack, seen, offsets in (("vertical", vertical, above), ("horizontal", horizontal, left))
        )
        link = dense(params[f"link_{layer}"], v) + to_horizontal[layer]
        out = dense(params[f"out_{layer}"], gate(h + link))
        vertical, horizontal = gate(v + to_vertical[layer]), out if layer == 0 else horizontal + out
    expected = dense(params["logits"], relu(dense(params["last"], relu(horizontal))))

    assert_equal(jax.jit(network.apply)(variables, jnp.float32(x), jnp.float32(CONDITIONS)), expected)
