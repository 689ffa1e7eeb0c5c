"""The two halves of autoencoders: what shapes they take and give, and the options that say how."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgen import models


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 20, 1), (5, 7, 3), (16, 16, 2), (8, 8, 1, 2)])
@pytest.mark.parametrize("channels", [(4,), (4, 6), (4, 6, 5)])
def test_convolutional_halves_take_images_of_any_size(shape, channels):
    encoder = models.GaussianEncoder(3, (9,), channels=channels)
    decoder = models.Decoder(shape, (9,), channels=channels[::-1])
    images = jnp.zeros((2, *shape[:3]))
    (mean, log_var), variables = jax.eval_shape(encoder.init_with_output, jax.random.key(0), images)
    x, _ = jax.eval_shape(decoder.init_with_output, jax.random.key(0), mean)

    assert mean.shape == log_var.shape == (2, 3)
    assert x.shape == (2, *shape)
    small = [-(-size // 2 ** len(channels)) for size in shape[:2]]
    assert variables["params"]["MLP_0"]["Dense_0"]["kernel"].shape[0] == small[0] * small[1] * channels[-1]


def test_every_pixel_of_a_convolutional_decoder_depends_on_the_code():
    decoder = models.Decoder((7, 6, 1), (), channels=(3, 2))
    params = jax.jit(decoder.init)(jax.random.key(0), jnp.zeros((1, 2)))
    jacobian = jax.jit(jax.jacobian(lambda z: decoder.apply(params, z[None])[0]))(jnp.array([0.3, -0.4]))

    assert (np.abs(jacobian).sum(-1) > 0).all()


def test_convolutions_refuse_what_is_no_image():
    with pytest.raises(ValueError, match=r"needs images \[B, H, W, C\], got shape \(2, 9\)"):
        models.Encoder(3, (), channels=(4,)).init(jax.random.key(0), jnp.zeros((2, 9)))
    with pytest.raises(ValueError, match=r"needs images \[B, H, W, C\], got shape \(2, 9\)"):
        models.Classifier(3, channels=(4,)).init(jax.random.key(0), jnp.zeros((2, 9)))


def test_the_output_s_activation_and_bias():
    bias = jnp.arange(6.0)
    decoder = models.Decoder((2, 3), (4,), output_activation=jnp.square, bias_init=jax.nn.initializers.constant(bias))
    params = decoder.init(jax.random.key(0), jnp.zeros((1, 2)))
    params["params"]["output"]["kernel"] *= 0

    np.testing.assert_array_equal(decoder.apply(params, jnp.ones((1, 2)))[0], np.arange(6.0).reshape(2, 3) ** 2)


def test_the_initializer_reaches_every_kernel():
    network = models.Autoencoder(
        models.Encoder(2, (3,), channels=(4,), kernel_init=nn.initializers.constant(0.5)),
        models.Decoder((4, 4, 1), (3,), channels=(4,), kernel_init=nn.initializers.constant(0.5)),
    )
    params = network.init(jax.random.key(0), jnp.zeros((1, 4, 4, 1)))
    kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]

    assert len(kernels) == 6
    assert all((kernel == 0.5).all() for kernel in kernels)


def assert_linear(found, x, layer):
    """Logits are x kernel + bias, to the rounding of the terms that are summed."""
    terms = np.abs(x) @ np.abs(layer["kernel"]) + np.abs(layer["bias"])
    np.testing.assert_allclose(found, x @ layer["kernel"] + layer["bias"], rtol=0, atol=1e-6 * terms.max())


def test_a_classifier_without_layers_is_linear_in_x():
    classifier = models.Classifier(3)
    x = jnp.float32(np.random.default_rng(0).normal(size=(5, 2, 2)))
    params = classifier.init(jax.random.key(0), x)
    layer = jax.tree.map(np.asarray, params["params"]["logits"])

    assert_linear(classifier.apply(params, x), np.asarray(x).reshape(5, 4), layer)
    np.testing.assert_array_equal(classifier.apply(params, x, method="features"), np.asarray(x).reshape(5, 4))


def test_features_are_what_the_logits_are_made_of():
    classifier = models.Classifier(3, (6,), channels=(4, 5))
    x = jnp.float32(np.random.default_rng(0).normal(size=(2, 9, 7, 1)))
    params = classifier.init(jax.random.key(0), x)
    features = np.asarray(classifier.apply(params, x, method="features"))
    layer = jax.tree.map(np.asarray, params["params"]["logits"])

    assert features.shape == (2, 6)
    assert params["params"]["mlp"]["Dense_0"]["kernel"].shape == (3 * 2 * 5, 6)
    assert_linear(classifier.apply(params, x), features, layer)


def test_a_hierarchy_whose_parts_do_not_fit_is_refused():
    encoders = models.GaussianEncoder(4, (8,)), models.GaussianEncoder(2, (6,))
    network = models.HierarchicalVAE(encoders, (models.GaussianEncoder(3, (6,)),), models.Decoder((5,), (8,)))

    with pytest.raises(ValueError, match=r"priors of latent sizes \[4\]"):
        network.init(jax.random.key(0), jnp.zeros((1, 5)))


def test_gated_layers_multiply_a_linear_map_by_a_gate():
    x = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    layers = models.GatedMLP((4, 7))
    params = layers.init(jax.random.key(0), x)
    h = np.float64(x).reshape(5, 6)
    for name, width in (("Dense_0", 4), ("Dense_1", 7)):
        kernel, bias = (np.float64(params["params"][name][part]) for part in ("kernel", "bias"))
        both = h @ kernel + bias
        h = both[:, :width] / (1 + np.exp(-both[:, width:]))

    np.testing.assert_allclose(layers.apply(params, x), h, rtol=0, atol=1e-5)


def test_halves_with_gates_have_no_activation():
    def forbidden(h: jax.Array) -> jax.Array:
        raise AssertionError("an activation beside the gate")

    encoder = models.GaussianEncoder(2, (4, 3), forbidden, gated=True)
    decoder = models.Decoder((5,), (3, 4), forbidden, gated=True)
    params = jax.eval_shape(models.VAE(encoder, decoder).init, jax.random.key(0), jnp.zeros((1, 5)))["params"]

    assert params["encoder"]["GatedMLP_0"]["Dense_0"]["kernel"].shape == (5, 8)
    assert params["decoder"]["GatedMLP_0"]["Dense_1"]["kernel"].shape == (3, 8)
    code = models.Encoder(2, (4,), forbidden, gated=True).init(jax.random.key(0), jnp.zeros((1, 5)))["params"]
    assert code["GatedMLP_0"]["Dense_0"]["kernel"].shape == (5, 8)


def test_he_normal_weights_have_their_deviation():
    init = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
    kernel = models.GatedMLP((300,), init).init(jax.random.key(0), jnp.zeros((1, 784)))["params"]["Dense_0"]["kernel"]
    # A deviation estimated from n draws is off by 1 / sqrt(2 n) of itself.
    assert abs(float(kernel.std()) / np.sqrt(2 / 784) - 1) < 5 / np.sqrt(2 * kernel.size)


@pytest.mark.parametrize(
    ("options", "log_var"),
    [
        ({}, lambda h: h),
        ({"log_var_range": (-6.0, 2.0)}, lambda h: np.clip(h, -6, 2)),
        ({"std": "softplus"}, lambda h: 2 * np.log(np.logaddexp(0, h))),
    ],
    ids=["exp", "clipped", "softplus"],
)
def test_what_the_second_head_means(options, log_var):
    heads = np.array([-300.0, -21.0, -19.0, -8.0, -0.5, 0.0, 3.0, 90.0])
    encoder = models.GaussianEncoder(8, (), **options)
    params = {
        "mean_and_log_var": {"kernel": jnp.zeros((1, 16)), "bias": jnp.float32(np.concatenate([0 * heads, heads]))}
    }

    def total(params: dict) -> jax.Array:
        return encoder.apply({"params": params}, jnp.zeros((1, 1))).log_var.sum()

    found = encoder.apply({"params": params}, jnp.zeros((1, 1)))
    np.testing.assert_array_equal(found.mean, np.zeros((1, 8)))
    np.testing.assert_allclose(found.log_var[0], log_var(heads), rtol=1e-5, atol=1e-6)
    step = 1e-4
    slope = (log_var(heads + step) - log_var(heads - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(total)(params)["mean_and_log_var"]["bias"][8:], slope, rtol=1e-4, atol=1e-4)
