"""The functions of an exported model, and the arrays that they take and return."""

from collections.abc import Iterable, Mapping

import jax
import jax.numpy as jnp
from jax import export

FORMAT = 1
META, PARAMETERS = "meta.json", "parameters.bin"

#: What each function takes beside the parameters, and what it returns; `given` functions are of a conditional model.
FUNCTIONS = {
    "sample": ("key index", "x"),
    "sample_given": ("key index y", "x"),
    "encode": ("x", "z"),
    "encode_given": ("x y", "z"),
    "decode": ("z", "x"),
    "decode_given": ("z y", "x"),
    "log_prob": ("key x", "nats"),
    "log_prob_given": ("key x y", "nats"),
    "prepare": ("key stored", "x"),
    "to_unit": ("x", "x"),
}

#: Arrays that are the same for every model: the data of a threefry key; and of each example its place and nats.
COMMON = {
    "key": jax.ShapeDtypeStruct((2,), jnp.uint32),
    "index": jax.ShapeDtypeStruct((), jnp.int32),
    "nats": jax.ShapeDtypeStruct((), jnp.float32),
}


def file_of(name: str) -> str:
    """The entry that holds a function."""
    return f"{name}.jax"


def batched(names: Iterable[str], kinds: Mapping[str, jax.ShapeDtypeStruct]) -> tuple[jax.ShapeDtypeStruct, ...]:
    """Arrays of a symbolic number of examples; only a key has no axis of them."""
    (size,) = export.symbolic_shape("b")
    one = {name: kinds[name] for name in names}
    return tuple(
        kind if name == "key" else jax.ShapeDtypeStruct((size, *kind.shape), kind.dtype) for name, kind in one.items()
    )
