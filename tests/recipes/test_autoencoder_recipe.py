"""The autoencoder against principal components, which a linear one finds."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy import special, stats

from jaxgen import likelihood, models, recipes


def test_a_linear_autoencoder_reaches_the_error_of_principal_components():
    random = np.random.default_rng(0)
    x = np.float32(random.normal(size=(200, 3)) @ random.normal(size=(3, 6)) + 0.3 * random.normal(size=(200, 6)))
    x -= x.mean(0)
    singular = np.linalg.svd(np.float64(x), compute_uv=False)
    best = (singular[2:] ** 2).sum() / len(x)

    network = models.Autoencoder(models.Encoder(2, ()), models.Decoder((6,), ()))
    recipe = recipes.autoencoder(network, optax.adam(2e-2), likelihood=likelihood.fixed_gaussian())
    batch = {"x": jnp.asarray(x)}
    state = recipe.init(jax.random.key(0), batch)
    step = jax.jit(recipe.step)
    for _ in range(800):
        state, metrics = step(jax.random.key(0), state, batch)
    values = recipe.evaluate(jax.random.key(0), state.model, batch)

    np.testing.assert_allclose(np.mean(values["squared_error"]), best, rtol=1e-3)
    constant = 0.5 * 6 * np.log(2 * np.pi)
    np.testing.assert_allclose(values["reconstruction"], 0.5 * values["squared_error"] + constant, rtol=1e-5)
    assert np.mean(values["reconstruction"]) <= metrics["loss"] * (1 + 1e-6)  # a rounding apart at the optimum
    decoded = recipe.decode(state.model, recipe.encode(state.model, batch["x"]))
    np.testing.assert_allclose(np.square(decoded - x).sum(1), values["squared_error"], rtol=1e-4)


def test_the_squared_error_of_binary_data_is_that_of_probabilities():
    network = models.Autoencoder(models.Encoder(2, ()), models.Decoder((6,), ()))
    recipe = recipes.autoencoder(network, optax.sgd(0.1))
    x = np.random.default_rng(1).integers(0, 2, (5, 6)).astype(np.float32)
    model = recipe.init(jax.random.key(0), {"x": x}).model
    found = recipe.evaluate(jax.random.key(0), model, {"x": jnp.asarray(x)})

    logits = np.float64(network.apply(model, x))
    np.testing.assert_allclose(found["squared_error"], np.square(special.expit(logits) - x).sum(1), rtol=1e-5)
    expected = -stats.bernoulli.logpmf(x, special.expit(logits)).sum(1)
    np.testing.assert_allclose(found["reconstruction"], expected, rtol=1e-5)
