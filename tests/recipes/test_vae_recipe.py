"""The VAE recipe against numbers worked out apart from it, in NumPy float64."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import special, stats

from jaxgen import likelihood, models, recipes
from jaxgen.sampling import standard_normal

D, Z, B = 6, 1, 5


def network(num_classes: int | None = None) -> models.VAE:
    return models.VAE(models.GaussianEncoder(Z, (7,)), models.Decoder((D,), (7,)), num_classes)


@pytest.fixture(scope="module")
def x() -> jax.Array:
    return jax.random.bernoulli(jax.random.key(1), 0.4, (B, D)).astype(jnp.float32)


def weights(params: dict) -> dict:
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params["params"])


def dense(layer: dict, x: np.ndarray) -> np.ndarray:
    return x @ layer["kernel"] + layer["bias"]


def logits_of(params: dict, z: np.ndarray) -> np.ndarray:
    decoder = weights(params)["decoder"]
    return dense(decoder["output"], np.maximum(dense(decoder["MLP_0"]["Dense_0"], z), 0))


def posterior_of(params: dict, x: jax.Array) -> list[np.ndarray]:
    """Mean and log-variance of q(z | x)."""
    encoder = weights(params)["encoder"]
    h = np.maximum(dense(encoder["MLP_0"]["Dense_0"], np.asarray(x, np.float64)), 0)
    return np.split(dense(encoder["mean_and_log_var"], h), 2, axis=-1)


def log_likelihood(logits: np.ndarray, x: np.ndarray) -> np.ndarray:
    return stats.bernoulli.logpmf(np.asarray(x), special.expit(logits)).sum(-1)


def test_log_prob_approaches_the_integral_over_the_latent(x):
    recipe = recipes.vae(network(), optax.sgd(0.1))
    model = jax.jit(recipe.init)(jax.random.key(0), {"x": x}).model
    grid = np.linspace(-8, 8, 4001)[:, None]
    joint = np.stack([log_likelihood(logits_of(model.params, grid), row) for row in x], 1) + stats.norm.logpdf(grid)
    exact = special.logsumexp(joint, axis=0) + np.log(grid[1, 0] - grid[0, 0])

    bound = jax.jit(recipe.log_prob, static_argnames="num_samples")(jax.random.key(2), model, x, num_samples=20000)

    # The log-weights of this small model spread by about 0.5 nats: 20,000 of them leave an error near 0.004.
    np.testing.assert_allclose(bound, exact, atol=0.03)


def test_evaluate_averages_to_the_elbo_by_quadrature(x):
    recipe = recipes.vae(network(), optax.sgd(0.1))
    model = jax.jit(recipe.init)(jax.random.key(0), {"x": x}).model
    mean, log_var = posterior_of(model.params, x)
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(60)
    z = mean[:, None] + np.exp(0.5 * log_var)[:, None] * nodes[None, :, None]
    reconstruction = -(log_likelihood(logits_of(model.params, z), np.asarray(x)[:, None]) @ node_weights)
    reconstruction /= node_weights.sum()
    kl = 0.5 * (mean**2 + np.exp(log_var) - log_var - 1).sum(-1)

    draws = jax.vmap(lambda key: recipe.evaluate(key, model, {"x": x})["negative_elbo"])(
        jax.random.split(jax.random.key(3), 4000)
    )

    margin = 4.5 * np.asarray(draws).std(0) / np.sqrt(4000)
    assert (np.abs(np.asarray(draws).mean(0) - (reconstruction + kl)) < margin).all()


def test_classify_is_bayes_rule_on_the_integral_over_the_latent(x):
    recipe = recipes.vae(network(num_classes=3), optax.sgd(0.1))
    model = jax.jit(recipe.init)(jax.random.key(0), {"x": x, "y": jnp.zeros(B, jnp.int32)}).model
    counts = np.array([1, 6, 30])
    kernel = model.params["params"]["decoder"]["MLP_0"]["Dense_0"]["kernel"]
    # Classes decide about x, so that the posterior has no symmetry; z says little, so that 32 draws of it are enough.
    kernel = kernel.at[:Z].multiply(0.3).at[Z:].multiply(3.0)
    model.params["params"]["decoder"]["MLP_0"]["Dense_0"]["kernel"] = kernel
    model = model._replace(label_counts=jnp.asarray(counts))

    grid = np.linspace(-8, 8, 1001)
    joint = []
    for y in range(3):
        seen = np.column_stack([grid, np.tile(np.eye(3)[y], (len(grid), 1))])
        terms = log_likelihood(logits_of(model.params, seen)[:, None], np.asarray(x)) + stats.norm.logpdf(grid)[:, None]
        joint.append(special.logsumexp(terms, axis=0) + np.log(grid[1] - grid[0]) + np.log(counts[y] / counts.sum()))
    expected = special.log_softmax(np.stack(joint, axis=1), axis=1)

    classify = jax.jit(jax.vmap(recipe.classify, in_axes=(0, None, None)))
    found = np.float64(classify(jax.random.split(jax.random.key(2), 50), model, x))

    # Bounds of 32 draws are low by half the variance of a weight over 32; their mean over keys has its own error.
    margin = 0.02 + 4.5 * found.std(0) / np.sqrt(50)
    assert (margin < 0.2).all()
    assert (np.abs(found.mean(0) - expected) < margin).all()
    unweighted = special.log_softmax(np.stack(joint, axis=1) - np.log(counts), axis=1)
    for mistaken in (unweighted, expected[:, ::-1], special.log_softmax(-np.stack(joint, axis=1), axis=1)):
        assert np.abs(mistaken - expected).max() > 0.5


def test_a_step_averages_the_reconstruction_over_draws_of_z(x):
    recipe = recipes.vae(network(), optax.sgd(0.0), num_samples=3)
    state = jax.jit(recipe.init)(jax.random.key(0), {"x": x})
    _, metrics = jax.jit(recipe.step)(jax.random.key(4), state, {"x": x})

    mean, log_var = posterior_of(state.model.params, x)
    noise = np.float64(standard_normal(jax.random.key(4), B, (3, Z))).swapaxes(0, 1)
    reconstruction = -log_likelihood(logits_of(state.model.params, mean + np.exp(0.5 * log_var) * noise), x)
    kl = 0.5 * (mean**2 + np.exp(log_var) - log_var - 1).sum(-1)
    np.testing.assert_allclose(metrics["reconstruction"], reconstruction.mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["loss"], reconstruction.mean() + kl.mean(), rtol=1e-5)


def test_the_squared_error_is_that_of_the_posterior_mean(x):
    recipe = recipes.vae(network(), optax.sgd(0.1))
    model = jax.jit(recipe.init)(jax.random.key(0), {"x": x}).model
    found = recipe.evaluate(jax.random.key(3), model, {"x": x})["squared_error"]

    mean, _ = posterior_of(model.params, x)
    expected = np.square(special.expit(logits_of(model.params, mean)) - np.asarray(x)).sum(-1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def losses_of(recipe, x: jax.Array, steps: int, **leaves) -> list[dict]:
    state = jax.jit(recipe.init)(jax.random.key(0), {"x": x, **leaves})
    step, seen = jax.jit(recipe.step), []
    for number in range(steps):
        state, metrics = step(jax.random.key(number), state, {"x": x, **leaves})
        seen.append({name: float(value) for name, value in metrics.items()})
    return seen


def test_the_kl_s_weight_rises_linearly_to_beta(x):
    optimizer = optax.sgd(0.0)  # the parts stay as they are, so that only the weight moves
    seen = losses_of(recipes.vae(network(), optimizer, beta=3.0, warmup_steps=3), x, 6)

    found = [(step["loss"] - step["reconstruction"]) / step["kl"] for step in seen]
    np.testing.assert_allclose(found, [0.75, 1.5, 2.25, 3.0, 3.0, 3.0], rtol=1e-4)


def test_free_bits_hold_the_kl_up(x):
    (step,) = losses_of(recipes.vae(network(), optax.sgd(0.0), minimum_kl=50.0), x, 1)

    assert step["loss"] - step["reconstruction"] == pytest.approx(50.0 * Z, rel=1e-5)
    assert step["kl"] < 50.0 * Z  # the metric stays the divergence itself


def test_iwae_of_one_sample_is_the_elbo_with_a_sampled_kl_and_more_samples_lower_the_loss(x):
    one, many = (
        np.mean([step["loss"] for step in losses_of(recipes.iwae(network(), optax.sgd(0.0), num_samples=k), x, 400)])
        for k in (1, 20)
    )
    elbo = losses_of(recipes.vae(network(), optax.sgd(0.0)), x, 400)
    values = np.array([step["loss"] for step in elbo])

    assert abs(one - values.mean()) < 4.5 * values.std() * 2 / np.sqrt(400)
    assert many < one


def test_the_learning_rate_is_a_metric_where_the_optimizer_injects_it(x):
    schedule = optax.linear_schedule(0.1, 0.0, 10)
    seen = losses_of(recipes.vae(network(), optax.inject_hyperparams(optax.adam)(schedule)), x, 3)

    np.testing.assert_allclose([step["learning_rate"] for step in seen], [0.1, 0.09, 0.08], rtol=1e-5)
    assert "learning_rate" not in losses_of(recipes.vae(network(), optax.adam(0.1)), x, 1)[0]


def test_a_conditional_vae_counts_labels_and_samples_them(x):
    y = jnp.array([2, 2, 0, 2, 2])
    recipe = recipes.vae(network(num_classes=4), optax.sgd(0.1))
    state = jax.jit(recipe.init)(jax.random.key(0), {"x": x, "y": y})
    step = jax.jit(recipe.step)
    for number in range(3):
        state, _ = step(jax.random.key(number), state, {"x": x, "y": y})

    np.testing.assert_array_equal(state.model.label_counts, [3, 0, 12, 0])
    drawn = recipe.sample(jax.random.key(0), state.model, 9)
    given = recipe.sample(jax.random.key(0), state.model, 9, y=jnp.full(9, 1))
    assert drawn.shape == given.shape == (9, D)
    assert not np.allclose(drawn, given)


@pytest.mark.parametrize("read", ["log_prob", "encode", "sample"])
def test_a_conditional_vae_asks_for_its_label_by_name(read, x):
    recipe = recipes.vae(network(num_classes=4), optax.sgd(0.1))
    model = jax.jit(recipe.init)(jax.random.key(0), {"x": x, "y": jnp.zeros(B, jnp.int32)}).model
    calls = {
        "log_prob": lambda: recipe.log_prob(jax.random.key(0), model, x),
        "encode": lambda: recipe.encode(model, x),
        "sample": lambda: recipe.decode(model, jnp.zeros((2, Z))),
    }
    with pytest.raises(ValueError, match="y must be given"):
        calls[read]()


def test_a_sample_is_the_mean_of_pixels_to_be_drawn(x):
    recipe = recipes.vae(network(), optax.sgd(0.1))
    model = jax.jit(recipe.init)(jax.random.key(0), {"x": x}).model
    mean = recipe.sample(jax.random.key(0), model, 2000)
    z = standard_normal(jax.random.split(jax.random.key(0), 3)[1], 2000, (Z,))
    drawn = likelihood.bernoulli.draw(jax.random.key(1), network().apply(model.params, z, method="decode"))

    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert abs(float(drawn.mean() - mean.mean())) < 4.5 * 0.5 / np.sqrt(2000 * D)


def test_with_ema_averages_parameters_and_copies_counts(x):
    y = jnp.zeros(B, jnp.int32)
    inner = recipes.vae(network(num_classes=2), optax.sgd(0.5), likelihood=likelihood.bernoulli)
    averaged = recipes.with_ema(inner, 0.75)
    state, plain = (jax.jit(recipe.init)(jax.random.key(0), {"x": x, "y": y}) for recipe in (averaged, inner))
    expected = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(plain.model.params)]
    for number in range(3):
        key = jax.random.key(number)
        (state, _), (plain, _) = (
            recipe.step(key, before, {"x": x, "y": y}) for recipe, before in ((averaged, state), (inner, plain))
        )
        new = jax.tree.leaves(plain.model.params)
        expected = [0.75 * old + 0.25 * np.asarray(leaf) for old, leaf in zip(expected, new, strict=True)]

    for found, wanted in zip(jax.tree.leaves(state.model.params), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(state.model.label_counts, plain.model.label_counts)
    with pytest.raises(ValueError, match="decay"):
        recipes.with_ema(inner, 1.0)
