"""The Wasserstein autoencoder: its objective term by term, and that codes come to be like the prior."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen import losses, models, recipes
from jaxgen.sampling import standard_normal

SGD = optax.inject_hyperparams(optax.sgd)(0.1)


def network(latent_dim=2) -> models.Autoencoder:
    return models.Autoencoder(models.Encoder(latent_dim, (16,)), models.Decoder((6,), (16,)))


@pytest.fixture(scope="module")
def batch():
    random = np.random.default_rng(0)
    x = random.normal(size=(64, 2)) @ random.normal(size=(2, 6)) + 3  # codes begin far from the prior
    return {"x": jnp.asarray(x, jnp.float32)}


def test_the_loss_is_weighted_cost_plus_lambda_times_mmd_under_the_authors_kernel(batch):
    recipe = recipes.wae_mmd(network(), SGD, weight=7.0, cost_weight=0.05)
    state = jax.jit(recipe.init)(jax.random.key(0), batch)
    _, metrics = jax.jit(recipe.step)(jax.random.key(1), state, batch)

    z = np.asarray(recipe.encode(state.model, batch["x"]), np.float64)
    _, key_prior, _ = jax.random.split(jax.random.key(1), 3)
    prior = np.asarray(standard_normal(key_prior, 64, (2,)), np.float64)

    def mean_kernel(a, b, itself):
        d2 = ((a[:, None] - b[None]) ** 2).sum(-1)
        k = sum(c / (c + d2) for c in [4 * s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10)])
        return (k.sum() - itself * np.trace(k)) / (len(a) * (len(b) - itself))

    mmd = mean_kernel(z, z, 1) + mean_kernel(prior, prior, 1) - 2 * mean_kernel(z, prior, 0)
    x = np.asarray(batch["x"], np.float64)
    cost = ((np.asarray(recipe.decode(state.model, jnp.asarray(z, jnp.float32))) - x) ** 2).sum(1).mean()
    np.testing.assert_allclose(metrics["mmd"], mmd, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(metrics["cost"], 0.05 * cost, rtol=1e-4)
    np.testing.assert_allclose(metrics["loss"], 0.05 * cost + 7 * mmd, rtol=1e-4)


def test_one_step_of_wae_gan_is_algorithm_1(batch):
    judge = models.Discriminator((5,))
    recipe = recipes.wae_gan(network(), judge, SGD, SGD, weight=3.0)
    state = jax.jit(recipe.init)(jax.random.key(0), batch)
    after, metrics = jax.jit(recipe.step)(jax.random.key(1), state, batch)

    _, key_prior, _ = jax.random.split(jax.random.key(1), 3)
    prior = standard_normal(key_prior, 64, (2,))

    def logits(params, z):
        return judge.apply(params, z, train=True)

    def of_judge(params):
        z = network().apply(state.model, batch["x"], method="encode")
        return 3 * jnp.mean(jax.nn.softplus(-logits(params, prior)) + jax.nn.softplus(logits(params, z)))

    taught = jax.tree.map(
        lambda p, g: p - 0.1 * g, state.train.discriminator, jax.jit(jax.grad(of_judge))(state.train.discriminator)
    )

    def of_network(params):
        z = network().apply(params, batch["x"], method="encode")
        cost = jnp.sum((network().apply(params, z, method="decode") - batch["x"]) ** 2, axis=1)
        return jnp.mean(cost + 3 * jax.nn.softplus(-logits(taught, z)))

    value, gradient = jax.jit(jax.value_and_grad(of_network))(state.model)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, state.model, gradient)
    np.testing.assert_allclose(metrics["loss"], value, rtol=1e-5)
    for found, wanted in zip(
        jax.tree.leaves((after.train.discriminator, after.model)), jax.tree.leaves((taught, expected)), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", ["mmd", "gan"])
def test_codes_come_to_be_like_the_prior(family, batch):
    adam = optax.adam(3e-3)
    if family == "mmd":
        recipe = recipes.wae_mmd(network(), adam, weight=20.0)
    else:
        recipe = recipes.wae_gan(network(), models.Discriminator((32,)), optax.adam(1e-3), adam, weight=5.0)
    state = jax.jit(recipe.init)(jax.random.key(0), batch)
    kernel = losses.inverse_multiquadric([4.0])
    prior = jax.random.normal(jax.random.key(9), (2000, 2))

    @jax.jit
    def distance(model):
        return losses.mmd_biased(recipe.encode(model, batch["x"]), prior, kernel)

    @jax.jit
    def cost(model):
        return recipe.evaluate(jax.random.key(2), model, batch)["squared_error"].mean()

    @jax.jit
    def train(state):
        return jax.lax.scan(
            lambda s, i: recipe.step(jax.random.fold_in(jax.random.key(3), i), s, batch), state, jnp.arange(1500)
        )

    trained, _ = train(state)
    # 64 codes that are draws from the prior have a biased MMD of about (k(0) - E k) / 64 < 0.016.
    assert distance(trained.model) < 0.03
    assert distance(state.model) > 5 * distance(trained.model)
    assert cost(trained.model) < 0.1 * cost(state.model)


@pytest.mark.parametrize("family", ["mmd", "gan"])
def test_the_encoder_is_first_trained_to_match_the_prior_s_moments(family, batch):
    adam = optax.adam(1e-2)
    recipe = (
        recipes.wae_mmd(network(), adam, pretrain_steps=400)
        if family == "mmd"
        else recipes.wae_gan(network(), models.Discriminator((5,)), adam, adam, pretrain_steps=400)
    )
    state = jax.jit(recipe.init)(jax.random.key(0), batch)
    step = jax.jit(recipe.step)

    def moment_distance(model):
        z = np.asarray(recipe.encode(model, batch["x"]), np.float64)
        return np.mean(z.mean(0) ** 2) + np.mean((np.cov(z.T) - np.eye(2)) ** 2)

    pretrained, metrics = step(jax.random.key(1), state, batch)
    np.testing.assert_allclose(metrics["loss"], moment_distance(state.model), rtol=1e-4)
    keys = jax.random.split(jax.random.key(3), 399)
    pretrained, _ = jax.jit(lambda s: jax.lax.scan(lambda s, key: recipe.step(key, s, batch), s, keys))(pretrained)
    assert moment_distance(pretrained.model) < 0.01 < 0.1 < moment_distance(state.model)

    # Only the encoder has moved: decoder and discriminator wait.
    before, after = state.model["params"], pretrained.model["params"]
    chex.assert_trees_all_equal(before["decoder"], after["decoder"])
    chex.assert_trees_all_equal(state.train.discriminator, pretrained.train.discriminator)

    # Adam begins anew: its first step is as long as its rate, 1e-2, wherever there is a gradient.
    trained, metrics = step(jax.random.key(2), pretrained, batch)
    for now, then in ((trained.model, pretrained.model), (trained.train.discriminator, state.train.discriminator)):
        moves = jax.tree.leaves(jax.tree.map(lambda a, b: np.abs(a - b).max(), now, then))
        np.testing.assert_array_less(moves, 1.01e-2)
    penalty = metrics["mmd"] if family == "mmd" else metrics["encoder_loss"]
    np.testing.assert_allclose(metrics["loss"], metrics["cost"] + 10 * penalty, rtol=1e-5)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_equal(trained.model["params"]["decoder"], after["decoder"])


def test_one_example_is_a_batch(batch):
    recipe = recipes.wae_gan(network(), models.Discriminator((8,)), SGD, SGD)
    one = {"x": batch["x"][:1]}
    state, _ = jax.jit(recipe.step)(jax.random.key(1), jax.jit(recipe.init)(jax.random.key(0), one), one)
    chex.assert_tree_all_finite(state)


def test_noise_is_added_to_what_is_encoded_in_training_alone(batch):
    quiet, noisy = (recipes.wae_mmd(network(), SGD, weight=0.0, input_noise=noise) for noise in (0.0, 0.5))
    state = jax.jit(quiet.init)(jax.random.key(0), batch)
    costs = {
        recipe: float(jax.jit(recipe.step)(jax.random.key(1), state, batch)[1]["cost"]) for recipe in (quiet, noisy)
    }
    *_, key_input = jax.random.split(jax.random.key(1), 3)
    seen = batch["x"] + 0.5 * standard_normal(key_input, 64, (6,))
    output = quiet.decode(state.model, quiet.encode(state.model, seen))
    np.testing.assert_allclose(costs[noisy], jnp.mean(losses.squared_error(output, batch["x"])), rtol=1e-5)
    assert costs[noisy] != costs[quiet]
    found, expected = (jax.jit(recipe.evaluate)(jax.random.key(2), state.model, batch) for recipe in (noisy, quiet))
    chex.assert_trees_all_equal(found, expected)


def test_a_gaussian_encoder_s_codes_are_drawn(batch):
    gaussian = models.VAE(models.GaussianEncoder(2, (8,)), models.Decoder((6,), (8,)))
    recipe = recipes.wae_mmd(gaussian, SGD)
    model = jax.jit(recipe.init)(jax.random.key(0), batch).model
    one, other = (jax.jit(recipe.draw_code)(jax.random.key(seed), model, batch["x"]) for seed in (0, 1))
    mean, log_var = gaussian.apply(model, batch["x"], method="encode")
    assert not np.allclose(one, other)
    # 128 standard deviations of a draw: their mean square is 1 within 4 sqrt(2 / 128).
    assert abs(np.mean(np.square((one - mean) / np.exp(0.5 * log_var))) - 1) < 4 * np.sqrt(2 / 128)
    np.testing.assert_array_equal(recipe.encode(model, batch["x"]), mean)


def test_the_evaluated_cost_is_weighted_and_of_drawn_codes(batch):
    gaussian = models.VAE(models.GaussianEncoder(2, (8,)), models.Decoder((6,), (8,)))
    recipe = recipes.wae_mmd(gaussian, SGD, cost_weight=0.05)
    model = jax.jit(recipe.init)(jax.random.key(0), batch).model
    values = recipe.evaluate(jax.random.key(2), model, batch)
    drawn, mean = (
        np.square(np.float64(recipe.decode(model, z)) - batch["x"]).sum(1)
        for z in (recipe.draw_code(jax.random.key(2), model, batch["x"]), recipe.encode(model, batch["x"]))
    )
    np.testing.assert_allclose(values["cost"], 0.05 * drawn, rtol=1e-5)
    np.testing.assert_allclose(values["squared_error"], mean, rtol=1e-5)


def test_an_unknown_cost_is_refused():
    with pytest.raises(ValueError, match="cost must be one of squared, bernoulli, got 'l1'"):
        recipes.wae_mmd(network(), SGD, cost="l1")


def test_the_regularised_autoencoder_pays_for_long_codes(batch):
    free, held = (recipes.rae(network(), SGD, code_weight=weight) for weight in (0.0, 0.5))
    state = jax.jit(free.init)(jax.random.key(0), batch)
    (_, metrics_free), (_, metrics_held) = (
        jax.jit(recipe.step)(jax.random.key(1), state, batch) for recipe in (free, held)
    )
    code_norm = 0.5 * np.square(free.encode(state.model, batch["x"])).sum(1).mean()
    np.testing.assert_allclose(metrics_held["code_norm"], code_norm, rtol=1e-5)
    np.testing.assert_allclose(metrics_held["loss"], metrics_free["loss"] + 0.5 * code_norm, rtol=1e-5)


def test_a_kernel_of_the_distance_itself_trains(batch):
    recipe = recipes.wae_mmd(network(), SGD, kernel=lambda d2: jnp.exp(-jnp.sqrt(d2)), cost_weight=0.01)
    state, metrics = jax.jit(recipe.step)(jax.random.key(1), recipe.init(jax.random.key(0), batch), batch)

    chex.assert_tree_all_finite((state, metrics))
    with pytest.raises(AssertionError):
        jax.eval_shape(recipes.wae_mmd(network(), SGD, kernel=jnp.sum).step, jax.random.key(1), state, batch)
