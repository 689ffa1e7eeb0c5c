"""CycleGAN: one step against its objectives in float64, the pool against a loop, and devices."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from derivatives import derivative, flat
from flax import linen as nn
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxgen import recipes
from jaxgen.recipes.cyclegan import Pair, _from_pools
from jaxgen.sampling import example_keys

RATE = 0.1
RANDOM = np.random.default_rng(0)
BATCH = {name: RANDOM.normal(size=(2, 8, 2)).astype(np.float32) for name in ("x", "y")}


class Affine(nn.Module):
    """A player W x + b."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        y = nn.Dense(self.features, bias_init=nn.initializers.normal(1))(x)
        return y if self.features > 1 else y[:, 0]


def make(**options) -> recipes.cyclegan:
    rule = optax.sgd(RATE)
    return recipes.cyclegan(Affine(2), Affine(2), Affine(1), Affine(1), rule, rule, pool_size=3, **options)


def affine(params: dict, x: np.ndarray) -> np.ndarray:
    y = x @ np.float64(params["Dense_0"]["kernel"]) + np.float64(params["Dense_0"]["bias"])
    return y if y.shape[1] > 1 else y[:, 0]


@functools.cache
def one_step() -> tuple:
    recipe = make(cycle_weight=3.0, identity_weight=2.0)
    state = recipe.init(jax.random.key(0), BATCH)
    return state, *recipe.step(jax.random.key(1), state, BATCH)


def params_of(players: tuple) -> tuple:
    return tuple(player.params for player in players)


def test_generators_descend_their_game_both_cycles_and_the_identity_against_discriminators_as_they_are():
    before, after, metrics = one_step()
    (d_a, d_b), a, b = params_of(before.model.discriminators), np.float64(BATCH["x"][0]), np.float64(BATCH["y"][1])

    def terms(generators: tuple) -> tuple:
        g, f = generators
        into_b, into_a = affine(g, a), affine(f, b)
        game = np.square(affine(d_b, into_b) - 1) + np.square(affine(d_a, into_a) - 1)
        cycle = np.abs(affine(f, into_b) - a).mean(axis=1) + np.abs(affine(g, into_a) - b).mean(axis=1)
        identity = np.abs(affine(g, b) - b).mean(axis=1) + np.abs(affine(f, a) - a).mean(axis=1)
        return game.mean(), cycle.mean(), identity.mean()

    generators = params_of(before.model.generators)
    game, cycle, identity = terms(generators)
    # Of squared errors the factor is that of `losses.least_squares_generator_loss`.
    factor = float(metrics["adversarial_loss"]) / game
    assert factor == pytest.approx(round(2 * factor) / 2, abs=1e-5)
    np.testing.assert_allclose(metrics["cycle_error"], cycle, rtol=1e-5)
    np.testing.assert_allclose(metrics["identity_error"], identity, rtol=1e-5)

    def objective(generators: tuple) -> float:
        game, cycle, identity = terms(generators)
        return factor * game + 3 * cycle + 2 * identity

    moved = flat(generators) - flat(params_of(after.model.generators))
    np.testing.assert_allclose(moved, RATE * derivative(objective, generators), atol=1e-5)


def test_discriminators_learn_from_the_pool():
    before, after, metrics = one_step()
    real = np.float64(BATCH["x"][0]), np.float64(BATCH["y"][1])
    (g, f), zeros = params_of(before.model.generators), np.zeros((3, 2))
    fake = Pair(affine(f, real[1]), affine(g, real[0]))
    shown, pools = by_loop(jax.random.key(1), Pair(zeros, zeros), 0, fake)

    def objective(discriminators: tuple) -> float:
        each = zip(discriminators, real, shown, strict=True)
        return sum((np.square(affine(d, x) - 1) + np.square(affine(d, y))).mean() for d, x, y in each)

    discriminators = params_of(before.model.discriminators)
    factor = float(metrics["discriminator_loss"]) / (objective(discriminators) / 2)
    assert factor == pytest.approx(round(2 * factor) / 2, abs=1e-5)
    moved = flat(discriminators) - flat(params_of(after.model.discriminators))
    np.testing.assert_allclose(moved, RATE * factor * derivative(objective, discriminators), atol=1e-5)
    for found, wanted in zip(after.train.pools, pools, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert after.train.generated == 8


def by_loop(key: jax.Array, pools: Pair, generated: int, fake: Pair) -> tuple:
    """What a loop over examples shows, and the pools after it."""
    keys = [jax.random.split(each, 4) for each in example_keys(key, len(fake.a))]
    shown, after = [], []
    for pool, examples, first in ((pools.a, fake.a, 0), (pools.b, fake.b, 2)):
        pool, seen = pool.copy(), []
        for number, (x, own) in enumerate(zip(examples, keys, strict=True), generated):
            if number < len(pool):
                pool[number] = x
                seen.append(x)
            elif jax.random.bernoulli(own[first + 1]):
                place = int(jax.random.randint(own[first], (), 0, len(pool)))
                seen.append(pool[place].copy())
                pool[place] = x
            else:
                seen.append(x)
        shown.append(np.array(seen))
        after.append(pool)
    return shown, after


def test_half_of_what_a_full_pool_shows_is_old():
    num = 400
    new = jnp.arange(1, num + 1, dtype=jnp.float32)[:, None]
    old = -jnp.arange(1, 51, dtype=jnp.float32)[:, None]
    shown, pools, generated = _from_pools(jax.random.key(0), Pair(old, old), jnp.int32(50), Pair(new, new), None)

    assert generated == 450
    for seen, pool in zip(shown, pools, strict=True):
        share = np.mean(np.asarray(seen) != np.asarray(new))
        assert abs(share - 0.5) < 5 * 0.5 / np.sqrt(num)
        together = np.sort(np.concatenate([np.asarray(seen), np.asarray(pool)]).ravel())
        np.testing.assert_array_equal(together, np.sort(np.concatenate([np.asarray(new), np.asarray(old)]).ravel()))
    assert not np.array_equal(shown.a, shown.b)


def test_four_devices_take_the_step_of_one():
    recipe, mesh = make(), Mesh(np.array(jax.devices()[:4]), ("device",))
    state = recipe.init(jax.random.key(0), BATCH)
    step = jax.shard_map(
        functools.partial(recipe.step, axis_name="device"),
        mesh=mesh,
        in_specs=(P(), P(), P(None, "device")),
        out_specs=P(),
        check_vma=True,
    )
    alone, together = (function(jax.random.key(1), state, BATCH) for function in (jax.jit(recipe.step), jax.jit(step)))
    chex.assert_trees_all_close(jax.device_get(together), jax.device_get(alone), atol=1e-5)


def test_a_generator_of_another_shape_is_named():
    rule = optax.sgd(RATE)
    recipe = recipes.cyclegan(Affine(3), Affine(2), Affine(1), Affine(1), rule, rule)
    with pytest.raises(ValueError, match="a_to_b"):
        recipe.init(jax.random.key(0), BATCH)
    with pytest.raises(ValueError, match="pool_size"):
        recipes.cyclegan(Affine(2), Affine(2), Affine(1), Affine(1), rule, rule, pool_size=0)
