"""What holds for every layer of a flow and every flow; a new one gets these tests by a line in `FLOWS`.

Parameters are random, for couplings begin as the identity. Determinants are held to differences in float64.
"""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxgen import losses, models

IMAGE = (4, 4, 2)
NUM_CLASSES = 3


def made(shape, **options):
    return models.MADE(shape, (7,), parameters=(2,), degrees="sequential", condition_dim=NUM_CLASSES, **options)


def multi_scale() -> models.Flow:
    """Two scales: 4 x 4 x 1 -> 2 x 2 x 4, of which two channels go on to 1 x 1 x 8."""
    coupling = functools.partial(models.AffineCoupling, "channel", channels=(4,))
    rest = models.Flow((2, 2, 2), (models.Squeeze(), models.FlowBatchNorm(), coupling()))
    layers = models.AffineCoupling("checkerboard", channels=(4,)), models.Squeeze(), models.ActNorm()
    return models.Flow((4, 4, 1), (*layers, models.InvertibleConv(), coupling(flip=True), models.FactorOut(rest)))


def autoregressive(shape) -> models.Flow:
    size = math.prod(shape)
    layers = models.MaskedAutoregressive(made((size,))), models.FlowBatchNorm(), models.Reverse()
    last = models.MaskedAutoregressive(made((size,), ordering="random"))
    return models.Flow(shape, (models.Flatten(shape), *layers, last))


class Case(NamedTuple):
    layer: nn.Module
    shape: tuple[int, ...]


FLOWS = {
    "affine_alternating": Case(models.AffineCoupling(hidden=(6,)), (5,)),
    "affine_checkerboard": Case(models.AffineCoupling("checkerboard", flip=True, channels=(4, 4)), (4, 3, 1)),
    "affine_channel": Case(models.AffineCoupling("channel", hidden=(6,)), (2, 2, 3)),
    "spline": Case(models.SplineCoupling(hidden=(6,), num_bins=5), (4,)),
    "autoregressive": Case(models.MaskedAutoregressive(made((2, 3), ordering="random")), (2, 3)),
    "act_norm": Case(models.ActNorm(), IMAGE),
    "batch_norm": Case(models.FlowBatchNorm(), IMAGE),
    "invertible_conv": Case(models.InvertibleConv(seed=1), (2, 2, 5)),
    "reverse": Case(models.Reverse(), IMAGE),
    "squeeze": Case(models.Squeeze(), IMAGE),
    "flatten": Case(models.Flatten(IMAGE), IMAGE),
    "factor_out": Case(models.FactorOut(models.Flow((2, 2, 2), (models.Squeeze(), models.ActNorm()))), (2, 2, 3)),
    "multi_scale_flow": Case(multi_scale(), (4, 4, 1)),
    "autoregressive_flow": Case(autoregressive((2, 3, 1)), (2, 3, 1)),
}
PLANE = {
    "affine": [models.AffineCoupling(flip=flip, hidden=(8,)) for flip in (False, True, False)],
    "spline": [models.ActNorm(), *(models.SplineCoupling(flip=flip, hidden=(8,)) for flip in (False, True))],
    "autoregressive": [models.MaskedAutoregressive(made((2,))), models.Reverse(), models.FlowBatchNorm()],
    "linear": [models.InvertibleConv(), models.ActNorm()],
}
every_name = pytest.mark.parametrize("name", FLOWS)


def conditions(num: int) -> jax.Array:
    return jnp.eye(NUM_CLASSES, dtype=jnp.float32)[np.arange(num) % NUM_CLASSES]


def randomized(layer: nn.Module, x: jax.Array) -> dict:
    """Variables as training might leave them."""
    shapes = jax.eval_shape(layer.init, jax.random.key(0), x, conditions(len(x)))
    random = np.random.default_rng(1)
    variables = jax.tree.map(lambda leaf: np.float32(0.2 * random.normal(size=leaf.shape)), shapes)
    variances = jax.tree.map_with_path(
        lambda path, leaf: np.exp(leaf) if path[-1].key == "var" else leaf, variables.get("batch_stats", {})
    )
    return {**variables, "batch_stats": variances}


class Found(NamedTuple):
    x: np.ndarray
    z: np.ndarray
    log_det: np.ndarray
    again: np.ndarray
    inverse_log_det: np.ndarray
    far_out: tuple


@functools.cache
def found(name: str) -> Found:
    """All that the laws of float32 read, by one program."""
    layer, shape = FLOWS[name]
    x = np.float32(np.random.default_rng(3).normal(size=(6, *shape)))
    far = np.resize(np.float32([1e4, 1e2, -1e4]), x.shape)
    variables, condition = randomized(layer, x), conditions(6)

    def total(variables, x):
        z, log_det = layer.apply(variables, x, condition)
        return jnp.sum(losses.change_of_variables_nll(z.reshape(len(z), -1), log_det))

    @jax.jit
    def program(variables, x, far):
        z, log_det = layer.apply(variables, x, condition)
        again = layer.apply(variables, z, condition, method="inverse")
        return z, log_det, *again, jax.vmap(jax.value_and_grad(total, (0, 1)), (None, 0))(variables, far)

    return Found(x, *program(variables, x, np.stack([far, -far])))


@every_name
def test_the_inverse_of_the_transform_is_the_identity(name):
    case = found(name)

    assert case.z.size == case.x.size
    assert case.log_det.shape == (6,)
    np.testing.assert_allclose(case.again, case.x, rtol=0, atol=1e-4)
    np.testing.assert_allclose(case.inverse_log_det, -case.log_det, rtol=0, atol=1e-4)


@every_name
def test_the_log_determinant_is_that_of_the_jacobian(name):
    """By central differences, whose error is about 1e-10 of a derivative."""
    layer, x = FLOWS[name].layer, np.float64(found(name).x[:1])
    variables = jax.tree.map(np.float64, randomized(layer, np.float32(x)))
    steps = 1e-5 * np.eye(x.size).reshape(-1, *x.shape[1:])
    points = np.concatenate([x, x + steps, x - steps])
    condition = np.float64(np.tile(conditions(1), (len(points), 1)))

    with jax.enable_x64(new_val=True):
        z, log_det = jax.device_get(jax.jit(layer.apply)(variables, points, condition))
    above, below = np.split(z[1:].reshape(len(z) - 1, -1), 2)
    jacobian = (above - below) / 2e-5
    assert z.dtype == np.float64
    np.testing.assert_allclose(log_det[0], np.linalg.slogdet(jacobian)[1], rtol=0, atol=1e-6)


@every_name
def test_values_and_gradients_are_finite_far_out(name):
    for leaf in jax.tree.leaves(found(name).far_out):
        assert np.isfinite(leaf).all()


@pytest.mark.parametrize("name", PLANE)
def test_the_mass_of_a_flow_in_the_plane_is_1(name):
    flow = models.Flow((2,), PLANE[name])
    axis = np.linspace(-12, 12, 600, dtype=np.float32)
    x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    variables = randomized(flow, x[:1])

    @jax.jit
    def density(x):
        z, log_det = flow.apply(variables, x, jnp.broadcast_to(conditions(1), (len(x), NUM_CLASSES)))
        return jnp.exp(-losses.change_of_variables_nll(z, log_det))

    mass = np.float64(density(x)).sum() * (axis[1] - axis[0]) ** 2
    assert abs(mass - 1) < 0.02
