"""The convolutions against Flax's own, which differentiate the native ones."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen import models

# input, features, kernel size, then the options of the layer
CONVOLUTIONS = {
    "3x3": ((3, 8, 8, 4), 5, (3, 3), {}),
    "even kernel, strides 2": ((3, 8, 8, 4), 5, (4, 4), {"strides": (2, 2)}),
    "valid, pixels left over": ((7, 8, 9, 4), 5, (3, 2), {"strides": 2, "padding": "VALID"}),
    "kernel smaller than strides": ((3, 7, 8, 4), 1, (1, 2), {"strides": 3, "use_bias": False}),
    "more padding than kernel": ((1, 5, 6, 4), 5, (2, 3), {"padding": ((3, 2), (4, 1)), "strides": (1, 2)}),
    "circular, two batch axes": ((2, 3, 6, 6, 4), 5, (3, 3), {"padding": "CIRCULAR"}),
    "one channel, masked": ((3, 9, 5, 1), 6, (7, 7), {"mask": jnp.ones((7, 7, 1, 6)).at[3, 3:].set(0).at[4:].set(0)}),
    "dilated input and strides": ((3, 6, 6, 4), 5, (3, 4), {"input_dilation": (2, 3), "strides": (3, 2), "padding": 2}),
    "line": ((3, 11, 4), 5, (4,), {"strides": 2}),
    "volume": ((2, 4, 5, 6, 2), 3, (3, 2, 3), {"strides": (1, 2, 2)}),
}
TRANSPOSED = {
    "3x3": ((3, 5, 5, 4), 5, (3, 3), {}),
    "4x4, strides 2": ((7, 5, 5, 4), 5, (4, 4), {"strides": (2, 2)}),
    "strides of an axis": ((3, 5, 4, 4), 5, (5, 3), {"strides": (3, 1)}),
    "valid": ((3, 4, 5, 4), 5, (4, 3), {"strides": (2, 3), "padding": "VALID"}),
    "kernel smaller than strides": ((3, 4, 5, 1), 1, (1, 2), {"strides": (3, 3), "use_bias": False}),
    "valid, kernel smaller than strides": ((3, 4, 5, 4), 5, (1, 2), {"strides": (3, 3), "padding": "VALID"}),
    "negative padding": ((3, 5, 4, 4), 5, (3, 2), {"strides": (2, 2), "padding": ((-1, 1), (1, -1))}),
    "line, padded unevenly": ((3, 6, 4), 5, (3,), {"strides": (2,)}),
}
CASES = [
    *(pytest.param(models.conv, nn.Conv, *case, id=f"conv, {name}") for name, case in CONVOLUTIONS.items()),
    *(pytest.param(models.conv_transpose, nn.ConvTranspose, *case, id=f"transposed, {name}")
      for name, case in TRANSPOSED.items()),
]  # fmt: skip
BOTH = [
    pytest.param(functools.partial(models.conv, 5, (4, 3), 2), nn.Conv(5, (4, 3), 2), id="conv"),
    pytest.param(
        functools.partial(models.conv_transpose, 5, (4, 3), 2), nn.ConvTranspose(5, (4, 3), (2, 2)), id="transposed"
    ),
]


def normal(seed, shape):
    return jnp.float32(np.random.default_rng(seed).normal(size=shape))


def drawn_params(layer, x):
    """Parameters whose bias is not 0."""
    return jax.tree.map(lambda leaf: normal(leaf.size, leaf.shape), jax.eval_shape(layer.init, jax.random.key(0), x))


def loss(layer):
    """A function whose derivatives of every order depend on the parameters and on the input."""
    return lambda params, x: jnp.sum(jnp.sin(layer.apply(params, x)))


def gradients(layer):
    return jax.grad(loss(layer), argnums=(0, 1))


def outcome(function, ours, flax, x):
    """What function(layer)(params, x) gives for the two layers, compiled together."""
    return jax.jit(lambda *args: (function(ours)(*args), function(flax)(*args)))(drawn_params(flax, x), x)


def assert_close(ours, flax, tolerance=1e-5):
    """Equal trees, leaves to the tolerance relative to the largest entry."""
    assert jax.tree.structure(ours) == jax.tree.structure(flax)
    for ours_leaf, flax_leaf in zip(jax.tree.leaves(ours), jax.tree.leaves(flax), strict=True):
        assert ours_leaf.dtype == flax_leaf.dtype
        flax_leaf = np.asarray(flax_leaf, np.float32)
        np.testing.assert_allclose(
            np.asarray(ours_leaf, np.float32), flax_leaf, rtol=0, atol=tolerance * np.abs(flax_leaf).max()
        )


@pytest.mark.parametrize(("ours", "flax", "shape", "features", "kernel_size", "options"), CASES)
def test_parameters_values_and_derivatives_are_those_of_flax(ours, flax, shape, features, kernel_size, options):
    ours, flax = (layer(features, kernel_size, **options) for layer in (ours, flax))
    x = normal(1, shape)
    shapes = [jax.eval_shape(layer.init, jax.random.key(3), x) for layer in (ours, flax)]
    assert shapes[0] == shapes[1]
    assert_close(*outcome(lambda layer: lambda *args: (layer.apply(*args), gradients(layer)(*args)), ours, flax, x))


@pytest.mark.parametrize(("ours", "flax"), BOTH)
def test_gradients_of_gradients(ours, flax):
    def penalised(layer):
        def penalty(params, x):
            return sum(jnp.sum(jnp.square(leaf)) for leaf in jax.tree.leaves(gradients(layer)(params, x)))

        return jax.grad(penalty, argnums=(0, 1))

    assert_close(*outcome(penalised, ours(), flax, normal(1, (3, 7, 8, 4))))


@pytest.mark.parametrize(("ours", "flax"), BOTH)
def test_options_are_passed_on(ours, flax):
    x = normal(2, (2, 6, 6, 4))
    options = {"param_dtype": jnp.float16, "kernel_init": nn.initializers.ones, "bias_init": nn.initializers.ones}
    ours, flax = (layer.init(jax.random.key(0), x) for layer in (ours(**options), flax.clone(**options)))
    jax.tree.map(np.testing.assert_array_equal, ours, flax)


def test_names_and_initial_values_within_a_model_are_those_of_flax():
    def init(conv, conv_transpose):
        class Model(nn.Module):
            @nn.compact
            def __call__(self, x):
                for layer in (conv(4, (3, 3)), conv_transpose(4, (3, 3)), conv(4, (3, 3), name="last")):
                    x = layer(x)
                return conv_transpose(4, (3, 3))(x)

        return Model().init(jax.random.key(5), jnp.ones((1, 6, 6, 4)))

    ours, flax = init(models.conv, models.conv_transpose), init(nn.Conv, nn.ConvTranspose)
    assert set(ours["params"]) == {"Conv_0", "ConvTranspose_0", "last", "ConvTranspose_1"}
    assert jax.tree.structure(ours) == jax.tree.structure(flax)
    jax.tree.map(np.testing.assert_array_equal, ours, flax)


@pytest.mark.parametrize(("ours", "flax"), BOTH)
def test_bfloat16(ours, flax):
    x = normal(2, (4, 8, 8, 4))
    params = drawn_params(flax, x)
    ours, flax = ours(dtype=jnp.bfloat16), flax.clone(dtype=jnp.bfloat16)
    # bfloat16 keeps 8 bits; the two may differ by its last one in a sum, which the sine then multiplies
    assert_close(ours.apply(params, x), flax.apply(params, x), 2**-7)
    assert_close(gradients(ours)(params, x), gradients(flax)(params, x), 2**-5)


@pytest.mark.parametrize(("ours", "flax"), BOTH)
def test_vmap_over_seeds_scan_and_both(ours, flax):
    x = normal(2, (3, 2, 6, 6, 4))  # steps or seeds first
    stacked = jax.vmap(lambda seed: drawn_params(flax, x[0]))(jnp.arange(3))
    stacked = jax.tree.map(lambda leaf: leaf * jnp.arange(1.0, 4.0).reshape(-1, *[1] * (leaf.ndim - 1)), stacked)
    params = drawn_params(flax, x[0])

    def descent(layer):
        def step(params, x):
            value, grads = jax.value_and_grad(loss(layer))(params, x)
            return jax.tree.map(lambda leaf, grad: leaf - 1e-2 * grad, params, grads), value

        return lambda params, x: lax.scan(step, params, x)

    def results(layer):
        return (
            jax.jit(jax.vmap(gradients(layer)))(stacked, x),
            jax.jit(jax.vmap(gradients(layer), in_axes=(0, None)))(stacked, x[0]),
            jax.jit(jax.vmap(gradients(layer), in_axes=(None, 0)))(params, x),
            jax.jit(descent(layer))(params, x),
            jax.jit(jax.vmap(descent(layer), in_axes=(0, None)))(stacked, x),
        )

    assert_close(results(ours()), results(flax))


@pytest.mark.parametrize(("ours", "flax"), BOTH)
def test_pmap(ours, flax):
    x = normal(2, (8, 2, 6, 6, 4))
    params = drawn_params(flax, x[0])

    def step(params, x):
        return lax.psum(jax.grad(loss(ours()))(params, x), "device")

    ours_grads = jax.pmap(step, axis_name="device", in_axes=(None, 0), out_axes=None)(params, x)
    assert_close(ours_grads, jax.grad(loss(flax))(params, x.reshape(16, 6, 6, 4)))


@pytest.mark.parametrize(("ours", "flax"), BOTH)
def test_shard_map_sums_the_gradient_of_what_is_the_same_on_all_devices(ours, flax):
    x = normal(2, (8, 6, 6, 4))
    params = drawn_params(flax, x)
    devices, rows = Mesh(np.array(jax.devices()[:4]), ("device",)), PartitionSpec("device")

    mapped = jax.shard_map(
        gradients(ours()), mesh=devices, in_specs=(PartitionSpec(), rows), out_specs=(PartitionSpec(), rows)
    )
    assert_close(jax.jit(mapped)(params, x), gradients(flax)(params, x))


@pytest.mark.parametrize(("ours", "flax"), BOTH)
def test_an_explicit_mesh(ours, flax):
    x = normal(2, (8, 6, 6, 4))
    params = drawn_params(flax, x)
    mesh = Mesh(np.array(jax.devices()[:4]), ("device",), axis_types=(AxisType.Explicit,))
    placed = jax.device_put((params, x), tuple(NamedSharding(mesh, PartitionSpec(*axes)) for axes in ((), ("device",))))

    def results(layer, params, x):
        return layer.apply(params, x), gradients(layer)(params, x)

    on_mesh = jax.jit(functools.partial(results, ours()))(*placed)
    assert_close(jax.device_get(on_mesh), results(flax, params, x))


@pytest.mark.parametrize(
    "ours",
    [models.conv(32, (3, 3), 2), models.conv(32, (4, 4), padding=3), models.conv_transpose(32, (4, 4), 2)],
    ids=["strides", "output larger than input", "transposed"],
)
def test_in_a_scan_every_convolution_has_the_layout_that_is_fast_on_the_cpu(ours):
    x = normal(2, (4, 8, 8, 32))

    def step(carry, _):
        return jax.tree.map(jnp.subtract, carry, gradients(ours)(*carry)), None

    # anything else is left to nested loops by ConvCanonicalization, which does not look into a scan
    program = jax.jit(lambda carry: lax.scan(step, carry, length=3)).lower((drawn_params(ours, x), x)).compile()
    assert set(re.findall(r"dim_labels=([\w>-]+)", program.as_text())) == {"b01f_01io->b01f"}


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize(("ours", "flax"), BOTH)
def test_accelerators_run_the_native_gradients(ours, flax, platform):
    x = normal(2, (4, 8, 8, 4))
    params = drawn_params(flax, x)

    def convolutions(layer):
        program = jax.jit(gradients(layer)).trace(params, x).lower(lowering_platforms=(platform,)).as_text()
        return sorted(re.findall(r"dim_numbers = .*?, window = .*?\}", program))

    assert convolutions(ours()) == convolutions(flax)
    assert len(convolutions(flax)) == 3


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (models.conv(4, (3, 3), kernel_dilation=2), r"kernel_dilation\) must be 1, got \(2, 2\)"),
        (models.conv(4, (3, 3), input_dilation=2), "padding must be numbers where lhs_dilation"),
        (models.conv(4, (3, 3), feature_group_count=2), "feature_group_count must be 1, got 2"),
    ],
)
def test_what_is_refused_by_the_layer(layer, message):
    with pytest.raises(ValueError, match=message):
        layer.init(jax.random.key(0), jnp.ones((1, 8, 8, 4)))


def test_what_is_refused():
    with pytest.raises(ValueError, match="must be those of NHWC, HWIO -> NHWC, got None"):
        models.conv_general_dilated(jnp.ones((1, 4, 8, 8)), jnp.ones((4, 4, 3, 3)), (1, 1), "SAME")
    with pytest.raises(ValueError, match="padding must be"):
        models.conv_transpose(4, (3, 3), padding="CIRCULAR")
