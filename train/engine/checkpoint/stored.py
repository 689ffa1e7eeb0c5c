"""One stored checkpoint: its parts written, read and verified through Orbax."""

import contextlib
import functools
import gc
import json
import logging
import pathlib
import shutil
import sys
import warnings
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from jaxgen.recipe import PyTree
from train.engine.devices import processes
from train.engine.files import flush
from train.errors import InputError, RunFailedError, first_line

_ALL = ocp.options.MultiprocessingOptions()

for _name in ("absl", "asyncio"):  # Orbax and its tasks print the tracebacks of what is handled here
    logging.getLogger(_name).setLevel(logging.CRITICAL)


def _ignore_orbax(unraisable: Any, *, usual: Callable[[Any], Any]) -> None:
    """Report what was raised where nobody can catch it, except by a writer whose save has failed, and was said to.

    Orbax gives up at the first writer that fails; the others call back to an event loop that is no more.
    """
    if str(unraisable.exc_value) != "Event loop is closed":
        usual(unraisable)


class BrokenError(Exception):
    """The checkpoint is incomplete or damaged: another one may be whole."""


class OtherModelError(InputError):
    """The checkpoint has other leaves than are asked for."""


def manager(path: pathlib.Path, keep: int | None = None, *, read_only: bool = False) -> ocp.CheckpointManager:
    """Orbax's manager of the checkpoints in a directory; one that only reads may stand beside a run that trains.

    Processes that train together save and restore together; one that reads needs no other.
    """
    if getattr(sys.unraisablehook, "func", None) is not _ignore_orbax:
        sys.unraisablehook = functools.partial(_ignore_orbax, usual=sys.unraisablehook)
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep,
        create=not read_only,
        read_only=read_only,
        cleanup_tmp_directories=not read_only,
        enable_async_checkpointing=False,
        multiprocessing_options=_this_process_alone() if read_only else _ALL,
    )
    return ocp.CheckpointManager(path, options=options)


def _this_process_alone() -> ocp.options.MultiprocessingOptions:
    own = jax.process_index()
    return ocp.options.MultiprocessingOptions(own, {own}, f"process{own}") if jax.process_count() > 1 else _ALL


def opened(path: pathlib.Path) -> contextlib.AbstractContextManager[ocp.CheckpointManager]:
    """A manager that only reads."""
    return contextlib.closing(manager(path.resolve(), read_only=True))


def is_stored(path: pathlib.Path) -> bool:
    """Whether a directory is that of a checkpoint, and not one that merely has a number for a name."""
    return path.name.isdecimal() and (path / "meta").is_dir()


def write(
    at: ocp.CheckpointManager, step: int, described: Mapping[str, PyTree], facts: Mapping[str, Any], **parts: PyTree
) -> None:
    """Write the parts, and as `meta` what describes them and more facts; RunFailedError where they cannot be written.

    They are on the disk when this returns, so that loss of power does not lose them.
    """
    # Asked beforehand: out of space, the writers below fill the screen with tracebacks from their threads.
    needed = sum(getattr(leaf, "nbytes", 0) for leaf in jax.tree.leaves(parts))
    free = shutil.disk_usage(at.directory).free
    if needed > free:
        raise RunFailedError(f"checkpoint {step} needs {needed} bytes and {at.directory} has {free} free")
    meta: dict[str, Any] = {name: describe(tree) for name, tree in described.items()}
    meta |= {**facts, "digests": {name: digests(tree) for name, tree in parts.items()}}
    meta["digest"] = _digest_of_json(meta)
    items = {name: ocp.args.StandardSave(tree) for name, tree in parts.items()}
    try:
        saved = at.save(step, args=ocp.args.Composite(**items, meta=ocp.args.JsonSave(meta)))
        if saved and processes.is_first():
            folder = pathlib.Path(at.directory)
            for path in [*(folder / str(step)).rglob("*"), folder / str(step), folder]:
                flush(path)
    except Exception as error:  # whatever Orbax and its writers raise
        raise RunFailedError(f"checkpoint {step} could not be written: {first_line(error)}") from error
    if not saved:
        raise RunFailedError(f"checkpoint {step} was refused: {at.directory} holds a later one")


