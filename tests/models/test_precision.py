"""Networks whose inner values are bfloat16: float32 outside, close to float32 in value; and rematerialisation."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen import models, recipes

SHAPE = (8, 8, 1)
SGD = optax.sgd(0.01)


def vae(dtype, **layers):
    encoder, decoder = (
        models.GaussianEncoder(2, (8,), dtype=dtype, **layers),
        models.Decoder(SHAPE, (8,), dtype=dtype, **layers),
    )
    return recipes.vae(models.VAE(encoder, decoder), SGD)


def dcgan(dtype):
    generator = models.DCGANGenerator(SHAPE, (8, 4), dtype=dtype)
    discriminator = models.DCGANDiscriminator((4, 8), minibatch_std=True, dtype=dtype)
    return recipes.gan(generator, discriminator, SGD, SGD, latent_dim=3)


def mlp_gan(dtype):
    generator = models.Generator(SHAPE, (8,), batch_norm=True, dtype=dtype)
    return recipes.gan(generator, models.Discriminator((8,), pieces=2, dtype=dtype), SGD, SGD, latent_dim=3)


def autoregressive(dtype, network=models.PixelCNN, **options):
    return recipes.autoregressive(network(SHAPE, 4, 1, 8, dtype=dtype, **options), SGD)


RECIPES = {
    "vae": vae,
    "vae_gated": functools.partial(vae, gated=True),
    "vae_convolutional": functools.partial(vae, channels=(4, 4)),
    "gan": mlp_gan,
    "dcgan": dcgan,
    "pixelcnn": functools.partial(autoregressive, condition_dim=3),
    "gated_pixelcnn": functools.partial(autoregressive, network=models.GatedPixelCNN),
}
BATCH = {
    "x": jnp.asarray(np.random.default_rng(0).integers(0, 2, (16, *SHAPE)), jnp.float32),
    "y": jnp.arange(16) % 3,
}


def of_type(tree, dtype):
    return [leaf for leaf in jax.tree.leaves(tree) if leaf.dtype == dtype]


@pytest.mark.parametrize("name", RECIPES)
def test_state_and_metrics_are_float32_and_inner_values_are_not(name):
    recipe = RECIPES[name](jnp.bfloat16)
    state = jax.eval_shape(recipe.init, jax.random.key(0), BATCH)
    traced = jax.make_jaxpr(recipe.step, return_shape=True)(jax.random.key(1), state, BATCH)
    program, (after, metrics) = str(traced[0]), traced[1]
    evaluated = jax.eval_shape(recipe.evaluate, jax.random.key(1), state.model, BATCH)

    assert not of_type((after, metrics, evaluated), jnp.bfloat16)
    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)
    products = [line for line in program.splitlines() if "dot_general[" in line or "conv_general_dilated[" in line]
    assert products
    assert all(":bf16[" in line.partition(" = ")[0] for line in products if ":key" not in line), products


def test_a_step_is_that_of_float32_to_the_precision_of_bfloat16():
    """To 8 bits: a relative 2^-8 for each of about 10 layers, of losses of the order of 1 to 50."""
    found = []
    for dtype in (jnp.float32, jnp.bfloat16):
        recipe = vae(dtype)
        state = jax.jit(recipe.init)(jax.random.key(0), BATCH)
        found.append(jax.jit(recipe.step)(jax.random.key(1), state, BATCH))
    (state, metrics), (half_state, half_metrics) = found
    assert abs(metrics["loss"] - half_metrics["loss"]) < 10 * 2**-8 * abs(metrics["loss"])
    chex.assert_trees_all_close(state.model, half_state.model, atol=0.02)
    assert any(np.any(a != b) for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(half_state), strict=True))


def test_a_sampler_carries_its_cache_in_one_type():
    for network in (models.PixelCNN, models.GatedPixelCNN):
        recipe = autoregressive(jnp.bfloat16, network)
        model = jax.eval_shape(recipe.init, jax.random.key(0), BATCH).model
        drawn = jax.eval_shape(functools.partial(recipe.sample, num=4), jax.random.key(1), model)
        assert drawn.dtype == jnp.float32


@pytest.mark.parametrize("network", [models.PixelCNN, models.GatedPixelCNN])
def test_rematerialisation_keeps_a_block_s_input(network):
    """What is kept is read from the residuals of `jax.vjp`: XLA on the CPU undoes rematerialisation."""
    x = BATCH["x"]

    def loss(blocks, remat, params):
        return jnp.mean(network(SHAPE, 4, blocks, 4, remat=remat).apply(params, x) ** 2)

    def bytes_kept(blocks, remat):
        params = jax.eval_shape(network(SHAPE, 4, blocks, 4).init, jax.random.key(0), x)
        residuals = jax.eval_shape(lambda params: jax.vjp(functools.partial(loss, blocks, remat), params)[1], params)
        return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(residuals))

    a_block = [bytes_kept(2, remat) - bytes_kept(1, remat) for remat in (False, True)]
    assert a_block[1] < a_block[0] / 2


def test_rematerialisation_changes_no_gradient():
    x = BATCH["x"]
    params = jax.jit(models.PixelCNN(SHAPE, 4, 1, 4).init)(jax.random.key(0), x)

    @functools.partial(jax.jit, static_argnums=0)
    def gradient(network, params):
        return jax.grad(lambda params: jnp.mean(network.apply(params, x) ** 2))(params)

    plain, recomputed = (gradient(models.PixelCNN(SHAPE, 4, 1, 4, remat=remat), params) for remat in (False, True))
    chex.assert_trees_all_close(plain, recomputed, rtol=1e-5, atol=1e-7)
