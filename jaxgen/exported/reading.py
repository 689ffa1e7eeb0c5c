"""Read a trained model from one file."""

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from jaxgen.exported.layout import COMMON, FORMAT, FUNCTIONS, META, PARAMETERS, batched, file_of


class Exported(NamedTuple):
    """A model out of a file; functions that its family does not have are None.

    They are those of `Recipe` without the model, y is given where that is conditional, and `num` is static under `jit`.
    """

    #: What the file says of itself: shapes, versions, `log_prob_is`, and what its writer added.
    meta: Mapping[str, Any]
    #: ``(key, num, *, y=None) -> x [N, ...]``.
    sample: Callable[..., jax.Array] | None
    #: ``(x, *, y=None) -> z [B, ...]``.
    encode: Callable[..., jax.Array] | None
    #: ``(z, *, y=None) -> x [B, ...]``.
    decode: Callable[..., jax.Array] | None
    #: ``(key, x, *, y=None) -> [B]``, nats.
    log_prob: Callable[..., jax.Array] | None
    #: ``(key, stored) -> x [B, ...]``, from examples as they are stored, such as uint8, to the units of the model.
    prepare: Callable[..., jax.Array] | None
    #: ``(x) -> x [B, ...]``, from the units of the model to [0, 1].
    to_unit: Callable[..., jax.Array] | None


def load(data: bytes) -> Exported:
    """A model out of the content of a file that `dump` wrote; ValueError in one line for anything else.

    Damage shows by the checksums of the entries. A file is a program, though: nothing of it is executed in Python or
    written anywhere, but XLA compiles it when it is called, and a function forged with right checksums can crash that
    process. Open files of people whose programs you would run.
    """
    try:
        entries = _entries(data)
        meta = _meta(entries)
        leaves = _leaves(entries[PARAMETERS], [_described(one) for one in meta["parameters"]])
        kinds = COMMON | {name: _described(one) for name, one in meta["arrays"].items()}
        calls = {name: _call(name, entries, meta, leaves, kinds) for name in FUNCTIONS if file_of(name) in entries}
    except ImportError as error:
        raise ImportError(
            "exported models need the package flatbuffers; expected: pip install jaxgen[export]"
        ) from error
    except Exception as error:  # what a broken or hostile file raises has no end
        said = " ".join(str(error).split())[:300]
        raise ValueError(f"not an exported model: {said or type(error).__name__}") from error

    def find(name: str, y: jax.Array | None) -> Callable:
        """The function of a name, and of y where the model is conditional."""
        if y is not None and f"{name}_given" in calls:
            return lambda *arrays: calls[f"{name}_given"](*arrays, jnp.asarray(y, kinds["y"].dtype))
        if name not in calls:
            raise ValueError(f"{name}: this model is conditional: y must be given")
        return calls[name]

    def sample(key: jax.Array, num: int, *, y: jax.Array | None = None) -> jax.Array:
        return find("sample", y)(jax.random.key_data(key), jnp.arange(num, dtype=jnp.int32))

    def encode(x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return find("encode", y)(x)

    def decode(z: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return find("decode", y)(z)

    def log_prob(key: jax.Array, x: jax.Array, *, y: jax.Array | None = None) -> jax.Array:
        return find("log_prob", y)(jax.random.key_data(key), x)

    def prepare(key: jax.Array, stored: jax.Array) -> jax.Array:
        return calls["prepare"](jax.random.key_data(key), stored)

    functions: dict[str, Callable] = {"sample": sample, "encode": encode, "decode": decode, "log_prob": log_prob,
                                      "prepare": prepare, "to_unit": lambda x: calls["to_unit"](x)}  # fmt: skip
    held = {name.removesuffix("_given") for name in calls}
    return Exported(meta, **{name: function if name in held else None for name, function in functions.items()})


def _entries(data: bytes) -> dict[str, bytes]:
    """What a file holds, by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        listed = archive.infolist()
        names = [entry.filename for entry in listed]
        known = {META, PARAMETERS, *map(file_of, FUNCTIONS)}
        strange = next((name for name in names if name not in known), None)
        if strange is not None:
            raise ValueError(f"expected no entry {strange[:50]!r}")
        if len(set(names)) < len(names):
            raise ValueError("expected each entry once")
        if missing := {META, PARAMETERS} - {*names}:
            raise ValueError(f"expected an entry {min(missing)}")
        # Entries that are stored as they are, and no larger than the file, can be no bomb.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in listed):
            raise ValueError("expected entries that are not compressed")
        if sum(entry.file_size for entry in listed) > len(data):
            raise ValueError("expected entries that do not overlap")
        return {entry.filename: archive.read(entry) for entry in listed}


def _meta(entries: Mapping[str, bytes]) -> dict[str, Any]:
    try:
        meta = json.loads(entries[META])
    except (ValueError, RecursionError):
        meta = None
    if not isinstance(meta, dict) or meta.get("format") != FORMAT or not isinstance(meta.get("arrays"), dict):
        raise ValueError(f"expected a {META} of format {FORMAT}")
    return meta


def _described(description: Any) -> jax.ShapeDtypeStruct:
    """An array that `meta.json` describes as [shape, dtype]."""
    shape, dtype = description
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        raise ValueError(f"expected a shape in {META}, got {str(shape)[:50]}")
    return jax.ShapeDtypeStruct(tuple(shape), jnp.dtype(dtype))


def _leaves(data: bytes, described: list[jax.ShapeDtypeStruct]) -> tuple[jax.Array, ...]:
    """The arrays that lie one after the other in `parameters.bin`."""
    sizes = [math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in described]
    if sum(sizes) != len(data):
        raise ValueError(f"expected {sum(sizes)} bytes in {PARAMETERS}, got {len(data)}")
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return tuple(
        jnp.asarray(np.frombuffer(data[start : start + size], leaf.dtype).reshape(leaf.shape))
        for start, size, leaf in zip(starts, sizes, described, strict=True)
    )


def _call(
    name: str,
    entries: Mapping[str, bytes],
    meta: Mapping[str, Any],
    leaves: tuple[jax.Array, ...],
    kinds: Mapping[str, jax.ShapeDtypeStruct],
) -> Callable[..., jax.Array]:
    """The function of a file by its name, compiled for each new number of examples."""
    try:
        exported = export.deserialize(bytearray(entries[file_of(name)]))
    except ImportError:
        raise
    except Exception as error:
        versions = f"jax {str(meta.get('jax'))[:20]} wrote the file, this is jax {jax.__version__}"
        raise ValueError(f"{file_of(name)} cannot be read; {versions}") from error
    takes, returns = FUNCTIONS[name]
    arguments = (leaves, *batched(takes.split(), kinds))
    structure: Any = jax.tree.structure((arguments, {}))
    fits = (
        structure == exported.in_tree
        and all(map(_alike, exported.in_avals, jax.tree.leaves(arguments)))
        and len(exported.out_avals) == 1
        and _alike(exported.out_avals[0], batched([returns], kinds)[0])
    )
    if not fits:
        raise ValueError(f"{file_of(name)} is another function than its name says")
    function = jax.jit(exported.call)
    return lambda *arrays: function(leaves, *map(jnp.asarray, arrays))


def _alike(one: jax.core.ShapedArray, other: jax.ShapeDtypeStruct | jax.Array) -> bool:
    """Whether two arrays have one dtype and shape, in which a symbolic size is like any other."""
    sizes = [tuple(size if isinstance(size, int) else None for size in array.shape) for array in (one, other)]
    return one.dtype == other.dtype and sizes[0] == sizes[1]
