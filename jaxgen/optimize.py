"""One step of an optimizer, as every recipe takes it.

An optimizer is any transformation of optax. Those with extra arguments get them: `value`, the loss, and `grad`, its
gradient, both averaged over all devices (`reduce_on_plateau`, `polyak_sgd`), and, where one loss is minimised,
`value_fn`, the same loss of other parameters, for the same batch and noise (the line search of `lbfgs`).

N devices compute what one does on the whole batch, and so do N microbatches one after the other, which take the memory
of one: `in_microbatches` maps a step over an axis as over devices, and the gradient of each is taken in turn.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgen._microbatches import AXIS as MICROBATCHES
from jaxgen._microbatches import one_after_the_other
from jaxgen.recipe import AxisName, PyTree, mean_over, own_copy

#: params -> ((means, kept), gradients): means of all devices, which hold `loss`.
Evaluation = Callable[[PyTree], tuple[tuple[dict, PyTree], PyTree]]

#: What a loss returns, ``([B], {name: [B]}, kept)``. The first is minimised, the second reported, and `kept` is
#: whatever else the step hands on, None where there is nothing. A loss of the whole set may be [], as may its metrics.
Losses = tuple[jax.Array, dict[str, jax.Array], PyTree]


def minimize(
    optimizer: optax.GradientTransformation,
    loss: Callable[[PyTree], Losses],
    params: PyTree,
    opt_state: PyTree,
    axis_name: AxisName = None,
) -> tuple[PyTree, PyTree, dict, PyTree]:
    """One step down the mean of a loss over all examples of all devices.

    Args:
        optimizer: Turns the gradient into a step.
        loss: params -> ([B], {name: [B]}, kept), of the examples on this device.
        params: Where the step begins.
        opt_state: The optimizer's state.
        axis_name: The axis of the devices; None for one.

    Returns:
        params, opt_state, the metrics of the step (`loss`, the means of what `loss` names, and the learning rate), and
        `kept`: batch statistics or other values of this device, which are not averaged.
    """
    return _step(optimizer, lambda params: mean_gradient(loss, params, axis_name), params, opt_state)


def minimize_in_parts(
    optimizer: optax.GradientTransformation,
    loss: Callable[[PyTree, dict], Losses],
    params: PyTree,
    opt_state: PyTree,
    batch: dict,
    part_size: int,
    axis_name: AxisName = None,
) -> tuple[PyTree, PyTree, dict, PyTree]:
    """`minimize` of a loss (params, batch) -> ([B], {name: [B]}, kept), on a CPU a part of the batch at a time.

    The activations of a few examples stay in a CPU's cache. A part has the largest size up to `part_size` that divides
    the batch; accelerators take the batch as a whole. Leaves of `kept` are [B, ...], a row for each example.
    """

    def whole_batch(params: PyTree, batch: dict) -> tuple[tuple[dict, PyTree], PyTree]:
        return _gradient(lambda params: loss(params, batch), params, axis_name)

    def by_microbatches(params: PyTree, batch: dict) -> tuple[tuple[dict, PyTree], PyTree]:
        num = len(jax.tree.leaves(batch)[0])
        size = largest_divisor(num, part_size)
        parts = jax.tree.map(lambda leaf: leaf.reshape(num // size, size, *leaf.shape[1:]), batch)

        def add_part(total: PyTree, part: dict) -> tuple[PyTree, PyTree]:
            (means, kept), gradients = whole_batch(params, part)
            return jax.tree.map(jnp.add, total, (means, gradients)), kept

        (means, _), gradients = jax.eval_shape(whole_batch, params, jax.tree.map(lambda leaf: leaf[0], parts))
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), (means, gradients))
        total, kept = jax.lax.scan(add_part, own_copy(nothing, axis_name), parts)
        means, gradients = jax.tree.map(lambda leaf: leaf * (size / num), total)
        return (means, jax.tree.map(lambda leaf: leaf.reshape(num, *leaf.shape[2:]), kept)), gradients

    def evaluate(params: PyTree) -> tuple[tuple[dict, PyTree], PyTree]:
        (means, kept), gradients = jax.lax.platform_dependent(
            own_copy(params, axis_name), batch, cpu=by_microbatches, default=whole_batch
        )
        means, gradients = mean_over((means, gradients), axis_name)
        return (means, kept), gradients

    return _step(optimizer, evaluate, params, opt_state)


def in_microbatches(step: Callable, num: int, axis_name: AxisName = None, *, batch_axis: int = 0) -> Callable:
    """A recipe's `step` with the gradient of `num` equal microbatches added up, in the memory of one.

    To rounding it is the step of the whole batch. `num` divides the batch of a device, which is along `batch_axis`.
    The step raises ValueError where its loss looks beyond a microbatch, as batch norm, the MMD and games do.
    """
    devices = (axis_name,) if isinstance(axis_name, str) else axis_name or ()
    names = (*devices, MICROBATCHES)
    along = jax.vmap(
        lambda key, state, batch: step(key, state, batch, axis_name=names),
        in_axes=(None, None, batch_axis), out_axes=None, axis_name=MICROBATCHES,
    )  # fmt: skip

    def divide(leaf: jax.Array) -> jax.Array:
        before, after = leaf.shape[:batch_axis], leaf.shape[batch_axis + 1 :]
        return leaf.reshape(*before, num, leaf.shape[batch_axis] // num, *after)

    return lambda key, state, batch: along(key, state, jax.tree.map(divide, batch))


def mean_gradient(
    loss: Callable[[PyTree], Losses], params: PyTree, axis_name: AxisName = None
) -> tuple[tuple[dict, PyTree], PyTree]:
    """((means, kept), gradients): of the mean over all devices of what `minimize` takes; means hold `loss`."""
    (means, kept), gradients = _gradient(loss, own_copy(params, axis_name), axis_name)
    means, gradients = mean_over((means, gradients), axis_name)
    return (means, kept), gradients


def descend(
    optimizer: optax.GradientTransformation,
    gradients: PyTree,
    params: PyTree,
    opt_state: PyTree,
    *,
    value: jax.Array,
    value_fn: Callable[[PyTree], jax.Array],
) -> tuple[PyTree, PyTree]:
    """(params, opt_state) after the optimizer's step along these gradients of a loss with this `value`."""
    update = optax.with_extra_args_support(optimizer).update
    updates, opt_state = update(gradients, opt_state, params, value=value, grad=gradients, value_fn=value_fn)
    return optax.apply_updates(params, updates), opt_state


