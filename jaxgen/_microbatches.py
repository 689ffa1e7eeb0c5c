"""Gradients of microbatches, one after the other where `vmap` would compute all at once."""

from collections.abc import Callable
from typing import Any

import jax
import jax.extend
import jax.numpy as jnp

AXIS = "microbatches"
PyTree = Any


def one_after_the_other(function: Callable[[PyTree], tuple[PyTree, PyTree]], params: PyTree) -> tuple[PyTree, PyTree]:
    """function(params) -> (means, rows) of one microbatch: the means over all of them, and the rows of each.

    A `vmap` would compute all at once; its rule is replaced by a loop.
    """
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(params)
    if _looks_beyond(closed.jaxpr):
        raise ValueError(
            "this loss looks beyond a microbatch, as batch norm, the MMD and games do; expected no accumulation"
        )
    leaves, tree = jax.tree.flatten(params)
    num_means = len(jax.tree.leaves(shapes[0]))

    def call(consts: list, leaves: list) -> list:
        return jax.extend.core.jaxpr_as_fun(jax.extend.core.ClosedJaxpr(closed.jaxpr, consts))(*leaves)

    in_turn = jax.custom_batching.custom_vmap(call)

    @in_turn.def_vmap
    def _(num: int, batched: list, consts: list, leaves: list) -> tuple[list, list]:
        def add(total: list, own: list) -> tuple[list, list]:
            given = iter(own)
            found = call([next(given) if b else c for c, b in zip(consts, batched[0], strict=True)], leaves)
            return jax.tree.map(jnp.add, total, found[:num_means]), found[num_means:]

        nothing = [jnp.zeros(leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(shapes[0])]
        own = [c for c, b in zip(consts, batched[0], strict=True) if b]
        total, rows = jax.lax.scan(add, nothing, own, length=num)
        return [leaf / num for leaf in total] + rows, [False] * num_means + [True] * len(rows)

    return jax.tree.unflatten(jax.tree.structure(shapes), in_turn(closed.consts, leaves))


def _looks_beyond(jaxpr: jax.extend.core.Jaxpr) -> bool:
    """Whether any of its operations is over the axis of the microbatches."""
    axes = (eqn.params.get("axes", eqn.params.get("axis_name")) for eqn in jaxpr.eqns)
    own = any(AXIS in (axis if isinstance(axis, tuple) else (axis,)) for axis in axes)
    return own or any(map(_looks_beyond, jax.extend.core.subjaxprs(jaxpr)))
