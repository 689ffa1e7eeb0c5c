"""What holds for every loss: a new one gets these tests by a line in `LOSSES`."""

import functools
import inspect
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen import losses

B, Z, K = 5, 3, 4
RNG = np.random.default_rng(4)
KERNEL = losses.inverse_multiquadric([1.0, 4.0])


class Case(NamedTuple):
    loss: Callable
    arguments: tuple[jax.Array, ...]
    batch_axis: int = 0  # of every argument
    extreme: tuple[int, ...] = ()  # the arguments that are logits, or as free to be large as they are


def normal(*shape):
    return jnp.float32(RNG.normal(size=shape))


def integers(bound, *shape):
    return jnp.asarray(RNG.integers(0, bound, shape))


def critic(x):
    # Its gradient differs from row to row, and vanishes where tanh has saturated.
    return jnp.sum(jnp.square(jnp.tanh(x)), axis=(1, 2))


LOSSES = {
    "bernoulli_nll": Case(losses.bernoulli_nll, (normal(B, 4, 2), jnp.float32(integers(2, B, 4, 2))), extreme=(0,)),
    "bits_per_dim": Case(functools.partial(losses.bits_per_dim, num_dims=7), (normal(B),), extreme=(0,)),
    "categorical_nll": Case(losses.categorical_nll, (normal(B, 4, K), integers(K, B, 4)), extreme=(0,)),
    "change_of_variables_nll": Case(losses.change_of_variables_nll, (normal(B, Z), normal(B)), extreme=(0, 1)),
    "discretized_logistic_mixture_draw": Case(
        losses.discretized_logistic_mixture_draw,
        (normal(B, 2, 2, 10 * K), normal(B, 2, 2, K), normal(B, 2, 2, 3)),
        extreme=(0, 1, 2),
    ),
    "discretized_logistic_mixture_nll": Case(
        losses.discretized_logistic_mixture_nll, (normal(B, 2, 2, 10 * K), jnp.tanh(normal(B, 2, 2, 3))), extreme=(0,)
    ),
    "free_bits": Case(functools.partial(losses.free_bits, minimum=0.1), (jnp.abs(normal(B, Z)),), extreme=(0,)),
    "gaussian_kl": Case(losses.gaussian_kl, (normal(B, Z), normal(B, Z)), extreme=(0,)),
    "gaussian_kl_between": Case(losses.gaussian_kl_between, tuple(normal(4, B, Z)), extreme=(0, 2)),
    "gaussian_kl_per_dim": Case(losses.gaussian_kl_per_dim, (normal(B, Z), normal(B, Z)), extreme=(0,)),
    "gaussian_nll": Case(losses.gaussian_nll, tuple(normal(3, B, 4, 2)), extreme=(0, 2)),
    "gradient_penalty": Case(functools.partial(losses.gradient_penalty, critic), (normal(B, 4, 2),), extreme=(0,)),
    "hinge_discriminator_loss": Case(losses.hinge_discriminator_loss, tuple(normal(2, B)), extreme=(0, 1)),
    "hinge_generator_loss": Case(losses.hinge_generator_loss, (normal(B),), extreme=(0,)),
    "importance_weighted_bound": Case(losses.importance_weighted_bound, (normal(K, B),), batch_axis=1, extreme=(0,)),
    "least_squares_discriminator_loss": Case(
        losses.least_squares_discriminator_loss, tuple(normal(2, B)), extreme=(0, 1)
    ),
    "least_squares_generator_loss": Case(losses.least_squares_generator_loss, (normal(B),), extreme=(0,)),
    "logistic_mixture_mean": Case(
        functools.partial(losses.logistic_mixture_mean, channels=3), (normal(B, 2, 2, 10 * K),), extreme=(0,)
    ),
    "minimax_discriminator_loss": Case(
        functools.partial(losses.minimax_discriminator_loss, smoothing=0.1), tuple(normal(2, B)), extreme=(0, 1)
    ),
    "minimax_generator_loss": Case(losses.minimax_generator_loss, (normal(B),), extreme=(0,)),
    "mmd_biased": Case(functools.partial(losses.mmd_biased, kernel=KERNEL), tuple(normal(2, B, Z)), extreme=(0, 1)),
    "mmd_unbiased": Case(functools.partial(losses.mmd_unbiased, kernel=KERNEL), tuple(normal(2, B, Z)), extreme=(0,)),
    "negative_elbo": Case(functools.partial(losses.negative_elbo, beta=4.0), (normal(B), normal(B)), extreme=(0, 1)),
    "non_saturating_generator_loss": Case(losses.non_saturating_generator_loss, (normal(B),), extreme=(0,)),
    "reparameterize": Case(losses.reparameterize, tuple(normal(3, B, Z)), extreme=(0, 2)),
    "squared_error": Case(losses.squared_error, tuple(normal(2, B, 4, 2)), extreme=(0, 1)),
    "wasserstein_critic_loss": Case(losses.wasserstein_critic_loss, tuple(normal(2, B)), extreme=(0, 1)),
    "wasserstein_generator_loss": Case(losses.wasserstein_generator_loss, (normal(B),), extreme=(0,)),
    "zero_centered_penalty": Case(
        functools.partial(losses.zero_centered_penalty, critic), (normal(B, 4, 2),), extreme=(0,)
    ),
}
NOT_LOSSES = {"NegativeElbo", "inverse_multiquadric", "latent_kernel", "rbf"}  # what a loss returns, or is given
OF_A_SET = {"mmd_biased", "mmd_unbiased"}  # one value, to which every pair of rows adds; the sets may differ in size
NOT_PER_EXAMPLE = {  # the shape, where it is not [B]
    **dict.fromkeys(("discretized_logistic_mixture_draw", "logistic_mixture_mean"), (B, 2, 2, 3)),
    "gaussian_kl_per_dim": (B, Z),
    "reparameterize": (B, Z),
    **dict.fromkeys(OF_A_SET, ()),
}

