"""The network of the VAE against a forward pass in NumPy, in float64, from its parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgen import models

RNG = np.random.default_rng(6)
X = jnp.float32(RNG.uniform(size=(3, 784)))
Z = jnp.float32(RNG.normal(size=(3, 20)))
Y = jnp.array([0, 3, 9])


def network(shape=(784,), num_classes=None, activation=nn.relu):
    """784-500-20-500-784, as in flax's example."""
    encoder = models.GaussianEncoder(20, (500,), activation)
    return models.VAE(encoder, models.Decoder(shape, (500,), activation), num_classes)


def drawn_parameters(vae, x=X, y=None):
    """Parameters whose biases are not 0, so that one forgotten or misplaced is seen."""
    rng = np.random.default_rng(7)
    shapes = jax.eval_shape(vae.init, jax.random.key(0), x, y)
    return jax.tree.map(lambda leaf: jnp.float32(0.1 * rng.normal(size=leaf.shape)), shapes)


def dense(layer, inputs):
    return inputs @ np.float64(layer["kernel"]) + np.float64(layer["bias"])


def relu(h):
    return np.maximum(h, 0)


def forward_encoder(params, x, activation):
    encoder = params["params"]["encoder"]
    h = activation(dense(encoder["MLP_0"]["Dense_0"], np.float64(x).reshape(len(x), -1)))
    return np.split(dense(encoder["mean_and_log_var"], h), 2, axis=-1)


def forward_decoder(params, z, activation):
    decoder = params["params"]["decoder"]
    return dense(decoder["output"], activation(dense(decoder["MLP_0"]["Dense_0"], np.float64(z))))


