"""BiGAN and InfoGAN: one step against its objective written out in float64, and where the game ends."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from derivatives import derivative, flat
from flax import linen as nn
from scipy import stats

from jaxgen import models, recipes
from jaxgen.recipe import Recipe
from jaxgen.sampling import standard_normal

RATE = 0.5
X = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)


class Affine(nn.Module):
    """A player W x + b."""

    features: int
    axis_name: str | None = None

    def setup(self) -> None:
        self.layer = nn.Dense(self.features, bias_init=nn.initializers.normal(1))

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        return self.layer(x)


class OfPairs(nn.Module):
    """A discriminator of pairs, linear in x, z and x z."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, z: jax.Array, *, train: bool) -> jax.Array:
        products = (x[:, :, None] * z[:, None]).reshape(len(x), -1)
        return nn.Dense(1)(jnp.concatenate([x, z, products], axis=1))[:, 0]


class WithCode(nn.Module):
    """A linear discriminator that also reads a code."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        return nn.Dense(1)(x)[:, 0], nn.Dense(4)(x)


def affine(params: dict, x: np.ndarray) -> np.ndarray:
    layer = params.get("layer", params)
    return x @ np.float64(layer["kernel"]) + np.float64(layer["bias"])


def logits_of_pairs(params: dict, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    products = (x[:, :, None] * z[:, None]).reshape(len(x), -1)
    return affine(params["Dense_0"], np.concatenate([x, z, products], axis=1))[:, 0]


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


@pytest.fixture(scope="module")
def bigan() -> tuple:
    """The recipe, its first state, and the state after a step."""
    rule = optax.sgd(RATE)
    recipe = recipes.bigan(Affine(2), Affine(3), OfPairs(), rule, rule, latent_dim=3)
    state = recipe.init(jax.random.key(0), {"x": X})
    return recipe, state, recipe.step(jax.random.key(1), state, {"x": X})[0]


def latents(which: int) -> np.ndarray:
    return np.float64(standard_normal(jax.random.split(jax.random.key(1))[which], len(X), (3,)))


def test_the_discriminator_of_a_bigan_takes_encoded_pairs_for_real(bigan):
    """Donahue et al. 2017, eq. 2: D ascends log D(x, E(x)) + log(1 - D(G(z), z))."""
    _, before, after = bigan
    g, e = (player.params for player in before.model.coders)
    z, x = latents(0), np.float64(X)

    def objective(params: dict) -> float:
        real, fake = logits_of_pairs(params, x, affine(e, x)), logits_of_pairs(params, affine(g, z), z)
        return (softplus(-real) + softplus(fake)).mean()

    d = before.model.discriminator.params
    moved = flat(d) - flat(after.model.discriminator.params)
    np.testing.assert_allclose(moved, RATE * derivative(objective, d), atol=1e-5)


def test_generator_and_encoder_of_a_bigan_exchange_the_labels(bigan):
    """Both descend -log D(G(z), z) - log(1 - D(x, E(x))), against the updated D."""
    _, before, after = bigan
    d, z, x = after.model.discriminator.params, latents(1), np.float64(X)

    def objective(coders: tuple) -> float:
        g, e = coders
        real, fake = logits_of_pairs(d, x, affine(e, x)), logits_of_pairs(d, affine(g, z), z)
        return (softplus(-fake) + softplus(real)).mean()

    params, moved = (tuple(player.params for player in state.model.coders) for state in (before, after))
    np.testing.assert_allclose(flat(params) - flat(moved), RATE * derivative(objective, params), atol=1e-5)


@pytest.mark.parametrize("weight", [0.0, 0.25])
def test_a_latent_regressor_learns_from_generated_examples_and_its_error_reaches_g_by_its_weight(weight):
    rule = optax.sgd(RATE)
    recipe = recipes.bigan(
        Affine(2), Affine(3), Flat(), rule, optax.sgd(0.0), latent_dim=3, game="wasserstein", regress=weight
    )
    before = recipe.init(jax.random.key(0), {"x": X})
    after = recipe.step(jax.random.key(1), before, {"x": X})[0]
    g, e = (player.params for player in before.model.coders)
    z = latents(1)

    def error(g: dict, e: dict) -> float:
        return np.square(affine(e, affine(g, z)) - z).mean()

    moved = [
        flat(old.params) - flat(new.params) for old, new in zip(before.model.coders, after.model.coders, strict=True)
    ]
    np.testing.assert_allclose(moved[0], RATE * weight * derivative(lambda g: error(g, e), g), atol=1e-5)
    np.testing.assert_allclose(moved[1], RATE * derivative(lambda e: error(g, e), e), atol=1e-5)


class Flat(nn.Module):
    """A critic that is the same everywhere, so that a generator learns nothing from it."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        return jnp.zeros(len(x)) + self.param("level", nn.initializers.zeros, (1,))


def test_least_squares_has_no_sides_to_exchange():
    rule = optax.sgd(RATE)
    with pytest.raises(ValueError, match="least-squares"):
        recipes.bigan(Affine(2), Affine(3), OfPairs(), rule, rule, latent_dim=3, game="least-squares")


