"""A step over four devices equals the step on one, in whichever way JAX divides it.

Every member is traced under `shard_map`, whose default, to track which values vary between devices, is the strictest: a
state that is not averaged is an error there. Programs take seconds to compile, so that values are compared for one
member of each shape of a step, and under the other ways for two. For `pmap`, which is `shard_map` with
`check_vma=False`, the law is that of several seeds in test_recipe_laws.
"""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from test_recipe_laws import (
    DATA,
    SHAPE,
    STEP_SHAPES,
    compiled_steps,
    drawn,
    every_recipe,
    over,
    rows_of,
    run_once,
)

from jaxgen import preprocess
from train.engine.compile import take_batch
from train.engine.keys import make_seed_keys

AXIS = "device"
AUTO, EXPLICIT = (
    Mesh(np.array(jax.devices()[:4]), (AXIS,), axis_types=(kind,)) for kind in (AxisType.Auto, AxisType.Explicit)
)
batch_at = jax.jit(functools.partial(take_batch, preprocess.binarize, axis_name=None))


def divided(recipe):
    return P(AXIS) if recipe.draws == 1 else P(None, AXIS)


def four_steps(recipe, step, mesh):
    """What `run` computes, (state, metrics), by this program of a step."""
    keys, rows = make_seed_keys(0, 1), rows_of(recipe, 0)
    first = compiled_steps(recipe, 1, 1, 1).init(keys.init, DATA, rows[0])
    state, metrics = jax.device_put(first, NamedSharding(mesh, P())), []
    for index, chosen in enumerate(rows):
        key_prepare, key_step = jax.random.split(jax.random.fold_in(keys.steps, index))
        batch = jax.device_put(batch_at(key_prepare, DATA, chosen), NamedSharding(mesh, divided(recipe)))
        state, now = step(key_step, state, batch)
        metrics.append(jax.device_get(now))
    return jax.device_get(state), jax.tree.map(lambda *leaves: np.stack(leaves), *metrics)


def under_shard_map(recipe):
    return jax.shard_map(
        functools.partial(recipe.step, axis_name=AXIS),
        mesh=AUTO,
        in_specs=(P(), P(), divided(recipe)),
        out_specs=P(),
        check_vma=True,
    )


def by_sharded_arrays(recipe):
    return four_steps(recipe, jax.jit(recipe.step, out_shardings=NamedSharding(AUTO, P())), AUTO)


def by_auto_axes(recipe):
    with jax.set_mesh(EXPLICIT):
        return four_steps(recipe, jax.jit(jax.sharding.auto_axes(recipe.step, out_sharding=P())), EXPLICIT)


WAYS = {
    "sharded arrays": by_sharded_arrays,
    "auto axes of an Explicit mesh": by_auto_axes,
}


def assert_equals_one_device(recipe, results):
    chex.assert_trees_all_close(run_once(recipe), jax.device_get(results), atol=1e-5, rtol=1e-5)


@every_recipe
def test_no_part_of_a_state_differs_between_devices(recipe):
    given = drawn(recipe, {"x": jnp.zeros((16, *SHAPE)), "y": jnp.zeros(16, jnp.int32)})
    state = jax.eval_shape(recipe.init, jax.random.key(0), given)
    after, _ = jax.eval_shape(under_shard_map(recipe), jax.random.key(1), state, given)

    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)


@over(*STEP_SHAPES, "infogan", "bernoulli_mixture")
def test_shard_map_computes_what_one_device_does(recipe):
    assert_equals_one_device(recipe, four_steps(recipe, jax.jit(under_shard_map(recipe)), AUTO))


@over("wae_mmd", "dcgan")
@pytest.mark.parametrize("way", WAYS)
def test_other_ways_do_too(recipe, way):
    assert_equals_one_device(recipe, WAYS[way](recipe))