def check_optimizers(**optimizers: optax.GradientTransformation) -> None:
    """TypeError for an argument of a recipe that is no optimizer, such as a learning rate."""
    for name, given in optimizers.items():
        if not (callable(getattr(given, "init", None)) and callable(getattr(given, "update", None))):
            raise TypeError(f"{name} must be an optimizer of optax, such as optax.adam(1e-3), got {given!r}")


def reset_when(now: jax.Array, optimizer: optax.GradientTransformation, params: PyTree, opt_state: PyTree) -> PyTree:
    """Reset the optimizer's state where `now` [] is true, so that no moments of an earlier loss survive a new one."""
    return jax.tree.map(lambda first, later: jnp.where(now, first, later), optimizer.init(params), opt_state)


def largest_divisor(num: int, most: int) -> int:
    """The largest number up to `most` that divides `num`: the size of equal parts."""
    if num < 1:
        raise ValueError(f"a batch must not be empty, got {num} examples")
    return max(size for size in range(1, min(num, most) + 1) if num % size == 0)


def chunk_size(num: int, most: int) -> int:
    """The size of equal chunks of up to `most`: a divisor of `num`, unless the largest is below `most` / 4.

    Then, as for a prime, the last chunk is not full.
    """
    size = largest_divisor(num, most)
    return size if 4 * size >= min(num, most) else math.ceil(num / math.ceil(num / most))


def learning_rate(opt_state: PyTree) -> dict[str, jax.Array]:
    """{"learning_rate": scalar} of the latest update, or {} for an optimizer without `optax.inject_hyperparams`."""
    found = [
        state.hyperparams["learning_rate"]
        for state in jax.tree.leaves(opt_state, is_leaf=lambda node: hasattr(node, "hyperparams"))
        if "learning_rate" in getattr(state, "hyperparams", {})
    ]
    return {"learning_rate": found[0]} if found else {}