def test_the_bound_of_an_infogan_is_that_of_scipy_and_both_sides_raise_it():
    rule = optax.sgd(RATE)
    recipe = recipes.infogan(
        Affine(2),
        WithCode(),
        rule,
        rule,
        noise_dim=2,
        num_categories=3,
        num_continuous=1,
        game="wasserstein",
        weight=0.7,
    )
    before = recipe.init(jax.random.key(0), {"x": X})
    found = recipe.evaluate(jax.random.key(5), before.model, {"x": X})["mutual_information"]
    z = np.float64(drawn(jax.random.key(5)))
    d, g = before.model.discriminator.params, before.model.generator.params

    def bound(d: dict, g: dict, z: np.ndarray) -> np.ndarray:
        code, c = affine(d["Dense_1"], affine(g, z)), z[:, 2:]
        categories = (c[:, :3] * (code[:, :3] - np.log(np.exp(code[:, :3]).sum(axis=1, keepdims=True)))).sum(axis=1)
        return categories + np.log(3) + stats.norm.logpdf(c[:, 3], code[:, 3]) + np.log(2)

    np.testing.assert_allclose(found, bound(d, g, z), atol=1e-5)

    after = recipe.step(jax.random.key(1), before, {"x": X})[0]
    z_d, z_g = (np.float64(drawn(key)) for key in jax.random.split(jax.random.key(1)))

    def critic(d: dict, x: np.ndarray) -> np.ndarray:
        return affine(d["Dense_0"], x)[:, 0]

    def of_d(d: dict) -> float:
        return (critic(d, affine(g, z_d)) - critic(d, np.float64(X)) - 0.7 * bound(d, g, z_d)).mean()

    new = after.model.discriminator.params

    def of_g(g: dict) -> float:
        return (-critic(new, affine(g, z_g)) - 0.7 * bound(new, g, z_g)).mean()

    np.testing.assert_allclose(flat(d) - flat(new), RATE * derivative(of_d, d), atol=2e-5)
    np.testing.assert_allclose(flat(g) - flat(after.model.generator.params), RATE * derivative(of_g, g), atol=2e-5)


def drawn(key: jax.Array) -> np.ndarray:
    """The z that an InfoGAN draws, by a generator that shows it."""
    shows = recipes.infogan(
        Shown(), WithCode(), optax.sgd(0.0), optax.sgd(0.0), noise_dim=2, num_categories=3, num_continuous=1
    )
    x = np.zeros((len(X), 6), np.float32)
    model = shows.init(jax.random.key(0), {"x": x}).model
    return np.asarray(shows.sample(key, model, len(X)))


class Shown(nn.Module):
    """A generator whose x is its z."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, z: jax.Array, *, train: bool) -> jax.Array:
        return z + 0 * self.param("nothing", nn.initializers.zeros, ())


def test_codes_of_an_infogan_are_uniform_and_its_features_are_probabilities():
    z = drawn(jax.random.key(3))
    assert (z[:, 2:5].sum(axis=1) == 1).all()
    assert np.isin(z[:, 2:5], (0, 1)).all()
    assert (np.abs(z[:, [0, 1, 5]]) <= 1).all()

    rule = optax.sgd(RATE)
    recipe = recipes.infogan(Affine(2), WithCode(), rule, rule, noise_dim=2, num_categories=3, num_continuous=1)
    model = recipe.init(jax.random.key(0), {"x": X}).model
    features = np.float64(recipe.features(model, X))
    np.testing.assert_allclose(np.exp(features[:, :3]).sum(axis=1), 1, rtol=1e-6)
    code = affine(model.discriminator.params["Dense_1"], np.float64(X))
    np.testing.assert_allclose(features[:, 3], code[:, 3], rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="positive"):
        recipes.infogan(Affine(2), WithCode(), rule, rule, noise_dim=0)


def wae_gan(*rules: optax.GradientTransformation, **order: str) -> Recipe:
    network = models.Autoencoder(models.Encoder(2, (3,)), models.Decoder((2,), (3,)))
    return recipes.wae_gan(network, models.Discriminator((4,)), *rules, **order)


GAMES = {
    "bigan": functools.partial(recipes.bigan, Affine(2), Affine(3), OfPairs(), latent_dim=3),
    "infogan": functools.partial(
        recipes.infogan, Affine(2), WithCode(), noise_dim=1, num_categories=3, num_continuous=1
    ),
    "wae_gan": wae_gan,
}


@pytest.mark.parametrize("game", GAMES)
def test_at_once_the_second_side_faces_the_first_as_it_was(game):
    """As it would be in turn, if the first side's step had a rate of 0."""
    found = []
    for order, rate in (("at once", RATE), ("in turn", 0.0)):
        recipe = GAMES[game](optax.sgd(RATE), optax.sgd(rate), order=order)
        state = recipe.init(jax.random.key(0), {"x": X})
        after = jax.jit(recipe.step)(jax.random.key(1), state, {"x": X})[0]
        found.append((state, after))
    second = [after.model if game == "wae_gan" else after.model[0] for _, after in found]
    chex.assert_trees_all_close(*second, rtol=1e-6)
    first = [state.train.discriminator if game == "wae_gan" else state.model.discriminator for state in found[0]]
    assert not np.array_equal(flat(first[0]), flat(first[1]))


def test_an_unknown_order_is_refused():
    with pytest.raises(ValueError, match="order must be 'in turn' or 'at once', got 'both'"):
        wae_gan(optax.sgd(0.1), optax.sgd(0.1), order="both")
