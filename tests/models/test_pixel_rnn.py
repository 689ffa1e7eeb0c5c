"""The recurrent layers of a PixelRNN against loops over pixels in float64, and its sampler against the naive one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import expit

from jaxgen import likelihood, models, recipes
from jaxgen.models.layers.lstm import DiagonalBiLSTM, PixelLSTM, RowLSTM

HEIGHT, WIDTH, INPUTS, FEATURES = 3, 4, 2, 3
# Of each set of gates, by name: where a state sees others, the one whose carry it has, and where its input is.
BEFORE = {
    RowLSTM: {"gates": ([(-1, -1), (-1, 0), (-1, 1)], (-1, 0), [(0, -1), (0, 0)])},
    DiagonalBiLSTM: {
        "from_left": ([(-1, 0), (0, -1)], (0, -1), [(0, 0)]),
        "from_right": ([(-1, 0), (0, 1)], (0, 1), [(0, 0)]),
    },
}


def by_loops(gates, x, seen, carried, inputs, columns):
    """States [H, W, F] of one image, by van den Oord et al. 2016a, eq. 3; 0 outside of the image."""
    convolution, kernel = gates["convolution"], gates["kernel"]
    at = lambda array, row, column: (  # noqa: E731
        array[row, column] if 0 <= row < HEIGHT and 0 <= column < WIDTH else np.zeros(array.shape[2])
    )
    state, carry = np.zeros((HEIGHT, WIDTH, FEATURES)), np.zeros((HEIGHT, WIDTH, FEATURES))
    for row in range(HEIGHT):
        for column in columns:
            given = np.concatenate([at(x, row + down, column + right) for down, right in inputs])
            states = np.concatenate([at(state, row + down, column + right) for down, right in seen])
            all_gates = given @ convolution["kernel"] + convolution["bias"] + states @ kernel
            output, forget, update, new = all_gates.reshape(FEATURES, 4).T
            carry[row, column] = expit(forget) * at(carry, row + carried[0], column + carried[1])
            carry[row, column] += expit(update) * np.tanh(new)
            state[row, column] = expit(output) * np.tanh(carry[row, column])
    return state


@pytest.mark.parametrize("layer", [RowLSTM, DiagonalBiLSTM, PixelLSTM])
def test_states_are_those_of_loops_over_pixels(layer):
    network = layer(INPUTS, FEATURES)
    x = jax.random.normal(jax.random.key(0), (1, HEIGHT, WIDTH, INPUTS))
    params = jax.jit(network.init)(jax.random.key(1), x)["params"]
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)  # no bias is 0
    found = jax.jit(network.apply)({"params": params}, x)[0]
    x, params = np.float64(x[0]), jax.tree.map(np.float64, params)
    if layer is PixelLSTM:  # as one long row, whose states see those to their left
        flat, expected = x.reshape(-1, INPUTS), []
        gates, state, carry = params["gates"], np.zeros(FEATURES), np.zeros(FEATURES)
        for given in flat @ gates["convolution"]["kernel"] + gates["convolution"]["bias"]:
            output, forget, update, new = (given + state @ gates["kernel"]).reshape(FEATURES, 4).T
            carry = expit(forget) * carry + expit(update) * np.tanh(new)
            state = expit(output) * np.tanh(carry)
            expected.append(state)
        expected = np.reshape(expected, (HEIGHT, WIDTH, FEATURES))
    else:
        expected = 0
        for name, (seen, carried, inputs) in BEFORE[layer].items():
            columns = range(WIDTH) if name != "from_right" else reversed(range(WIDTH))
            states = by_loops(params[name], x, seen, carried, inputs, list(columns))
            expected = expected + (np.pad(states, [(1, 0), (0, 0), (0, 0)])[:-1] if name == "from_right" else states)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_samples_are_those_of_the_naive_sampler_which_sees_no_later_pixel():
    network = models.PixelRNN((3, 2, 1), 3, 2, 4, lstm="diagonal")
    recipe = recipes.autoregressive(network, optax.sgd(0.1))
    x = jax.random.bernoulli(jax.random.key(2), 0.5, (8, 3, 2, 1)).astype(jnp.float32)
    model, random = jax.eval_shape(recipe.init, jax.random.key(0), {"x": x}).model, np.random.default_rng(0)
    model = jax.tree.map(lambda leaf: jnp.float32(random.normal(0, 0.5, leaf.shape)), model)
    key = jax.random.split(jax.random.key(7))[1]

    @jax.jit
    def draw(x, position):
        logits = network.apply(model.params, x).reshape(8, 6)[:, position]
        drawn = likelihood.bernoulli.draw(jax.random.fold_in(key, position), logits)
        return x.reshape(8, 6).at[:, position].set(drawn).reshape(x.shape)

    for position in range(6):
        x = draw(x, position)
    np.testing.assert_array_equal(jax.jit(lambda key: recipe.sample(key, model, 8))(jax.random.key(7)), x)
    assert 0 < x.mean() < 1
