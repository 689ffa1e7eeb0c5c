"""What holds for every layer of a flow and every flow; a new one gets these tests by a line in `FLOWS`.

Parameters are random, for couplings begin as the identity. Determinants are held to the Jacobian of autodiff in
float64.
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

RNG = np.random.default_rng(3)
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
    "spline_channel": Case(models.SplineCoupling("channel", channels=(4,), num_bins=4, bound=1.5), IMAGE),
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
    """Variables as training might leave them: all parameters moved."""
    variables = jax.jit(layer.init)(jax.random.key(0), x, conditions(len(x)))
    random = np.random.default_rng(1)
    move = lambda leaf: leaf + np.float32(0.2 * random.normal(size=leaf.shape))  # noqa: E731
    return {**variables, "params": jax.tree.map(move, variables.get("params", {}))}


@functools.cache
def model(name: str) -> tuple[dict, jax.Array]:
    x = jnp.asarray(RNG.normal(size=(6, *FLOWS[name].shape)), jnp.float32)
    return randomized(FLOWS[name].layer, x), x


def in_float64(tree):
    return jax.tree.map(lambda leaf: np.float64(leaf) if np.issubdtype(leaf.dtype, np.floating) else leaf, tree)


def there_and_back(layer: nn.Module, variables: dict, x: jax.Array) -> tuple:
    condition = conditions(len(x))
    z, log_det = layer.apply(variables, x, condition)
    return z, log_det, *layer.apply(variables, z, condition, method="inverse")


@every_name
def test_the_inverse_of_the_transform_is_the_identity(name):
    variables, x = model(name)
    z, log_det, again, inverse_log_det = jax.jit(functools.partial(there_and_back, FLOWS[name].layer))(variables, x)

    assert z.size == x.size
    assert log_det.shape == (6,)
    np.testing.assert_allclose(again, x, rtol=0, atol=1e-4)
    np.testing.assert_allclose(inverse_log_det, -log_det, rtol=0, atol=1e-4)


@every_name
def test_the_log_determinant_is_that_of_the_jacobian(name):
    layer = FLOWS[name].layer
    variables, x = in_float64(model(name))
    condition = np.float64(conditions(len(x)))

    def of_one(flat, condition):
        z, log_det = layer.apply(variables, flat.reshape(1, *x.shape[1:]), condition[None])
        return z.ravel(), log_det[0]

    with jax.enable_x64(new_val=True):
        jacobian = jax.jit(jax.vmap(jax.jacfwd(of_one, has_aux=True)))
        found, log_det = jacobian(x[:3].reshape(3, -1), condition[:3])
    np.testing.assert_allclose(log_det, np.linalg.slogdet(np.asarray(found))[1], rtol=0, atol=1e-8)


@every_name
def test_values_and_gradients_are_finite_far_out(name):
    layer, (variables, x) = FLOWS[name].layer, model(name)

    def total(variables, x):
        z, log_det = layer.apply(variables, x, conditions(len(x)))
        return jnp.sum(losses.change_of_variables_nll(z.reshape(len(z), -1), log_det))

    value_and_gradients = jax.jit(jax.value_and_grad(total, (0, 1), allow_int=True))
    for size in (1e4, -1e4):
        far = x * 0 + size * jnp.resize(jnp.asarray([1.0, 1e-2, -1.0]), x.shape)
        for leaf in jax.tree.leaves(value_and_gradients(variables, far)):
            assert np.isfinite(leaf).all()


@pytest.mark.parametrize("name", PLANE)
def test_the_mass_of_a_flow_in_the_plane_is_1(name):
    flow = models.Flow((2,), PLANE[name])
    axis = np.linspace(-12, 12, 600, dtype=np.float32)
    x = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    variables = randomized(flow, jnp.asarray(RNG.normal(size=(64, 2)), jnp.float32))

    @jax.jit
    def density(x):
        z, log_det = flow.apply(variables, x, jnp.broadcast_to(conditions(1), (len(x), NUM_CLASSES)))
        return jnp.exp(-losses.change_of_variables_nll(z, log_det))

    mass = np.float64(density(x)).sum() * (axis[1] - axis[0]) ** 2
    assert abs(mass - 1) < 0.02
