"""What JAX_ENABLE_X64 changes: nothing. In one subprocess, for jax reads the switch once."""

import os
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent
PROGRAM = """
import sys

import jax
import jax.numpy as jnp
import numpy as np

assert jax.config.jax_enable_x64
sys.path.insert(0, sys.argv[1])
from test_gradients import CASES
sys.path.insert(0, sys.argv[1] + "/recipes")
from test_recipe_laws import MEMBERS, NUM_CLASSES, SHAPE

from jaxgen import metrics

RUN = {"vae_conditional", "made_gaussian"}  # and not only traced
LONG = (jnp.float64, jnp.int64, jnp.uint64, jnp.complex128)


def check(name, tree, *, floating=False):
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if leaf.dtype in LONG or (floating and leaf.dtype != jnp.float32):
            print(name, jax.tree_util.keystr(path), leaf.dtype)


def readers(recipe, batch):
    x, y, key = batch["x"], batch["y"], jax.random.key(1)
    yield "evaluate", lambda model: recipe.evaluate(key, model, batch)
    if recipe.sample is not None:
        yield "sample", lambda model: recipe.sample(key, model, 4)
        yield "sample given y", lambda model: recipe.sample(key, model, 16, y=y)
    if recipe.log_prob is not None:
        if recipe.log_prob_is == "exact":
            yield "log_prob", lambda model: recipe.log_prob(key, model, x)
        yield "log_prob given y", lambda model: recipe.log_prob(key, model, x, y=y, num_samples=2)
    if recipe.complete is not None:
        yield "complete", lambda model: recipe.complete(key, model, x, jnp.ones(SHAPE, bool), y=y)
    if recipe.encode is not None:
        yield "encode", lambda model: recipe.encode(model, x, y=y)
    if recipe.encode is not None and recipe.decode is not None:
        yield "decode", lambda model: recipe.decode(model, recipe.encode(model, x, y=y), y=y)
    if recipe.draw_code is not None:
        yield "draw_code", lambda model: recipe.draw_code(key, model, x, y=y)
    if recipe.classify is not None:
        yield "classify", lambda model: recipe.classify(key, model, x)
    if recipe.features is not None:
        yield "features", lambda model: recipe.features(model, x)


def attempt(name, function, *arguments, floating=False):
    try:
        found = jax.eval_shape(function, *arguments)
    except TypeError as error:  # of a scan whose carry changes its dtype
        print(name, str(error).splitlines()[0])
    else:
        check(name, found, floating=floating)
        return found


random = np.random.default_rng(0)
batch = {
    "x": jnp.asarray(random.integers(0, 2, (16, *SHAPE)), jnp.float32),
    "y": jnp.asarray(random.integers(0, NUM_CLASSES, 16), jnp.int32),
}
for name, recipe in ((name, member.recipe) for name, member in MEMBERS.items()):
    given = batch if recipe.draws == 1 else jax.tree.map(lambda leaf: jnp.stack([leaf] * recipe.draws), batch)

    def steps(state):
        keys = jax.random.split(jax.random.key(0))
        return jax.lax.scan(lambda state, key: recipe.step(key, state, given), state, keys)

    state = jax.eval_shape(recipe.init, jax.random.key(0), given)
    check(f"{name} init", state)
    if (ended := attempt(f"{name} step", steps, state)) is not None:
        check(f"{name} metrics", ended[1], floating=True)
    for reader, function in readers(recipe, batch):
        attempt(f"{name} {reader}", function, state.model, floating=True)
    if name in RUN:
        init, step, sample = jax.jit(recipe.init), jax.jit(recipe.step), jax.jit(recipe.sample, static_argnums=2)
        model = step(jax.random.key(1), init(jax.random.key(0), given), given)[0].model
        x = sample(jax.random.key(2), model, 4)
        check(f"{name} run", x, floating=True)
        assert x.shape == (4, *SHAPE) and np.isfinite(x).all(), name

assert RUN <= MEMBERS.keys()
for name, (function, points) in CASES.items():
    arguments = [jnp.asarray(a, jnp.float32 if np.issubdtype(a.dtype, np.floating) else jnp.int32)
                 for a in map(np.asarray, points["anywhere"])]
    attempt(name, function, *arguments)
sets = jnp.zeros((9, 2), jnp.float32), jnp.ones((9, 2), jnp.float32)
attempt("auroc", metrics.auroc, sets[0][:, 0], sets[1][:, 0], floating=True)
for name in ("parzen_log_likelihood", "density_weights"):
    width = {"std": np.float64(0.2)} if name.startswith("parzen") else {"bandwidth": np.float64(0.2)}
    attempt(name, lambda *sets: getattr(metrics, name)(*sets, **width), *sets, floating=True)
attempt("modes_covered", lambda *sets: metrics.modes_covered(*sets, np.float64(0.2)), *sets)
attempt("prdc", metrics.precision_recall_density_coverage, *sets, floating=True)
permuted = lambda *sets: metrics.mmd_permutation_test(jax.random.key(0), *sets, jnp.exp)
attempt("permutation test", permuted, *sets, floating=True)
"""


@pytest.fixture(scope="module")
def said():
    environment = {**os.environ, "JAX_ENABLE_X64": "1", "PYTHONPATH": str(TESTS.parent)}
    program = [sys.executable, "-c", PROGRAM, str(TESTS)]
    return subprocess.run(program, env=environment, cwd=TESTS.parent, capture_output=True, text=True, check=False)


def test_under_x64_all_dtypes_are_what_they_are_without(said):
    assert said.returncode == 0, said.stderr
    assert said.stdout == ""