@pytest.mark.parametrize(("num_classes", "extra"), [(None, 0), (10, 10)])
def test_parameters(num_classes, extra):
    params = jax.eval_shape(network(num_classes=num_classes).init, jax.random.key(0), X, Y)["params"]
    assert jax.tree.map(lambda leaf: leaf.shape, params) == {
        "encoder": {
            "MLP_0": {"Dense_0": {"kernel": (784 + extra, 500), "bias": (500,)}},
            "mean_and_log_var": {"kernel": (500, 40), "bias": (40,)},
        },
        "decoder": {
            "MLP_0": {"Dense_0": {"kernel": (20 + extra, 500), "bias": (500,)}},
            "output": {"kernel": (500, 784), "bias": (784,)},
        },
    }
    weights = (784 + extra) * 500 + 2 * 500 * 20 + (20 + extra) * 500 + 500 * 784
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == weights + 500 + 2 * 20 + 500 + 784
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize(("activation", "in_numpy"), [(nn.relu, relu), (nn.tanh, np.tanh)], ids=["relu", "tanh"])
def test_forward_pass(activation, in_numpy):
    vae = network(activation=activation)
    params = drawn_parameters(vae)
    posterior = vae.apply(params, X, method="encode")
    mean, log_var = forward_encoder(params, X, in_numpy)
    np.testing.assert_allclose(posterior.mean, mean, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(posterior.log_var, log_var, rtol=1e-4, atol=1e-4)
    expected = forward_decoder(params, Z, in_numpy)
    np.testing.assert_allclose(vae.apply(params, Z, method="decode"), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(vae.apply(params, X), forward_decoder(params, mean, in_numpy), rtol=1e-4, atol=1e-4)


def test_forward_pass_of_a_conditional_network():
    # The class stands behind the inputs of both halves, one-hot.
    vae = network(num_classes=10)
    params = drawn_parameters(vae, y=Y)
    one_hot = np.eye(10)[np.asarray(Y)]
    mean, log_var = forward_encoder(params, np.concatenate([X, one_hot], axis=1), relu)
    np.testing.assert_allclose(vae.apply(params, X, Y, method="encode"), [mean, log_var], rtol=1e-4, atol=1e-4)
    expected = forward_decoder(params, np.concatenate([Z, one_hot], axis=1), relu)
    np.testing.assert_allclose(vae.apply(params, Z, Y, method="decode"), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("method", "inputs"), [("encode", X), ("decode", Z), (None, X)])
def test_the_class_matters_and_must_be_given(method, inputs):
    vae = network(num_classes=10)
    params = drawn_parameters(vae, y=Y)
    here, there = (np.asarray(vae.apply(params, inputs, y, method=method)) for y in (Y, Y[::-1]))
    moved = np.abs(here - there).max(axis=-1)
    assert np.all(moved[..., [0, 2]] > 1e-3)
    np.testing.assert_array_equal(moved[..., 1], 0)  # its class is the same in both
    with pytest.raises(ValueError, match=r"y must be given, integers in 0\.\.9"):
        vae.apply(params, inputs, method=method)


def test_convolutions_see_the_class_as_channels():
    vae = models.VAE(models.GaussianEncoder(20, (), channels=(4,)), models.Decoder((28, 28, 1), (), channels=(4,)), 10)
    images = X.reshape(3, 28, 28, 1)
    params = drawn_parameters(vae, images, Y)
    here, there = (vae.apply(params, images, y, method="encode").mean for y in (Y, Y[::-1]))

    assert params["params"]["encoder"]["Conv_0"]["kernel"].shape == (4, 4, 11, 4)
    assert vae.apply(params, images, Y).shape == images.shape
    moved = np.abs(here - there).max(axis=-1)
    assert np.all(moved[[0, 2]] > 1e-3)
    assert moved[1] == 0


def test_an_unconditional_network_ignores_the_class():
    vae = network()
    params = drawn_parameters(vae)
    np.testing.assert_array_equal(vae.apply(params, X, Y), vae.apply(params, X))


def test_an_encoder_of_another_kind_sees_images_as_they_are():
    class Rows(nn.Module):
        latent_dim: int = 4

        def __call__(self, x):
            return models.Gaussian(x.mean(axis=(1, 3)), jnp.zeros((len(x), 4)))

    vae = models.VAE(Rows(), models.Decoder((3, 4, 1), ()))
    images = X[:, :12].reshape(3, 3, 4, 1)
    found = vae.apply(drawn_parameters(vae, images), images, method="encode")
    np.testing.assert_allclose(found.mean, images.mean(axis=(1, 3)), rtol=0, atol=1e-6 * np.abs(images).max())


def test_images_keep_their_shape():
    vae, flat = network(shape=(28, 28, 1)), network()
    images = X.reshape(3, 28, 28, 1)
    params = drawn_parameters(vae, images)
    assert vae.apply(params, images).shape == (3, 28, 28, 1)
    np.testing.assert_allclose(vae.apply(params, images).reshape(3, 784), flat.apply(params, X), rtol=1e-5, atol=1e-5)


def test_without_hidden_layers_both_halves_are_linear():
    vae = models.VAE(models.GaussianEncoder(2, ()), models.Decoder((6,), ()))
    x = X[:, :6]
    params = drawn_parameters(vae, x)
    layers = params["params"]
    mean = dense(layers["encoder"]["mean_and_log_var"], np.float64(x))[:, :2]
    np.testing.assert_allclose(vae.apply(params, x, method="encode").mean, mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(vae.apply(params, x), dense(layers["decoder"]["output"], mean), rtol=1e-5, atol=1e-5)


def test_layers_are_applied_in_order():
    mlp = models.MLP((7, 5), nn.tanh)
    params = mlp.init(jax.random.key(1), X[:, :6])
    layers = params["params"]
    expected = np.tanh(dense(layers["Dense_1"], np.tanh(dense(layers["Dense_0"], np.float64(X[:, :6])))))
    np.testing.assert_allclose(mlp.apply(params, X[:, :6]), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(models.MLP(()).apply({}, X.reshape(3, 28, 28)), X)


def test_classes_are_integers_and_codes_have_two_axes():
    vae = models.VAE(models.GaussianEncoder(2, ()), models.Decoder((4,), ()), num_classes=3)
    params = jax.eval_shape(vae.init, jax.random.key(0), jnp.zeros((5, 4)), jnp.zeros(5, int))

    def decode(z, y):
        return jax.eval_shape(lambda params: vae.apply(params, z, y, method="decode"), params)

    assert decode(jnp.zeros((5, 2)), jnp.zeros(5, int)).shape == (5, 4)
    with pytest.raises(AssertionError, match=r"with_class: y must be integers, got float32 \(5,\)"):
        decode(jnp.zeros((5, 2)), jnp.zeros(5))
    for network in (models.Decoder((4,), ()), models.Generator((4,), ()), models.DCGANGenerator((4, 4, 1))):
        options = {} if isinstance(network, models.Decoder) else {"train": False}
        with pytest.raises(
            AssertionError, match=rf"{type(network).__name__}: z must be \[B, Z\], got float32 \(3, 5, 2\)"
        ):
            network.init(jax.random.key(0), jnp.zeros((3, 5, 2)), **options)


@pytest.mark.parametrize(
    ("network", "arguments", "options"),
    [
        (models.Decoder((4,), (), channels=(3,)), (jnp.zeros((5, 2)),), {}),
        (models.DCGANGenerator((4,)), (jnp.zeros((5, 2)),), {"train": False}),
        (models.PixelCNN((4,), 3, 1, 4), (jnp.zeros((5, 4)),), {}),
        (models.GatedPixelCNN((4,), 3, 1, 4), (jnp.zeros((5, 4)),), {}),
    ],
)
def test_convolutions_need_the_shape_of_an_image(network, arguments, options):
    with pytest.raises(ValueError, match=r"need.* image.*got \(4,\)"):
        network.init(jax.random.key(0), *arguments, **options)
