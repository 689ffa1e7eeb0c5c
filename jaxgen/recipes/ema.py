"""Exponential moving averages of the weights (Polyak & Juditsky 1992; for generators Karras et al. 2018)."""

import jax
import jax.numpy as jnp

from jaxgen.recipe import PyTree, Recipe, State

_ROUNDING = 2**31 - 1  # folded into a step's key, so that the recipe's own draws are unchanged


def with_ema(recipe: Recipe, decay: float) -> Recipe:
    """Evaluate and sample with an exponential moving average of the trained model.

    After each step average <- average + (1 - decay) (model - average), starting at the initial model, whose weight
    after t steps is decay^t: train for many times 1 / (1 - decay) steps. Floating-point leaves are averaged, at least
    in float32 and with stochastic rounding, others copied. Raises ValueError unless 0 <= decay < 1.
    """
    if not 0 <= decay < 1:
        raise ValueError(f"decay must be in [0, 1), got {decay}")

    def copy(leaf: jax.Array) -> jax.Array:
        # A copy, since a caller may donate the state, whose leaves must not share buffers.
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
            # Rounding to nearest loses updates below half of the last bit: at decay 0.9999 the average would stop
            # 5,000 last bits away. Rounding after a random shift of up to half a bit is unbiased.
            last_bit = jnp.nextafter(jnp.abs(old), jnp.inf) - jnp.abs(old)
            return old + ((1 - decay) * (new.astype(old.dtype) - old) + shift.astype(old.dtype) * last_bit)

        averages: PyTree = jax.tree.map(average, state.model, inner.model)
        return State(averages, (inner.train, inner.model)), metrics

    return recipe._replace(init=init, step=step)
