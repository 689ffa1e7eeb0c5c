"""Minimisation to a given gradient norm by L-BFGS, for convex losses of a whole training set."""

from collections.abc import Callable

import jax
import optax

from jaxgen.recipe import PyTree


def minimize(
    loss: Callable[[PyTree], jax.Array], params: PyTree, *, tolerance: float, most_steps: int
) -> tuple[PyTree, jax.Array, jax.Array]:
    """Minimise until the gradient norm is at most `tolerance`: parameters, number of steps, final gradient norm."""
    optimizer = optax.lbfgs()
    # The line search has already computed value and gradient at the start of the next step.
    value_and_grad = optax.value_and_grad_from_state(loss)

    def step(carry: tuple[PyTree, PyTree]) -> tuple[PyTree, PyTree]:
        params, state = carry
        value, gradient = value_and_grad(params, state=state)
        updates, state = optimizer.update(gradient, state, params, value=value, grad=gradient, value_fn=loss)
        return optax.apply_updates(params, updates), state

    def report(state: PyTree) -> tuple[jax.Array, jax.Array]:
        return optax.tree.get(state, "count"), optax.tree.norm(optax.tree.get(state, "grad"))

    def continues(carry: tuple[PyTree, PyTree]) -> jax.Array:
        count, norm = report(carry[1])
        return (count == 0) | ((count < most_steps) & (norm > tolerance))

    params, state = jax.lax.while_loop(continues, step, (params, optimizer.init(params)))
    return params, *report(state)