every_loss = pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)
every_name = pytest.mark.parametrize("name", LOSSES)
every_loss_of_a_row = pytest.mark.parametrize("name", sorted(set(LOSSES) - OF_A_SET))
every_loss_of_a_set = pytest.mark.parametrize("name", sorted(OF_A_SET))


def rows(case, index):
    return [jnp.take(argument, index, axis=case.batch_axis) for argument in case.arguments]


def test_every_loss_is_here():
    assert set(LOSSES) | NOT_LOSSES == set(losses.__all__)


@every_name
def test_one_float32_value_per_example_or_set(name):
    case = LOSSES[name]
    for leaf in jax.tree.leaves(case.loss(*case.arguments)):
        assert leaf.shape == NOT_PER_EXAMPLE.get(name, (B,))
        assert leaf.dtype == jnp.float32


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"reparameterize"}))  # a sample stays in its own precision
def test_half_precision_comes_out_in_float32(name):
    case = LOSSES[name]
    half = [a.astype(jnp.bfloat16) if jnp.issubdtype(a.dtype, jnp.floating) else a for a in case.arguments]
    for leaf in jax.tree.leaves(case.loss(*half)):
        assert leaf.dtype == jnp.float32


@every_loss
def test_jit_equals_plain(case):
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6),
        jax.jit(case.loss)(*case.arguments),
        case.loss(*case.arguments),
    )


@every_loss_of_a_row
def test_row_of_a_batch_equals_the_loss_of_that_row_alone(name):
    case = LOSSES[name]
    batch = case.loss(*case.arguments)
    for i in range(B):
        alone = case.loss(*rows(case, jnp.array([i])))
        jax.tree.map(
            lambda value, row, i=i: np.testing.assert_allclose(value[i : i + 1], row, rtol=1e-6, atol=1e-6),
            batch,
            alone,
        )


@every_loss_of_a_set
def test_order_of_a_set_does_not_matter(name):
    case = LOSSES[name]
    first, second = rows(case, jnp.array([2, 0, 4, 1, 3])), rows(case, jnp.array([1, 2, 3, 4, 0]))
    shuffled = case.loss(first[0], second[1])
    np.testing.assert_allclose(shuffled, case.loss(*case.arguments), rtol=1e-6, atol=1e-6)


@every_loss
def test_vmap_equals_a_loop(case):
    batches = [rows(case, jnp.array(order)) for order in ([0, 1, 2], [3, 4, 0], [2, 2, 1])]
    stacked = [jnp.stack(arguments) for arguments in zip(*batches, strict=True)]
    looped = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(case.loss(*arguments) for arguments in batches))
    jax.tree.map(
        functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6),
        jax.jit(jax.vmap(case.loss))(*stacked),
        looped,
    )


