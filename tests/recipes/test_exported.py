"""Exported models compute the bits of their recipes, and a file that is anything else is refused in one line."""

import functools
import io
import json
import pathlib
import re
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from test_recipe_laws import DATA, MEMBERS, SHAPE, drawn

from jaxgen import exported, preprocess, sampling
from jaxgen.recipe import Recipe

KINDS = ("rae", "bernoulli_naive_bayes")
# One of each other way to draw and to measure.
OTHERS = (
    "vae_conditional",
    "gan",
    "pixelcnn",
    "infogan",
    "made_orderings",
    "gaussian_by_class",
    "bernoulli_mixture",
    "flow",
)
EXAMPLE = {"x": jax.ShapeDtypeStruct(SHAPE, jnp.uint8), "y": jax.ShapeDtypeStruct((), jnp.int32)}
NUM = 3
STORED, Y = DATA["x"][:NUM], DATA["y"][:NUM]
X = STORED / np.float32(255)
CALLS = {"sample", "encode", "decode", "log_prob"}


def shapes_of(recipe):
    """Shapes and dtypes of a model."""
    batch = {"x": jax.ShapeDtypeStruct((16, *SHAPE), jnp.float32), "y": jax.ShapeDtypeStruct((16,), jnp.int32)}
    return jax.eval_shape(recipe.init, jax.random.key(0), drawn(recipe, batch)).model


@functools.cache
def dumped(name: str):
    """The recipe of a member, a model, and its file."""
    recipe, random = MEMBERS[name].recipe, np.random.default_rng(0)
    model = jax.tree.map(lambda leaf: random.uniform(0.1, 0.5, leaf.shape).astype(leaf.dtype), shapes_of(recipe))
    prepare = preprocess.binarize
    return recipe, model, exported.dump(recipe, model, EXAMPLE, prepare=prepare, num_samples=2, facts={"name": name})


def both(recipe, model, loaded, y):
    """What each function of the file and of the recipe gives, by name."""
    if recipe.sample is not None:
        sample = jax.jit(recipe.sample, static_argnums=2)
        yield "sample", loaded.sample(jax.random.key(1), NUM), sample(jax.random.key(1), model, NUM)
    if recipe.log_prob is not None:
        log_prob = jax.jit(recipe.log_prob, static_argnames="num_samples")
        expected = log_prob(jax.random.key(1), model, X, y=y, num_samples=2)
        yield "log_prob", loaded.log_prob(jax.random.key(1), X, y=y), expected
    if recipe.encode is not None:
        z = jax.jit(recipe.encode)(model, X, y=y)
        yield "encode", loaded.encode(X, y=y), z
        yield "decode", loaded.decode(z, y=y), jax.jit(recipe.decode)(model, z, y=y)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_exported_computes_the_bits_of_the_recipe(name):
    recipe, model, file = dumped(name)
    loaded = exported.load(file)
    found = {name: (np.asarray(got), np.asarray(expected)) for name, got, expected in both(recipe, model, loaded, Y)}

    assert found.keys() == {name for name in CALLS if getattr(recipe, name) is not None}
    assert found.keys() == {name for name in CALLS if getattr(loaded, name) is not None}
    for got, expected in found.values():
        assert np.isfinite(got).all()
        np.testing.assert_array_equal(got, expected, strict=True)


@pytest.mark.parametrize("name", OTHERS)
def test_a_family_computes_any_number_of_examples(name):
    recipe, (b,) = MEMBERS[name].recipe, export.symbolic_shape("b")
    model, x = shapes_of(recipe), jax.ShapeDtypeStruct((b, *SHAPE), jnp.float32)
    y = jax.ShapeDtypeStruct((b,), jnp.int32)

    def call(key, model, x, y):
        drawn = recipe.sample(key, model, x.shape[0], y=y)
        decoded = recipe.encode and recipe.decode(model, recipe.encode(model, x, y=y), y=y)
        return drawn, decoded, recipe.log_prob and recipe.log_prob(key, model, x, y=y)

    with jax.debug_key_reuse(new_val=False):  # which takes two of a symbolic number of keys for one
        drawn, decoded, nats = jax.eval_shape(call, jax.random.key(0), model, x, y)
    assert drawn.shape == (b, *SHAPE)
    assert decoded is None or decoded.shape == (b, *SHAPE)
    assert nats is None or nats.shape == (b,)


def test_a_file_says_what_it_holds_and_has_the_preparation_of_its_data():
    loaded = exported.load(dumped("bernoulli_naive_bayes")[2])
    assert loaded.meta["name"] == "bernoulli_naive_bayes"
    assert (loaded.meta["log_prob_is"], loaded.meta["num_samples"], loaded.meta["levels"]) == ("exact", 2, 2)
    assert loaded.meta["arrays"] == {"x": [[4, 4, 1], "float32"], "y": [[], "int32"], "stored": [[4, 4, 1], "uint8"]}
    keys = sampling.example_keys(jax.random.key(2), NUM)
    expected = jax.jit(jax.vmap(preprocess.binarize.apply))(keys, STORED)
    np.testing.assert_array_equal(loaded.prepare(jax.random.key(2), STORED), expected)
    np.testing.assert_array_equal(loaded.to_unit(X), X)


