"""The hierarchical VAE against integrals over both of its layers, and against the VAE where it has one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from scipy import special, stats

from jaxgen import models, recipes
from jaxgen.sampling import standard_normal

D, B = 5, 3


def network() -> models.HierarchicalVAE:
    encoders = models.GaussianEncoder(1, (6,)), models.GaussianEncoder(1, (4,))
    return models.HierarchicalVAE(encoders, (models.GaussianEncoder(1, (4,)),), models.Decoder((D,), (6,)))


@pytest.fixture(scope="module")
def x() -> jax.Array:
    return jax.random.bernoulli(jax.random.key(1), 0.4, (B, D)).astype(jnp.float32)


@pytest.fixture(scope="module")
def model(x):
    """Fresh, but for p(z_1 | z_2): its variance varies around exp(-1.5), so that nobody can take it for 1."""
    model = jax.jit(recipes.hierarchical_vae(network(), optax.sgd(0.1)).init)(jax.random.key(0), {"x": x}).model
    output = model["params"]["priors_0"]["mean_and_log_var"]
    output["bias"] = output["bias"] + jnp.array([0.0, -1.5])
    return model


def apply(model, z, method, *more):
    return jax.tree.map(np.float64, network().apply(model, jnp.float32(z), *more, method=method))


def normal_log_pdf(gaussian, z):
    return stats.norm.logpdf(z, gaussian.mean, np.exp(0.5 * gaussian.log_var))


def likelihood_on_grid(model, x, z):
    logits = apply(model, z[:, None], "decode")
    return np.stack([stats.bernoulli.logpmf(np.asarray(row), special.expit(logits)).sum(-1) for row in x])


def test_log_prob_approaches_the_integral_over_both_layers(x, model):
    recipe = recipes.hierarchical_vae(network(), optax.sgd(0.1))
    z = np.linspace(-9, 9, 901)
    prior = apply(model, z[:, None], "generate", 0)  # of z_1, for every z_2
    joint_of_z = stats.norm.logpdf(z)[:, None] + normal_log_pdf(prior, z[None, :])  # [z_2, z_1]
    width = z[1] - z[0]
    exact = special.logsumexp(joint_of_z[None] + likelihood_on_grid(model, x, z)[:, None], axis=(1, 2)) + 2 * np.log(
        width
    )

    bound = recipe.log_prob(jax.random.key(2), model, x, num_samples=20000)

    # The log-weights spread by less than a nat: 20,000 of them leave an error near 0.01.
    np.testing.assert_allclose(bound, exact, atol=0.05)


def test_evaluate_averages_to_the_elbo_by_quadrature(x, model):
    recipe = recipes.hierarchical_vae(network(), optax.sgd(0.1))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    below = apply(model, x, "infer", 0)
    expected = []
    for row in range(B):
        z1 = below.mean[row] + np.exp(0.5 * below.log_var[row]) * nodes
        above = apply(model, z1[:, None], "infer", 1)
        z2 = above.mean + np.exp(0.5 * above.log_var) * nodes[None, :]  # [z_1, node]
        prior = apply(model, z2.reshape(-1, 1), "generate", 0)
        log_p = stats.norm.logpdf(z2) + normal_log_pdf(prior, np.repeat(z1, 60)[:, None]).reshape(60, 60)
        log_q = (
            normal_log_pdf(above, z2)
            + normal_log_pdf(models.Gaussian(below.mean[row], below.log_var[row]), z1)[:, None]
        )
        reconstruction = likelihood_on_grid(model, x[row][None], z1)[0]
        expected.append(-weights @ (log_p - log_q + reconstruction[:, None]) @ weights)

    draws = jax.vmap(lambda key: recipe.evaluate(key, model, {"x": x})["negative_elbo"])(
        jax.random.split(jax.random.key(3), 4000)
    )

    margin = 4.5 * np.asarray(draws).std(0) / np.sqrt(4000)
    assert (np.abs(np.asarray(draws).mean(0) - expected) < margin).all()


def test_with_one_layer_its_bound_is_that_of_the_vae(x):
    encoder, decoder = models.GaussianEncoder(2, (6,)), models.Decoder((D,), (6,))
    deep = recipes.hierarchical_iwae(models.HierarchicalVAE((encoder,), (), decoder), optax.sgd(0.1), num_samples=3)
    flat = recipes.iwae(models.VAE(encoder, decoder), optax.sgd(0.1), num_samples=3)
    model = jax.jit(flat.init)(jax.random.key(0), {"x": x}).model
    params = {"encoders_0": model.params["params"]["encoder"], "decoder": model.params["params"]["decoder"]}

    # The noise comes by other keys: both are means of 20,000 weights that spread by less than a nat.
    found = deep.log_prob(jax.random.key(4), {"params": params}, x, num_samples=20000)
    np.testing.assert_allclose(found, flat.log_prob(jax.random.key(5), model, x, num_samples=20000), atol=0.05)


class Narrow(nn.Module):
    """N(3, exp(-32)) of each latent: its standard deviation is half of what float32 tells apart at 3."""

    latent_dim: int

    @nn.compact
    def __call__(self, x):
        return models.Gaussian(jnp.full((len(x), self.latent_dim), 3.0), jnp.full((len(x), self.latent_dim), -32.0))


@pytest.mark.parametrize("family", ["vae", "hierarchical_vae"])
def test_the_density_of_a_narrow_posterior_is_that_of_its_noise(family):
    encoder, decoder, x = Narrow(50), models.Decoder((D,), ()), jnp.zeros((1000, D))
    network = models.VAE(encoder, decoder) if family == "vae" else models.HierarchicalVAE((encoder,), (), decoder)
    recipe = getattr(recipes, family)(network, optax.sgd(0.1))
    params = jax.tree.map(jnp.zeros_like, jax.jit(recipe.init)(jax.random.key(0), {"x": x}).model)

    # log p(x | z) + log p(z) - log q(z | x) where p(x | z) = 2^-D; the last term is chi-squared over 2 and a constant.
    expected = -D * np.log(2) + 50 * stats.norm.logpdf(3) + 50 / 2 * (np.log(2 * np.pi) + 1 - 32)
    found = np.mean(recipe.log_prob(jax.random.key(1), params, x))
    assert abs(found - expected) < 4.5 * np.sqrt(50 / 2 / 1000)


def test_samples_go_down_through_all_layers(model):
    """The mean of p(x) by ancestral sampling is its mean by numerical integration."""
    recipe = recipes.hierarchical_vae(network(), optax.sgd(0.1))
    z = np.linspace(-9, 9, 901)
    prior = apply(model, z[:, None], "generate", 0)
    density = np.exp(stats.norm.logpdf(z)[:, None] + normal_log_pdf(prior, z[None, :])).sum(0) * (z[1] - z[0]) ** 2
    expected = density @ special.expit(apply(model, z[:, None], "decode"))

    samples = np.asarray(recipe.sample(jax.random.key(6), model, 40000))

    assert (np.abs(samples.mean(0) - expected) < 4.5 * samples.std(0) / 200 + 1e-5).all()


@pytest.mark.parametrize("family", ["hierarchical_vae", "hierarchical_iwae"])
def test_a_step_s_loss_is_of_the_weights_of_its_draws(family, x, model):
    recipe = getattr(recipes, family)(network(), optax.sgd(0.0), num_samples=8)
    state = jax.jit(recipe.init)(jax.random.key(0), {"x": x})._replace(model=model)
    _, metrics = jax.jit(recipe.step)(jax.random.key(7), state, {"x": x})

    noise = [np.float64(standard_normal(key, B, (8, 1)))[..., 0].T for key in jax.random.split(jax.random.key(7))]
    below = jax.tree.map(lambda leaf: leaf[:, 0], apply(model, x, "infer", 0))
    z1 = below.mean + np.exp(0.5 * below.log_var) * noise[0]  # [draw, B], like all that follows
    above = jax.tree.map(lambda leaf: leaf.reshape(8, B), apply(model, z1.reshape(-1, 1), "infer", 1))
    z2 = above.mean + np.exp(0.5 * above.log_var) * noise[1]
    prior = jax.tree.map(lambda leaf: leaf.reshape(8, B), apply(model, z2.reshape(-1, 1), "generate", 0))
    log_p = stats.norm.logpdf(z2) + normal_log_pdf(prior, z1)
    logits = apply(model, z1.reshape(-1, 1), "decode").reshape(8, B, D)
    log_p += stats.bernoulli.logpmf(np.asarray(x), special.expit(logits)).sum(-1)
    log_weights = log_p - normal_log_pdf(below, z1) - normal_log_pdf(above, z2)

    bound = log_weights.mean(0) if family == "hierarchical_vae" else special.logsumexp(log_weights, axis=0) - np.log(8)
    np.testing.assert_allclose(metrics["loss"], -bound.mean(), rtol=1e-5)


def test_codes_of_the_top_layer_go_up_through_draws_or_through_means(x, model):
    recipe = recipes.hierarchical_vae(network(), optax.sgd(0.1))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    below = apply(model, x, "infer", 0)
    z1 = below.mean + np.exp(0.5 * below.log_var) * nodes  # [B, node]
    above = apply(model, z1.reshape(-1, 1), "infer", 1)
    means, variances = (values.reshape(B, 60) for values in (above.mean, np.exp(above.log_var)))
    mean = means @ weights
    variance = (variances + (means - mean[:, None]) ** 2) @ weights

    num = 20_000
    draws = jax.vmap(lambda key: recipe.draw_code(key, model, x)[:, 0])(jax.random.split(jax.random.key(8), num))
    draws = np.float64(draws)
    assert (np.abs(draws.mean(0) - mean) < 4.5 * np.sqrt(variance / num)).all()
    squares = (draws - mean) ** 2
    assert (np.abs(squares.mean(0) - variance) < 4.5 * squares.std(0) / np.sqrt(num)).all()

    code = apply(model, below.mean, "infer", 1).mean
    np.testing.assert_allclose(recipe.encode(model, x), code, rtol=1e-5, atol=1e-6)
    logits = apply(model, apply(model, code, "generate", 0).mean, "decode")
    np.testing.assert_allclose(recipe.decode(model, jnp.float32(code)), special.expit(logits), rtol=1e-5)
