"""One step of an optimizer, as every recipe takes it."""

import jax
import optax

from jaxgen.recipe import PyTree


def update(
    optimizer: optax.GradientTransformation, gradients: PyTree, opt_state: PyTree, params: PyTree
) -> tuple[PyTree, PyTree]:
    """(params, opt_state) after one step down the gradients."""
    updates, opt_state = optimizer.update(gradients, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


def learning_rate(opt_state: PyTree) -> dict[str, jax.Array]:
    """{"learning_rate": scalar} of the latest update, or {} for an optimizer without `optax.inject_hyperparams`."""
    found = [
        state.hyperparams["learning_rate"]
        for state in jax.tree.leaves(opt_state, is_leaf=lambda node: hasattr(node, "hyperparams"))
        if "learning_rate" in getattr(state, "hyperparams", {})
    ]
    return {"learning_rate": found[0]} if found else {}