@every_loss
def test_value_and_gradient_are_finite_at_extreme_arguments(case):
    # The values themselves are held to SciPy in the tests of each loss.
    def total(*arguments):
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(case.loss(*arguments)))

    is_floating = [jnp.issubdtype(argument.dtype, jnp.floating) for argument in case.arguments]
    value_and_gradients = jax.jit(jax.value_and_grad(total, np.flatnonzero(is_floating).tolist()))
    for size in (200.0, -200.0):
        arguments = list(case.arguments)
        for position in case.extreme:
            arguments[position] = jnp.float32(np.resize([size, -size], arguments[position].shape))
        for leaf in jax.tree.leaves(value_and_gradients(*arguments)):
            assert np.isfinite(leaf).all()


@every_loss
def test_value_and_gradient_on_an_explicit_mesh(case):
    def values(*arguments):
        return sum(jnp.sum(leaf) for leaf in jax.tree.leaves(case.loss(*arguments))), case.loss(*arguments)

    is_floating = [jnp.issubdtype(argument.dtype, jnp.floating) for argument in case.arguments]
    value_and_gradients = jax.jit(jax.value_and_grad(values, np.flatnonzero(is_floating).tolist(), has_aux=True))
    mesh = Mesh(np.array(jax.devices()[:B]), ("device",), axis_types=(AxisType.Explicit,))
    rows = NamedSharding(mesh, PartitionSpec(*[None] * case.batch_axis, "device"))

    chex.assert_trees_all_close(
        jax.device_get(value_and_gradients(*jax.device_put(case.arguments, rows))),
        value_and_gradients(*case.arguments),
        rtol=1e-5,
        atol=1e-5,
    )


@every_name
def test_wrong_shapes_raise(name):
    case = LOSSES[name]
    for position, argument in enumerate(case.arguments):
        if name == "free_bits":  # maps of latents have more axes
            wrong = [argument[..., 0], argument[0, 0]]
        elif len(case.arguments) == 1:
            wrong = [argument[..., None], argument[..., 0]]
        elif name in OF_A_SET:
            wrong = [argument[..., None], argument[..., 0], argument[..., :1], argument[..., :-1], argument[None]]
        else:
            wrong = [argument[..., None], argument[..., 0], argument[:1], argument[:-1], argument[None]]
        for replacement in wrong:
            arguments = [*case.arguments]
            arguments[position] = replacement
            with pytest.raises((AssertionError, ValueError)):
                case.loss(*arguments)


@every_name
def test_errors_name_the_function_and_the_argument(name):
    case = LOSSES[name]
    parameters = [
        parameter for parameter in inspect.signature(getattr(losses, name)).parameters if parameter != "critic"
    ]
    for position, argument in enumerate(case.arguments):
        kind = "floating" if jnp.issubdtype(argument.dtype, jnp.floating) else "integers"
        for wrong, said in [
            (argument.astype(bool), f"must be {kind}, got bool {argument.shape}"),
            (argument[:0], f"must not be empty, got {argument.dtype} {argument[:0].shape}"),
            (argument.tolist(), "must be an array ["),
            (argument.reshape(-1)[0], "must be ["),
        ]:
            arguments = [*case.arguments]
            arguments[position] = wrong
            with pytest.raises(AssertionError) as plain:
                case.loss(*arguments)
            assert f"{name}: {parameters[position]} {said}" in str(plain.value)
            assert "\n" not in str(plain.value)
            if hasattr(wrong, "dtype"):
                with pytest.raises(AssertionError) as traced:
                    jax.eval_shape(case.loss, *arguments)
                assert str(traced.value) == str(plain.value)


@every_loss
def test_wrong_dtypes_raise(case):
    for position, argument in enumerate(case.arguments):
        is_floating = jnp.issubdtype(argument.dtype, jnp.floating)
        for dtype in (jnp.int32, jnp.bool_) if is_floating else (jnp.float32, jnp.bool_):
            arguments = [*case.arguments]
            arguments[position] = argument.astype(dtype)
            with pytest.raises((AssertionError, ValueError, TypeError)):
                case.loss(*arguments)
