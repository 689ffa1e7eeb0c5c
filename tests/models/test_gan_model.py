"""Generators and discriminators: shapes, statistics, packing, and what goes from one example to another."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import models

RNG = np.random.default_rng(2)


def normal(*shape):
    return jnp.float32(RNG.normal(size=shape))


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3), (7, 5, 2)])
def test_dcgan_takes_images_of_any_size(shape):
    z = normal(4, 9)
    generate = functools.partial(models.DCGANGenerator(shape, (8, 4)).init_with_output, train=False)
    x, _ = jax.jit(generate)(jax.random.key(0), z)
    assert x.shape == (4, *shape)
    assert jnp.max(jnp.abs(x)) <= 1
    for norm in ("batch", "spectral", None):
        judge = functools.partial(models.DCGANDiscriminator((4, 8), norm=norm).init_with_output, train=False)
        logits, variables = jax.eval_shape(judge, jax.random.key(0), x)
        assert logits.shape == (4,)
        assert (set(variables) == {"params"}) == (norm is None)


def test_batch_norm_takes_in_all_devices():
    networks = models.DCGANGenerator((8, 8, 1), (6, 4)), models.DCGANDiscriminator((4, 6))
    for network, inputs in zip(networks, (normal(8, 3), normal(8, 8, 8, 1)), strict=True):
        variables = jax.jit(functools.partial(network.init, train=False))(jax.random.key(0), inputs)

        def apply(inputs, axis_name=None, network=network, variables=variables):
            network = network.clone(axis_name=axis_name)
            return network.apply(variables, inputs, train=True, mutable=["batch_stats"])

        whole, statistics = jax.jit(apply)(inputs)
        parts = inputs.reshape(4, 2, *inputs.shape[1:])
        apart, of_devices = jax.jit(jax.vmap(lambda part: apply(part, "device"), axis_name="device"))(parts)

        np.testing.assert_allclose(apart.reshape(whole.shape), whole, rtol=1e-4, atol=1e-5)
        for ours, theirs in zip(jax.tree.leaves(statistics), jax.tree.leaves(of_devices), strict=True):
            np.testing.assert_allclose(np.broadcast_to(ours, theirs.shape), theirs, rtol=1e-4, atol=1e-5)


def test_an_unknown_norm_and_what_is_no_image_are_refused():
    with pytest.raises(ValueError, match='norm must be "batch", "spectral" or None'):
        models.DCGANDiscriminator(norm="layer").init(jax.random.key(0), normal(2, 8, 8, 1), train=False)
    with pytest.raises(ValueError, match=r"needs images \[B, H, W, C\], got shape \(2, 8\)"):
        models.DCGANDiscriminator().init(jax.random.key(0), normal(2, 8), train=False)


def test_maxout_is_the_largest_piece():
    x = normal(5, 3)
    maxout = models.Maxout(4, 2)
    params = maxout.init(jax.random.key(0), x)
    layer = jax.tree.map(np.asarray, params["params"]["Dense_0"])
    pieces = (np.asarray(x) @ layer["kernel"] + layer["bias"]).reshape(5, 4, 2)

    np.testing.assert_allclose(maxout.apply(params, x), pieces.max(-1), rtol=0, atol=1e-6 * np.abs(pieces).max())


def after_power_iterations(network, x) -> dict:
    variables = jax.jit(functools.partial(network.init, train=False))(jax.random.key(0), x)
    step = jax.jit(lambda variables: network.apply(variables, x, train=True, mutable=["batch_stats"])[1])
    for _ in range(50):
        variables = {"params": variables["params"], **step(variables)}
    return variables


def test_spectral_norm_knows_the_largest_singular_value_of_every_layer():
    """Of a convolution's kernel as a matrix [C_out, C_in H W] (Miyato et al. 2018, section 2.1)."""
    variables = after_power_iterations(models.DCGANDiscriminator((4, 6), norm="spectral"), normal(2, 8, 8, 1))

    for index, layer in enumerate(("Conv_0", "Conv_1", "Dense_0")):
        kernel = np.asarray(variables["params"][layer]["kernel"])
        largest = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
        sigma = variables["batch_stats"][f"SpectralNorm_{index}"][f"{layer}/kernel/sigma"]
        np.testing.assert_allclose(sigma, largest, rtol=1e-4)


def test_weights_under_spectral_norm_start_larger_than_their_distribution():
    variables = models.DCGANDiscriminator((32,), norm="spectral").init(
        jax.random.key(0), normal(2, 8, 8, 1), train=True
    )
    assert 0.1 < float(variables["params"]["Conv_0"]["kernel"].std()) < 0.2


def test_spectral_norm_bounds_the_slope():
    network = models.DCGANDiscriminator((), norm="spectral")  # one dense layer
    x = normal(2, 3, 3, 1)
    variables = after_power_iterations(network, x)
    slope = jax.grad(lambda x: network.apply(variables, x[None], train=False)[0])(x[0])

    np.testing.assert_allclose(jnp.linalg.norm(slope), 1, rtol=1e-4)


def test_packs_are_consecutive_rows_side_by_side():
    x = jnp.arange(4 * 2 * 3.0).reshape(4, 2, 3)
    packed = np.asarray(models.pack(x, 2))

    assert packed.shape == (2, 2, 6)
    np.testing.assert_array_equal(packed[1, :, :3], x[2])
    np.testing.assert_array_equal(packed[1, :, 3:], x[3])
    np.testing.assert_array_equal(models.pack(x, 1), x)
    with pytest.raises(ValueError, match=r"packing 3 examples needs a batch \(of each device\) that it divides, got 4"):
        models.pack(x, 3)


def test_the_class_is_a_channel_of_ones():
    x = normal(2, 3, 4, 1)
    labelled = np.asarray(models.with_class(x, jnp.array([2, 0]), 3))

    np.testing.assert_array_equal(labelled[..., :1], x)
    np.testing.assert_array_equal(labelled[..., 1:].mean((1, 2)), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(models.with_class(normal(2, 5), jnp.array([2, 0]), 3)[:, 5:], [[0, 0, 1], [1, 0, 0]])


def test_the_minibatch_s_standard_deviation_is_that_of_all_devices():
    x = normal(8, 2, 2, 3)
    expected = np.asarray(x, np.float64).std(axis=0).mean()
    together = models.with_minibatch_std(x)
    apart = jax.vmap(lambda part: models.with_minibatch_std(part, axis_name="device"), axis_name="device")(
        x.reshape(4, 2, 2, 2, 3)
    )

    np.testing.assert_allclose(together[..., 3], expected, rtol=1e-5)
    np.testing.assert_allclose(models.with_minibatch_std(x + 100)[..., 3], expected, rtol=1e-4)
    np.testing.assert_allclose(apart.reshape(8, 2, 2, 4), together, rtol=1e-5)