def test_a_conditional_decoder_without_an_encoder_needs_y_and_its_shape_of_codes():
    def decode(model, z, *, y=None):
        if y is None:
            raise ValueError("y must be given")
        return model * z + y[:, None]

    recipe = Recipe(init=None, step=None, evaluate=None, decode=decode, conditional=True)
    example = {"x": jax.ShapeDtypeStruct((2,), jnp.float32), "y": EXAMPLE["y"]}
    with pytest.raises(ValueError, match="must state its code_shape"):
        exported.dump(recipe, jnp.float32(3), example)
    loaded = exported.load(exported.dump(recipe._replace(code_shape=(2,)), jnp.float32(3), example))

    assert loaded.sample is loaded.encode is loaded.log_prob is loaded.prepare is None
    np.testing.assert_array_equal(loaded.decode([[1.0, 2.0]], y=[4]), [[7, 10]])
    with pytest.raises(ValueError, match=r"^decode: this model is conditional: y must be given$"):
        loaded.decode([[1.0, 2.0]])


def changed(file, drop=(), compression=zipfile.ZIP_STORED, **entries):
    """A file without some entries, and with others in place of its own."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        content = {name: archive.read(name) for name in archive.namelist() if name not in drop}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, value in (content | {name.replace("__", "."): value for name, value in entries.items()}).items():
            archive.writestr(name, value)
    return made.getvalue()


def described(file, **values):
    """A file whose meta.json has other values."""
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        meta = json.loads(archive.read("meta.json"))
    return changed(file, meta__json=json.dumps({**meta, **values}))


def entry(file, name):
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return archive.read(name)


def twice(file):
    made = io.BytesIO(file)
    with zipfile.ZipFile(made, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("meta.json", b"{}")
    return made.getvalue()


HOSTILE = {
    "nothing": (lambda file: b"", "not a zip"),
    "not a zip": (lambda file: b"PK" + bytes(1000), "not a zip"),
    "half": (lambda file: file[: len(file) // 2], "not a zip"),
    "a flipped bit": (lambda file: file.replace(b"VHLO", b"VHLP", 1).replace(b"StableHLO", b"StableHLQ", 1), "CRC"),
    "a bomb": (lambda file: changed(file, (), zipfile.ZIP_DEFLATED, parameters__bin=bytes(10**7)), "not compressed"),
    "no meta": (lambda file: changed(file, ("meta.json",)), "an entry meta.json"),
    "no parameters": (lambda file: changed(file, ("parameters.bin",)), "an entry parameters.bin"),
    "meta of another kind": (lambda file: changed(file, meta__json=b"[1]"), "a meta.json of format 1"),
    "deep meta": (lambda file: changed(file, meta__json=b"[" * 10**5), "a meta.json of format 1"),
    "a newer format": (lambda file: described(file, format=2), "a meta.json of format 1"),
    "a name that leads out": (lambda file: changed(file, **{"../../evil": b""}), "no entry '../../evil'"),
    "a name of two lines": (lambda file: changed(file, **{"a\nb": b""}), r"no entry 'a\\nb'"),
    "an entry twice": (lambda file: twice(file), "each entry once"),
    "more than there is": (lambda file: described(file, parameters=[[[2**40], "float32"]]), "bytes in parameters.bin"),
    "objects": (lambda file: described(file, parameters=[[[1], "object"]]), "bytes in parameters.bin"),
    "a negative shape": (lambda file: described(file, parameters=[[[-1, -1], "float32"]]), "expected a shape"),
    "another function": (lambda file: changed(file, decode__jax=entry(file, "encode.jax")), "another function"),
    "other shapes": (lambda file: described(file, arrays={"x": [[5], "float32"], "z": [[3], "float32"]}), "another"),
    "no function": (lambda file: changed(file, decode__jax=b"import os"), "decode.jax cannot be read; jax"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_anything_else_is_refused_in_one_line(name):
    change, said = HOSTILE[name]
    file = change(dumped("rae")[2])
    with pytest.raises(ValueError, match=r"^not an exported model: ") as refused:
        exported.load(file)
    assert re.search(said, str(refused.value))
    assert "\n" not in str(refused.value)


def test_a_file_of_the_oldest_supported_jax_is_read_by_this_one():
    """tanh(z W) with W = [[1, 2, 3], [4, 5, 6]] / 8, written by jax 0.10.2."""
    loaded = exported.load((pathlib.Path(__file__).parent / "exported_by_jax_0.10.zip").read_bytes())
    z = np.array([[1, 0], [0, 1], [1, -1], [0, 0], [2, 1]], np.float32)

    assert loaded.meta["jax"] == "0.10.2"
    expected = np.tanh(z.astype(np.float64) @ (np.arange(1, 7).reshape(2, 3) / 8))
    # A value of tanh is rounded to 2^-24 of itself, and XLA's is that of a rational function, within a few such.
    np.testing.assert_allclose(loaded.decode(z), expected, rtol=8 * 2**-24)
