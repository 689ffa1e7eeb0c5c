"""Write a trained model as one file."""

import functools
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from jaxgen.exported.layout import COMMON, FORMAT, FUNCTIONS, META, PARAMETERS, batched, file_of
from jaxgen.preprocess import Preparation
from jaxgen.recipe import PyTree, Recipe
from jaxgen.sampling import example_keys

_PLATFORMS = ("cpu", "cuda", "tpu")


def dump(
    recipe: Recipe,
    model: PyTree,
    example: Mapping[str, jax.ShapeDtypeStruct],
    *,
    prepare: Preparation | None = None,
    num_samples: int = 1,
    facts: Mapping[str, Any] | None = None,
) -> bytes:
    """The content of a file that `load` reads.

    Raises ValueError where a recipe decodes and neither encodes nor states its `code_shape`.

    Args:
        recipe: The family.
        model: Its trained `State.model`.
        example: Shape and dtype of one x and, for a conditional model, of one y; x as it is stored if `prepare` is
            given, else in the model's units.
        prepare: From stored examples to the model's units and from these to [0, 1].
        num_samples: The argument of `Recipe.log_prob`.
        facts: What else the file says of itself in `Exported.meta`, as JSON.
    """
    leaves, tree = jax.tree.flatten(model)
    of_leaves = tuple(jax.ShapeDtypeStruct(jnp.shape(leaf), leaf.dtype) for leaf in leaves)
    functions = _functions(recipe, lambda leaves: jax.tree.unflatten(tree, leaves), num_samples, prepare)
    kinds = _kinds(recipe, model, example, prepare)
    entries: dict[str, bytes] = {}
    # Two keys of each of a symbolic number of examples would pass for one that is used twice.
    with jax.debug_key_reuse(new_val=False):
        for name, function in functions.items():
            arguments = (of_leaves, *batched(FUNCTIONS[name][0].split(), kinds))
            if f"{name}_given" in functions and _needs_y(function, arguments):
                continue
            exported = export.export(jax.jit(function), platforms=_PLATFORMS)(*arguments)
            entries[file_of(name)] = bytes(exported.serialize())
    meta = {
        **(facts or {}),
        "format": FORMAT,
        "jax": jax.__version__,
        "num_samples": num_samples,
        "log_prob_is": recipe.log_prob_is,
        "levels": recipe.levels,
        "arrays": {name: _described(kind) for name, kind in kinds.items() if name not in COMMON},
        "parameters": [_described(leaf) for leaf in of_leaves],
    }
    entries[META] = json.dumps(meta, indent=2, allow_nan=False).encode()
    entries[PARAMETERS] = b"".join(np.asarray(leaf).tobytes() for leaf in leaves)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # whose date is fixed: the same model is the same file
    return file.getvalue()


def _described(array: jax.ShapeDtypeStruct) -> list:
    return [list(array.shape), str(array.dtype)]


def _functions(
    recipe: Recipe, unflatten: Callable[[tuple], PyTree], num_samples: int, prepare: Preparation | None
) -> dict[str, Callable]:
    """The functions of arrays alone that the family has, (leaves of the model, *arrays) -> array."""

    def sample(function: Callable, leaves: tuple, key: jax.Array, index: jax.Array, **y: jax.Array) -> jax.Array:
        return function(_key(key), unflatten(leaves), index.shape[0], **y)

    def code(function: Callable, leaves: tuple, array: jax.Array, **y: jax.Array) -> jax.Array:
        return function(unflatten(leaves), array, **y)

    def log_prob(function: Callable, leaves: tuple, key: jax.Array, x: jax.Array, **y: jax.Array) -> jax.Array:
        return function(_key(key), unflatten(leaves), x, num_samples=num_samples, **y)

    calls: dict[str, tuple[Callable, Callable | None]] = {
        "sample": (sample, recipe.sample),
        "encode": (code, recipe.encode),
        "decode": (code, recipe.decode),
        "log_prob": (log_prob, recipe.log_prob),
    }
    found: dict[str, Callable] = {
        name: functools.partial(call, function) for name, (call, function) in calls.items() if function is not None
    }
    if recipe.conditional:
        found |= {f"{name}_given": _given(function) for name, function in found.items()}
    if prepare is not None:
        found["prepare"] = lambda leaves, key, x: jax.vmap(prepare)(example_keys(_key(key), x.shape[0]), x)
        found["to_unit"] = lambda leaves, x: prepare.to_unit(x)
    return found


def _key(data: jax.Array) -> jax.Array:
    return jax.random.wrap_key_data(data, impl="threefry2x32")


def _given(function: Callable) -> Callable:
    return lambda leaves, *arrays: function(leaves, *arrays[:-1], y=arrays[-1])


def _needs_y(function: Callable, arguments: tuple) -> bool:
    """Whether a function of a conditional model has no meaning without y, as recipes then say by a ValueError."""
    try:
        jax.eval_shape(function, *arguments)
    except ValueError:
        return True
    return False


def _kinds(
    recipe: Recipe, model: PyTree, example: Mapping[str, jax.ShapeDtypeStruct], prepare: Preparation | None
) -> dict[str, jax.ShapeDtypeStruct]:
    """Shape and dtype of one example of each array."""
    kinds = {**COMMON, "x": example["x"]}
    if prepare is not None:
        kinds |= {"stored": example["x"], "x": jax.eval_shape(prepare, jax.random.key(0), example["x"])}
    if recipe.conditional:
        kinds["y"] = example["y"]
    if recipe.encode is not None:
        y = {"y": kinds["y"]} if recipe.conditional else {}
        x, y = jax.tree.map(lambda kind: jax.ShapeDtypeStruct((1, *kind.shape), kind.dtype), (kinds["x"], y))
        z = jax.eval_shape(recipe.encode, model, x, **y)
        kinds["z"] = jax.ShapeDtypeStruct(z.shape[1:], z.dtype)
    elif recipe.decode is not None:
        if recipe.code_shape is None:
            raise ValueError("a recipe that decodes and does not encode must state its code_shape")
        kinds["z"] = jax.ShapeDtypeStruct(recipe.code_shape, jnp.float32)
    return kinds
