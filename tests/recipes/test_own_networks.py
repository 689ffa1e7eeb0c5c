"""Networks of one's own: Linen modules with the methods of the protocol, and NNX modules through Flax's bridge."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from flax import nnx

from jaxgen import models, recipes

X = jnp.float32([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]] * 8)
Y = jnp.arange(16) % 3


class OwnVAE(nn.Module):
    """It encodes to a bare pair, and conditions by adding an embedding."""

    latent_dim: int = 2
    num_classes: int | None = None

    def setup(self):
        self.heads, self.output = nn.Dense(2 * self.latent_dim), nn.Dense(6)
        self.embedding = nn.Embed(self.num_classes or 1, 6)

    def encode(self, x, y=None):
        x = x if self.num_classes is None else x + self.embedding(y)
        return tuple(jnp.split(self.heads(x), 2, axis=-1))

    def decode(self, z, y=None):
        return self.output(z) + (0 if self.num_classes is None else self.embedding(y))

    def __call__(self, x, y=None):
        return self.decode(self.encode(x, y)[0], y)


class NNXVAE(nnx.Module):
    """The same network without a condition."""

    def __init__(self, latent_dim, rngs):
        self.heads, self.output = nnx.Linear(6, 2 * latent_dim, rngs=rngs), nnx.Linear(latent_dim, 6, rngs=rngs)

    def encode(self, x, y=None):
        return tuple(jnp.split(self.heads(x), 2, axis=-1))

    def decode(self, z, y=None):
        return self.output(z)

    def __call__(self, x, y=None):
        return self.decode(self.encode(x)[0])


class OwnAutoencoder(nn.Module):
    latent_dim: int = 2

    def setup(self):
        self.code, self.output = nn.Dense(self.latent_dim), nn.Dense(6)

    def encode(self, x):
        return self.code(x)

    def decode(self, z):
        return self.output(z)

    def __call__(self, x):
        return self.decode(self.encode(x))


class NNXGenerator(nnx.Module):
    """With batch norm, so that it has statistics."""

    def __init__(self, rngs):
        self.hidden, self.norm = nnx.Linear(2, 8, rngs=rngs), nnx.BatchNorm(8, rngs=rngs)
        self.output = nnx.Linear(8, 6, rngs=rngs)

    def __call__(self, z, *, train):
        return self.output(nnx.relu(self.norm(self.hidden(z), use_running_average=not train)))


class NNXDiscriminator(nnx.Module):
    def __init__(self, rngs):
        self.output = nnx.Linear(6, 1, rngs=rngs)

    def __call__(self, x, *, train):
        return self.output(x)[:, 0]


class OwnPixels(nn.Module):
    """Each value has a logit linear in the one before it."""

    shape: tuple[int, ...] = (6, 1)
    condition_dim: int | None = None

    def setup(self):
        self.slope, self.bias = (self.param(name, nn.initializers.zeros, (6,)) for name in ("slope", "bias"))

    def __call__(self, x, y=None):
        before = jnp.pad(x[:, :-1, 0], ((0, 0), (1, 0)))
        return (before * self.slope[None] + self.bias[None])[..., None]

    def start(self, num, y=None):
        return ()

    def column(self, cache, previous, position):
        return cache, previous * self.slope[position] + self.bias[position]


def trained(recipe, batch, steps=60):
    """The state and the first and last loss."""
    state = recipe.init(jax.random.key(0), batch)

    def step(state, key):
        state, metrics = recipe.step(key, state, batch)
        return state, metrics["loss"]

    state, found = jax.jit(lambda state: jax.lax.scan(step, state, jax.random.split(jax.random.key(1), steps)))(state)
    return state, found[0], found[-1]


ADAM = optax.adam(0.05)
RECIPES = {
    "vae": lambda: recipes.vae(OwnVAE(), ADAM),
    "conditional vae": lambda: recipes.vae(OwnVAE(num_classes=3), ADAM),
    "nnx vae": lambda: recipes.vae(models.from_nnx(NNXVAE, latent_dim=2), ADAM),
    "iwae": lambda: recipes.iwae(OwnVAE(), ADAM, num_samples=4),
    "rae": lambda: recipes.rae(OwnAutoencoder(), ADAM, code_weight=0.1),
    "wae": lambda: recipes.wae_mmd(OwnAutoencoder(), ADAM, weight=0.1),
    "gaussian wae": lambda: recipes.wae_mmd(OwnVAE(), ADAM, weight=0.1),
    "autoregressive": lambda: recipes.autoregressive(OwnPixels(), ADAM),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_network_of_ones_own_learns_samples_and_codes(name):
    recipe = RECIPES[name]()
    batch = {"x": X[..., None] if name == "autoregressive" else X, "y": Y}
    state, first, last = trained(recipe, batch)

    assert last < first - 0.3  # nats, or a cost in the same units
    assert recipe.evaluate(jax.random.key(2), state.model, batch).popitem()[1].shape == (16,)
    if recipe.encode:
        z = recipe.encode(state.model, X, y=Y)
        assert z.shape == (16, 2)
        assert recipe.decode(state.model, z, y=Y).shape == X.shape
        assert (
            name == "rae"
            or not np.allclose(recipe.draw_code(jax.random.key(3), state.model, X, y=Y), z)
            or (name == "wae")
        )
    if recipe.sample:
        assert recipe.sample(jax.random.key(4), state.model, 5, y=Y[:5]).shape == (5, *batch["x"].shape[1:])


def test_a_module_of_ones_own_takes_the_step_of_the_librarys():
    """The NNX module and the library's VAE without hidden layers, with equal parameters, have equal gradients."""
    sgd = optax.sgd(0.1)
    library = recipes.vae(models.VAE(models.GaussianEncoder(2, ()), models.Decoder((6,), ())), sgd)
    own = recipes.vae(models.from_nnx(NNXVAE, latent_dim=2), sgd)
    state, theirs = own.init(jax.random.key(0), {"x": X}), library.init(jax.random.key(0), {"x": X})
    params = state.model.params["params"]
    same = {"encoder": {"mean_and_log_var": params["heads"]}, "decoder": {"output": params["output"]}}
    theirs = theirs._replace(model=theirs.model._replace(params={"params": same}))

    after, metrics = own.step(jax.random.key(1), state, {"x": X})
    their_after, their_metrics = library.step(jax.random.key(1), theirs, {"x": X})
    np.testing.assert_allclose(metrics["loss"], their_metrics["loss"], rtol=1e-6)
    ours, wanted = after.model.params["params"], their_after.model.params["params"]
    np.testing.assert_allclose(
        ours["heads"]["kernel"], wanted["encoder"]["mean_and_log_var"]["kernel"], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(ours["output"]["bias"], wanted["decoder"]["output"]["bias"], rtol=1e-5, atol=1e-6)


def test_players_of_nnx_play_with_their_statistics():
    recipe = recipes.gan(models.from_nnx(NNXGenerator), models.from_nnx(NNXDiscriminator), ADAM, ADAM, latent_dim=2)
    first = recipe.init(jax.random.key(0), {"x": X}).model.generator
    state, *_ = trained(recipe, {"x": X}, steps=3)

    mean = state.model.generator.statistics["batch_stats"]["norm"]["mean"]
    assert not np.array_equal(mean, first.statistics["batch_stats"]["norm"]["mean"])
    # With running statistics a sample does not depend on the others.
    few, many = (recipe.sample(jax.random.key(2), state.model, num) for num in (5, 50))
    np.testing.assert_allclose(few, many[:5], rtol=1e-5, atol=1e-6)
