"""The parameters of schedule-free optimization for evaluation, against a plain loop of optax."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.contrib import schedule_free_eval_params, schedule_free_sgd

from jaxgen import losses, models, recipes
from jaxgen.recipe import Recipe, State

RANDOM = np.random.default_rng(3)
X = jnp.float32(RANDOM.normal(size=(32, 4)))
Y = jnp.asarray(jnp.argmax(X[:, :3], axis=1), jnp.int32)
RULE = optax.chain(optax.clip_by_global_norm(1.0), schedule_free_sgd(1.0))


def test_the_model_has_the_averages_and_training_goes_on_from_its_own_parameters():
    network = models.Classifier(3)
    recipe = recipes.with_evaluation_parameters(recipes.multinomial_classifier(network, RULE))
    batch = {"x": X, "y": Y}
    state = recipe.init(jax.random.key(0), batch)
    params = network.init(jax.random.key(0), X)
    opt_state, step = RULE.init(params), jax.jit(recipe.step)

    def loss(params):
        return jnp.mean(losses.categorical_nll(network.apply(params, X), Y))

    first = loss(params)
    for number in range(20):
        state, _ = step(jax.random.key(number), state, batch)
        updates, opt_state = RULE.update(jax.grad(loss)(params), opt_state, params)
        params = optax.apply_updates(params, updates)
    averages = schedule_free_eval_params(opt_state[1], params)

    def assert_close(found, wanted):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), found, wanted)

    assert_close(state.model, averages)
    assert_close(state.train[1], params)
    assert not np.allclose(averages["params"]["logits"]["kernel"], params["params"]["logits"]["kernel"], rtol=1e-2)
    assert loss(averages) < 0.6 * first
    np.testing.assert_allclose(
        jnp.mean(recipe.evaluate(jax.random.key(0), state.model, batch)["cross_entropy"]), loss(averages), rtol=1e-4
    )


def test_networks_of_one_shape_have_each_its_own_averages():
    """Both players are a vector [2]; what is no parameter is copied, and no buffer is shared."""
    rule = schedule_free_sgd(0.5)
    players = {"generator": {"w": jnp.array([1.0, 2.0])}, "discriminator": {"w": jnp.array([-3.0, 5.0])}}

    def states(players):
        found = {}
        for name, rate in (("discriminator", 0.5), ("generator", 1.0)):  # dictionaries are trees in order of names
            params, state = players[name], rule.init(players[name])
            for _ in range(3):
                updates, state = rule.update(jax.tree.map(lambda w, rate=rate: rate * w, params), state, params)
                params = optax.apply_updates(params, updates)
            found[name] = params, state
        return found

    trained = states(players)
    model = {name: params for name, (params, _) in trained.items()} | {"counts": jnp.arange(2.0)}
    opt_states = tuple(trained[name][1] for name in ("discriminator", "generator"))
    inner = Recipe(lambda key, batch: State(model, opt_states), step=None, evaluate=None)
    state = recipes.with_evaluation_parameters(inner).init(jax.random.key(0), {})

    for name, (params, opt_state) in trained.items():
        expected = schedule_free_eval_params(opt_state, params)["w"]
        np.testing.assert_array_equal(state.model[name]["w"], expected)
        assert not np.array_equal(expected, params["w"])
    np.testing.assert_array_equal(state.model["counts"], [0, 1])
    assert state.model["counts"] is not state.train[1]["counts"]


def test_another_optimizer_is_refused():
    recipe = recipes.with_evaluation_parameters(recipes.multinomial_classifier(models.Classifier(3), optax.sgd(0.1)))
    with pytest.raises(ValueError, match=r"expects a recipe whose optimizer is optax\.contrib\.schedule_free"):
        recipe.init(jax.random.key(0), {"x": X, "y": Y})
