"""Polyak averaging of whatever a recipe learns (Polyak & Juditsky 1992; as in Karras et al. 2018 for generators)."""

import jax
import jax.numpy as jnp

from jaxgen.recipe import PyTree, Recipe, State

_ROUNDING = 2**31 - 1  # folded into a step's key for the averages; the recipe's own draws are what they are without


def with_ema(recipe: Recipe, decay: float) -> Recipe:
    """The recipe, with every reader of `State.model` given the running average of the trained model.

    average <- average + (1 - decay) (model - average) after each step, from the initial model on, which after t steps
    still weighs decay^t: a decay is for runs of many times 1 / (1 - decay) steps. Floating leaves are averaged, in
    float32 at least and with stochastic rounding, others copied. Raises ValueError unless 0 <= decay < 1.
    """
    if not 0 <= decay < 1:
        raise ValueError(f"decay must be in [0, 1), got {decay}")

    def copy(leaf: jax.Array) -> jax.Array:
        # Two copies: a caller may donate the state, whose buffers must then be apart.
        is_short = jnp.issubdtype(leaf.dtype, jnp.floating) and jnp.finfo(leaf.dtype).bits < 32
        return leaf.astype(jnp.float32) if is_short else jnp.copy(leaf)

    def init(key: jax.Array, batch: dict) -> State:
        inner = recipe.init(key, batch)
        return State(jax.tree.map(copy, inner.model), (inner.train, inner.model))

    def step(key: jax.Array, state: State, batch: dict, *, axis_name: str | None = None) -> tuple[State, dict]:
        train, model = state.train
        inner, metrics = recipe.step(key, State(model, train), batch, axis_name=axis_name)
        shift = jax.random.uniform(jax.random.fold_in(key, _ROUNDING), dtype=jnp.float32, minval=-0.5, maxval=0.5)

        def average(old: jax.Array, new: jax.Array) -> jax.Array:
            if not jnp.issubdtype(new.dtype, jnp.floating):
                return new
            # To nearest, a step below half of the last bit is lost: at decay 0.9999 the average stops 5,000 of them
            # away. The nearest after a shift of up to half a bit is right in the mean.
            last_bit = jnp.nextafter(jnp.abs(old), jnp.inf) - jnp.abs(old)
            return old + ((1 - decay) * (new.astype(old.dtype) - old) + shift.astype(old.dtype) * last_bit)

        averages: PyTree = jax.tree.map(average, state.model, inner.model)
        return State(averages, (inner.train, inner.model)), metrics

    return recipe._replace(init=init, step=step)
