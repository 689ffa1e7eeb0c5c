"""One step of an optimizer, as every recipe takes it."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from jaxgen.recipe import PyTree, mean_over


def minimize(
    optimizer: optax.GradientTransformation,
    loss: Callable[[PyTree], tuple[jax.Array, dict]],
    params: PyTree,
    opt_state: PyTree,
    axis_name: str | None = None,
) -> tuple[PyTree, PyTree, dict]:
    """One step down the mean of a loss over all examples of all devices.

    Args:
        optimizer: What makes of the gradient a step.
        loss: params -> (nats [B], {name: [B]} to report), of the examples on this device.
        params: Where the step begins.
        opt_state: The optimizer's state.
        axis_name: The axis of the devices; None for one.

    Returns:
        params, opt_state, and the metrics of the step: the means of what `loss` gives, and the learning rate.
    """

    def mean_loss(params: PyTree) -> tuple[jax.Array, dict]:
        values, parts = loss(params)
        return jnp.mean(values), jax.tree.map(jnp.mean, parts)

    (value, parts), gradients = mean_over(jax.value_and_grad(mean_loss, has_aux=True)(params), axis_name)
    updates, opt_state = optimizer.update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, {"loss": value, **parts, **learning_rate(opt_state)}


def learning_rate(opt_state: PyTree) -> dict[str, jax.Array]:
    """{"learning_rate": scalar} of the latest update, or {} for an optimizer without `optax.inject_hyperparams`."""
    found = [
        state.hyperparams["learning_rate"]
        for state in jax.tree.leaves(opt_state, is_leaf=lambda node: hasattr(node, "hyperparams"))
        if "learning_rate" in getattr(state, "hyperparams", {})
    ]
    return {"learning_rate": found[0]} if found else {}
