"""Evaluation with the parameters of schedule-free optimization (Defazio et al. 2024, "The road less scheduled")."""

import jax
import jax.numpy as jnp
import optax

from jaxgen.recipe import PyTree, Recipe, State


def with_evaluation_parameters(recipe: Recipe) -> Recipe:
    """Evaluate and sample with the averages x of `optax.contrib.schedule_free`, whose gradients are taken at y.

    The optimizer of `recipe` is, or contains, `schedule_free` of some optimizer; of a game, one or both are. In
    `State.model` x stands in place of y; what is no parameter, such as batch statistics, is that of training. Raises
    ValueError in `init` where no optimizer is schedule-free.
    """

    def init(key: jax.Array, batch: dict) -> State:
        return _evaluated(recipe.init(key, batch))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        train, model = state.train
        inner, metrics = recipe.step(key, State(model, train), batch, axis_name=axis_name)
        return _evaluated(inner), metrics

    return recipe._replace(init=init, step=step)


def _evaluated(inner: State) -> State:
    """The state of a recipe with the parameters for evaluation in its model, and its own model in `train`."""
    states = [node for node in jax.tree.leaves(inner.train, is_leaf=_is_schedule_free) if _is_schedule_free(node)]
    by_shapes = [(_shapes(state.z), state) for state in states]
    nodes, structure = jax.tree.flatten(
        inner.model, is_leaf=lambda node: _shapes(node) in [shapes for shapes, _ in by_shapes]
    )
    # Where the networks of a game have the same shapes, they stand in the order of their optimizers.
    pending, found = list(by_shapes), []
    for node in nodes:
        index = next((i for i, (shapes, _) in enumerate(pending) if shapes == _shapes(node)), None)
        # A copy, since a caller may donate the state, whose leaves must not share buffers.
        own = jnp.copy(node) if index is None else optax.contrib.schedule_free_eval_params(pending.pop(index)[1], node)
        found.append(own)
    if len(pending) == len(by_shapes):
        raise ValueError("with_evaluation_parameters expects a recipe whose optimizer is optax.contrib.schedule_free")
    return State(jax.tree.unflatten(structure, found), (inner.train, inner.model))


def _is_schedule_free(node: PyTree) -> bool:
    return isinstance(node, optax.contrib.ScheduleFreeState)


def _shapes(tree: PyTree) -> tuple:
    return jax.tree.structure(tree), [leaf.shape for leaf in jax.tree.leaves(tree)]
