"""Running averages arrive where the exact ones do, whatever the precision of the model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import recipes
from jaxgen.recipe import Recipe, State


def constant(dtype, first=1.0) -> Recipe:
    """Weights that begin at +-`first` and from the first step on are twice that; and a count of steps."""
    weights = jnp.array([first, -first], dtype)

    def step(key, state, batch, *, axis_name=None):
        del key, batch, axis_name
        return State({"weights": 2 * weights, "steps": state.model["steps"] + 1}, ()), {"loss": jnp.float32(0)}

    return Recipe(lambda key, batch: State({"weights": weights, "steps": jnp.int32(0)}, ()), step, evaluate=None)


@pytest.mark.parametrize(("decay", "steps"), [(0.0, 1), (0.9, 5), (0.999, 2000), (0.9999, 100_000)])
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_an_average_arrives(dtype, decay, steps):
    recipe = recipes.with_ema(constant(dtype), decay)
    begun = recipe.init(jax.random.key(0), {})

    def step(state, index):
        return recipe.step(jax.random.fold_in(jax.random.key(1), index), state, {})[0], None

    model = jax.jit(lambda state: jax.lax.scan(step, state, jnp.arange(steps))[0])(begun).model
    assert model["weights"].dtype == begun.model["weights"].dtype == jnp.float32
    assert model["steps"] == steps
    # Each rounding is of variance 1/4 at most in units of the last bit, and forgotten as the average forgets.
    deviation = 2**-23 * np.sqrt(1 / 4 / (1 - decay**2))
    expected = (2 - decay**steps) * np.array([1, -1])
    np.testing.assert_allclose(model["weights"], expected, rtol=0, atol=6 * deviation)
    assert 6 * deviation < 1e-3 / 5  # what rounding to nearest, which stops at 1.9991, is off by


def test_an_average_that_has_arrived_stays():
    recipe = recipes.with_ema(constant(jnp.float32, 1.5), 0.999)
    there = recipe.step(jax.random.key(0), recipe.init(jax.random.key(0), {}), {})[0]
    there = there._replace(model=there.train[1])
    for number in range(20):
        found, _ = recipe.step(jax.random.key(number), there, {})
        np.testing.assert_array_equal(found.model["weights"], [3, -3])