def _step(
    optimizer: optax.GradientTransformation, evaluate: Evaluation, params: PyTree, opt_state: PyTree
) -> tuple[PyTree, PyTree, dict, PyTree]:
    """What `minimize` returns."""

    @jax.custom_jvp
    def value_fn(params: PyTree) -> jax.Array:
        return evaluate(params)[0][0]["loss"]

    # The gradient is averaged too: under `pmap`, differentiating the mean itself would give that of one device.
    @value_fn.defjvp
    def _(primals: tuple[PyTree], tangents: tuple[PyTree]) -> tuple[jax.Array, jax.Array]:
        (means, _), gradients = evaluate(*primals)
        return means["loss"], optax.tree.vdot(gradients, *tangents)

    (means, kept), gradients = evaluate(params)
    params, opt_state = descend(optimizer, gradients, params, opt_state, value=means["loss"], value_fn=value_fn)
    return params, opt_state, {**means, **learning_rate(opt_state)}, kept


def _gradient(
    loss: Callable[[PyTree], Losses], params: PyTree, axis_name: AxisName
) -> tuple[tuple[dict, PyTree], PyTree]:
    def mean_loss(params: PyTree) -> tuple[jax.Array, tuple[dict, PyTree]]:
        values, metrics, kept = loss(params)
        value = jnp.mean(values)
        return value, ({"loss": value, **jax.tree.map(jnp.mean, metrics)}, kept)

    def evaluate(params: PyTree) -> tuple[tuple[dict, PyTree], PyTree]:
        gradients, (means, kept) = jax.grad(mean_loss, has_aux=True)(params)
        return (means, gradients), kept

    in_turn = isinstance(axis_name, tuple)
    (means, gradients), kept = one_after_the_other(evaluate, params) if in_turn else evaluate(params)
    return (means, kept), gradients


# name: (optax's function, what its defaults have otherwise than the paper)
_BY_NAME: dict[str, tuple[Callable[..., optax.GradientTransformation], dict[str, Any]]] = {
    "sgd": (optax.sgd, {}),
    "momentum": (optax.sgd, {"momentum": 0.9}),
    "adagrad": (optax.adagrad, {"initial_accumulator_value": 0.0, "eps": 1e-6}),
    "adadelta": (optax.adadelta, {"rho": 0.95, "eps": 1e-6}),
    "rmsprop": (optax.rmsprop, {}),
    "adam": (optax.adam, {}),
    "adamax": (optax.adamax, {}),
}


def optimizer(
    name: str,
    learning_rate: optax.ScalarOrSchedule,
    *,
    weight_decay: float = 0.0,
    normalize: bool = False,
    **options: Any,
) -> optax.GradientTransformation:
    """The optimizer that papers call by this name, its learning rate reported at each step.

    `sgd`; `momentum` (.9; Polyak 1964); `adagrad` (Duchi et al. 2011: the sum begins at 0, eps 1e-6 in the root, as in
    MADE's Theano code); `adadelta` (Zeiler 2012, whose learning rate is 1: rho .95, eps 1e-6 in both roots); `rmsprop`
    (Tieleman & Hinton 2012: decay .9, eps 1e-8 in the root); `adam` and `adamax` (Kingma & Ba 2015: b1 .9, b2 .999, eps
    1e-8 outside the root).

    Args:
        name: One of those above.
        learning_rate: A number, or a schedule of optax.
        weight_decay: Of an L2 penalty weight_decay / 2 |params|^2, whose gradient is added before all else.
        normalize: Whether the gradient of each tensor is then divided by its norm, as `normalize_each` does.
        **options: Options of optax's function that differ from the above.

    Raises:
        ValueError: For an unknown name.
    """
    if name not in _BY_NAME:
        raise ValueError(f"unknown optimizer {name!r}; expected {', '.join(_BY_NAME)}")
    function, defaults = _BY_NAME[name]
    options = defaults | options
    rule = optax.inject_hyperparams(function, static_args=tuple(options))(learning_rate, **options)
    before = [optax.add_decayed_weights(weight_decay)] * bool(weight_decay) + [normalize_each()] * normalize
    return optax.chain(*before, rule) if before else rule


def normalize_each(eps: float = 1e-7) -> optax.GradientTransformation:
    """Divide the gradient of each tensor by its L2 norm + eps (Tomczak & Welling 2018, the authors' code)."""

    def normalized(gradient: jax.Array) -> jax.Array:
        return gradient / (jnp.sqrt(jnp.sum(jnp.square(gradient))) + eps)

    return optax.stateless(lambda updates, _: jax.tree.map(normalized, updates))
