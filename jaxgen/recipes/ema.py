"""Polyak averaging of whatever a recipe learns (Polyak & Juditsky 1992; as in Karras et al. 2018 for generators)."""

import jax
import jax.numpy as jnp

from jaxgen.recipe import PyTree, Recipe, State


def with_ema(recipe: Recipe, decay: float) -> Recipe:
    """The recipe, with every reader of `State.model` given the running average of the trained model.

    average <- decay average + (1 - decay) model after each step, from the initial model on, which after t steps still
    weighs decay^t: a decay is for runs of many times 1 / (1 - decay) steps. Inexact leaves are averaged, integers and
    keys copied. Raises ValueError unless 0 <= decay < 1.
    """
    if not 0 <= decay < 1:
        raise ValueError(f"decay must be in [0, 1), got {decay}")

    def average(old: jax.Array, new: jax.Array) -> jax.Array:
        return decay * old + (1 - decay) * new if jnp.issubdtype(new.dtype, jnp.inexact) else new

    def init(key: jax.Array, batch: dict) -> State:
        inner = recipe.init(key, batch)
        # Two copies: a caller may donate the state, whose buffers must then be apart.
        return State(jax.tree.map(jnp.copy, inner.model), (inner.train, inner.model))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        train, model = state.train
        inner, metrics = recipe.step(key, State(model, train), batch, axis_name=axis_name)
        averages: PyTree = jax.tree.map(average, state.model, inner.model)
        return State(averages, (inner.train, inner.model)), metrics

    return recipe._replace(init=init, step=step)