def read_meta(at: ocp.CheckpointManager, step: int) -> dict:
    """What describes a checkpoint; BrokenError where it cannot be read."""
    meta = _restore(at, step, meta=ocp.args.JsonRestore())["meta"]
    if not isinstance(meta, dict):
        raise BrokenError("its meta is no object")
    written = meta.pop("digest", None)  # none in a checkpoint from before there were any
    if written is not None and written != _digest_of_json(meta):
        raise BrokenError("its meta is not what was written")
    return meta


def read(
    at: ocp.CheckpointManager, step: int, described: Mapping[str, PyTree], **like: PyTree
) -> tuple[dict, dict[str, PyTree]]:
    """`meta` and the parts, with the shapes, dtypes and shardings of `like`.

    OtherModelError where the leaves of what is `described` differ; BrokenError where a part cannot be read, is not what
    was written, or is not finite.
    """
    meta = read_meta(at, step)
    for part, tree in described.items():
        there, here = meta.get(part), describe(tree)
        if not isinstance(there, dict):
            raise BrokenError(f"its meta does not describe its {part}")
        for name in there | here:
            if there.get(name) != here.get(name):
                raise OtherModelError(
                    f"is of another model or optimizer: {part}{name} is {there.get(name)} there, {here.get(name)} here"
                )
    parts = _restore(at, step, **{name: ocp.args.StandardRestore(_abstract(tree)) for name, tree in like.items()})
    _compare_digests(meta, parts)
    for name, tree in parts.items():
        if (bad := not_finite(tree)) is not None:
            raise BrokenError(f"{name}{bad} is not finite")
    return meta, parts


def check(at: ocp.CheckpointManager, step: int, **like: PyTree) -> None:
    """BrokenError unless a checkpoint can be read and is what was written; its arrays are read into host memory."""
    on_host = {name: ocp.args.StandardRestore(jax.tree.map(_host_array, tree)) for name, tree in like.items()}
    _compare_digests(read_meta(at, step), _restore(at, step, **on_host))


def _host_array(leaf: Any) -> Any:
    is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.empty(leaf.shape, leaf.dtype) if isinstance(leaf, jax.Array) and not is_key else leaf


def _compare_digests(meta: Mapping[str, Any], parts: Mapping[str, PyTree]) -> None:
    written = meta.get("digests") or {}  # none in a checkpoint from before there were any
    for name, tree in parts.items():
        for path, digest in digests(tree).items() if name in written else ():
            if written[name].get(path) != digest:
                raise BrokenError(f"{name}{path} is not what was written")


def describe(tree: PyTree) -> dict[str, str]:
    """Path -> dtype and shape of each leaf: what tells one model from another."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}" for path, leaf in leaves}


def digests(tree: PyTree) -> dict[str, int]:
    """Path -> CRC-32 of the bytes of each leaf."""
    return {jax.tree_util.keystr(path): _digest(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _digest_of_json(value: Any) -> int:
    return zlib.crc32(json.dumps(value, sort_keys=True).encode())


def _digest(leaf: Any) -> int:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return zlib.crc32(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8).data)


def not_finite(tree: PyTree) -> str | None:
    """The path of the first leaf with a value that is not finite; None where all are.

    On the host, to which a checkpoint is copied in any case: a program for each tree would take longer to compile.
    """
    leaves = [leaf for leaf in jax.tree_util.tree_leaves_with_path(tree) if hasattr(leaf[1], "dtype")]
    floats = ((path, leaf) for path, leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact))
    bad = (path for path, leaf in floats if not np.isfinite(np.asarray(leaf)).all())
    return next(map(jax.tree_util.keystr, bad), None)


def _abstract(tree: PyTree) -> PyTree:
    return jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)


def _restore(at: ocp.CheckpointManager, step: int, **items: Any) -> dict[str, Any]:
    """Restore through Orbax; BrokenError for whatever it raises of damaged files.

    A disk that fails, or memory that is full, is another matter: the checkpoint may be whole.
    """
    try:
        return dict(at.restore(step, args=ocp.args.Composite(**items)))
    except (FileNotFoundError, NotADirectoryError) as error:
        reason = first_line(error)
    except (OSError, MemoryError, jax.errors.JaxRuntimeError):
        raise
    except Exception as error:
        reason = first_line(error)
    # Orbax leaves coroutines that were never awaited, of which Python would complain on the screen at some later time.
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
        gc.collect()
    sys.unraisablehook = hook
    raise BrokenError(reason)
