"""Checkpoints of a run: what the evaluator reads, what only training reads, and what describes both."""

import contextlib
import logging
import pathlib
import shutil
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from jaxgen.recipe import PyTree, State
from train.engine.selection import Selection
from train.errors import InputError, RunFailedError, first_line, warn

logging.getLogger("absl").setLevel(logging.CRITICAL)


# What Orbax raises of files that are cut short, missing or no checkpoint. A disk that fails is another matter: the
# checkpoints may be whole.
_BROKEN = (ValueError, KeyError, TypeError, FileNotFoundError, NotADirectoryError)


class Restored(NamedTuple):
    """A checkpoint that could be read."""

    step: int
    state: State
    key: jax.Array
    seen: Mapping[str, Any] | None  # what selection had seen; None: nothing was selected
    best: PyTree | None  # the models selected until then; None before the first


class ReadModel(NamedTuple):
    """A model, and the step it is of: one a seed where they differ."""

    step: int | list[int]
    model: PyTree


def describe(tree: PyTree) -> dict[str, str]:
    """Path -> dtype and shape of each leaf: what tells one model from another."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}" for path, leaf in leaves}


def newest_step(run_dir: pathlib.Path) -> int | None:
    """The step of a run's newest checkpoint, whether or not it can be read; None where there is none."""
    steps = [int(entry.name) for entry in (run_dir / "checkpoints").glob("*") if entry.name.isdecimal()]
    return max(steps, default=None)


def has_ended(run_dir: pathlib.Path, steps: int) -> bool:
    """Whether a run of so many steps has none left to take: it took them all, or each of its seeds has stopped."""
    newest = newest_step(run_dir)
    if newest is None or newest == steps or not (run_dir / "best").is_dir():
        return newest == steps
    with _opened(run_dir / "checkpoints") as manager:
        try:
            return bool(np.all(_meta(manager, newest)["selection"]["stopped"]))
        except _BROKEN:
            return False


class Checkpoints:
    """The checkpoints of one run that trains, and beside them the models it has selected."""

    def __init__(self, run_dir: pathlib.Path, *, selects: bool = False, keep: int = 3) -> None:
        """Open the directories, without reading anything yet."""
        self._path, self._best_path = run_dir.resolve() / "checkpoints", run_dir.resolve() / "best"
        self._manager = _manager(self._path, keep)
        # One more: the next selected model is saved before the checkpoint it belongs to.
        self._best = _manager(self._best_path, keep + 1) if selects else None

    def __enter__(self) -> Self:
        """Use for a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let Orbax end its threads."""
        for manager in filter(None, (self._manager, self._best)):
            manager.close()

    def save(self, step: int, state: State, key: jax.Array, selection: Selection) -> None:
        """Save the state after `step` steps; RunFailedError where it is not finite or cannot be written."""
        if step in self._manager.all_steps():
            return
        _require_finite(state, step)
        seen = selection.seen_as_json()
        # Saved first, and again only when it has changed: each checkpoint's is the newest one not later than itself.
        if self._best and selection.best is not None and selection.newest > (self._best.latest_step() or 0):
            self._write(
                self._best,
                step,
                selection.best,
                model=ocp.args.StandardSave(selection.best),
                meta=ocp.args.JsonSave({"model": describe(selection.best), "selection": seen}),
            )
        self._write(
            self._manager,
            step,
            state,
            model=ocp.args.StandardSave(state.model),
            train=ocp.args.StandardSave({"state": state.train, "step": step, "key": key}),
            meta=ocp.args.JsonSave({"model": describe(state.model), "train": describe(state.train), "selection": seen}),
        )

    def _write(self, manager: ocp.CheckpointManager, step: int, tree: PyTree, **items: Any) -> None:
        # Asked beforehand: out of space, the writers below fill the screen with tracebacks from their threads.
        needed, free = sum(leaf.nbytes for leaf in jax.tree.leaves(tree)), shutil.disk_usage(self._path).free
        if needed > free:
            raise RunFailedError(f"checkpoint {step} needs {needed} bytes and {self._path} has {free} free")
        try:
            saved = manager.save(step, args=ocp.args.Composite(**items))
        except Exception as error:  # whatever Orbax and its writers raise
            raise RunFailedError(f"checkpoint {step} could not be written: {first_line(error)}") from error
        if not saved:
            raise RunFailedError(f"checkpoint {step} was refused: {manager.directory} holds a later one")

    def restore(
        self, like: State, key_like: jax.Array, usable: Callable[[int], bool], *, most_lost: int
    ) -> Restored | None:
        """The newest checkpoint that is usable, a function of its step, and can be read; None in a new run.

        `like` gives shapes, dtypes and shardings. Newer checkpoints are removed, with a warning where one is broken:
        they would stand in the way of those to come. One whose state is not finite, or whose selected model is lost,
        is as good as broken. Raises InputError where over `most_lost` steps would be lost to checkpoints that are not
        usable, RunFailedError where none can be read; then nothing is removed.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        if not steps:
            self._forget_after(-1)
            return None
        newest = next((step for step in steps if usable(step)), -most_lost)
        if steps[0] - newest >= most_lost:
            there = ", ".join(map(str, reversed(steps)))
            raise InputError(f"--steps-per-call: expected a divisor of the newest of the steps {there} in {self._path}")
        broken = {}
        for step in filter(usable, steps):
            try:
                restored = self._read(step, like, key_like)
            except _BROKEN as error:
                broken[step] = first_line(error)
                continue
            for newer in (other for other in steps if other in broken):
                warn(f"checkpoint {self._path / str(newer)} is broken and is removed: {broken[newer]}")
            self._forget_after(step)
            return restored
        raise RunFailedError(f"no checkpoint in {self._path} can be read ({broken}); remove them to start again")

    def _forget_after(self, step: int) -> None:
        for manager in filter(None, (self._manager, self._best)):
            for later in [other for other in manager.all_steps() if other > step]:
                manager.delete(later)

    def _read(self, step: int, like: State, key_like: jax.Array) -> Restored:
        train_like = {"state": like.train, "step": 0, "key": key_like}
        items = ocp.args.Composite(
            model=ocp.args.StandardRestore(abstract(like.model)),
            train=ocp.args.StandardRestore(abstract(train_like)),
            meta=ocp.args.JsonRestore(),
        )
        seen = _refuse_other(self._manager, step, model=like.model, train=like.train).get("selection")
        read = self._manager.restore(step, args=items)
        state = State(read["model"], read["train"]["state"])
        if (bad := not_finite(state)) is not None:
            raise ValueError(f"its state is not finite: {bad}")
        best = self._read_best(step, seen, like.model)
        return Restored(int(read["train"]["step"]), state, read["train"]["key"], seen, best)

    def _read_best(self, step: int, seen: Mapping[str, Any] | None, like: PyTree) -> PyTree | None:
        """The models that were selected when checkpoint `step` was saved."""
        if self._best is None or seen is None or not np.any(seen["step"]):
            return None
        saved = max((other for other in self._best.all_steps() if other <= step), default=None)
        if saved is None or _meta(self._best, saved)["selection"]["step"] != seen["step"]:
            raise FileNotFoundError(f"the model selected until then is not in {self._best_path}")
        return _restore_model(self._best, saved, like)


def read_model(folder: pathlib.Path, like: PyTree) -> ReadModel:
    """The newest model in a run's `checkpoints` or `best` that can be read; InputError where there is none.

    Removes nothing, and may be called beside a process that trains.
    """
    with _opened(folder.resolve()) as manager:
        for step in sorted(manager.all_steps(), reverse=True):
            try:
                meta = _refuse_other(manager, step, model=like)
                model = _restore_model(manager, step, like)
                if (bad := not_finite(model)) is not None:
                    raise ValueError(f"its model is not finite: {bad}")
                if folder.name != "best":
                    return ReadModel(step, model)
                best_steps = meta["selection"]["step"]
                same = isinstance(best_steps, list) and len(set(best_steps)) == 1
                return ReadModel(best_steps[0] if same else best_steps, model)
            except _BROKEN as error:
                warn(f"checkpoint {folder / str(step)} is broken and is skipped: {first_line(error)}")
    raise InputError(f"{folder} holds no checkpoint that can be read; expected one of a run that was trained")


def not_finite(tree: PyTree) -> str | None:
    """The path of the first leaf with a value that is not finite; None where all are."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    floats = {jax.tree_util.keystr(path): leaf for path, leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)}
    if not floats or _all_finite(list(floats.values())):
        return None
    return next(path for path, leaf in floats.items() if not _all_finite([leaf]))


@jax.jit
def _all_finite(leaves: list[jax.Array]) -> jax.Array:
    return jnp.all(jnp.stack([jnp.isfinite(leaf).all() for leaf in leaves]))


def _require_finite(state: State, step: int) -> None:
    # Metrics are of the parameters before the update, so they cannot tell.
    if (bad := not_finite(state)) is not None:
        raise RunFailedError(
            f"step {step}: the state after it is not finite ({bad}); checkpoints before it, if any, are kept"
        )


def _manager(path: pathlib.Path, keep: int | None, *, read_only: bool = False) -> ocp.CheckpointManager:
    options = ocp.CheckpointManagerOptions(
        max_to_keep=keep,
        create=not read_only,
        read_only=read_only,
        cleanup_tmp_directories=not read_only,
        enable_async_checkpointing=False,
    )
    return ocp.CheckpointManager(path, options=options)


def _opened(folder: pathlib.Path) -> contextlib.AbstractContextManager[ocp.CheckpointManager]:
    """A manager that only reads, beside a process that may train."""
    return contextlib.closing(_manager(folder.resolve(), None, read_only=True))


def _meta(manager: ocp.CheckpointManager, step: int) -> dict:
    return manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))["meta"]


def _restore_model(manager: ocp.CheckpointManager, step: int, like: PyTree) -> PyTree:
    items = ocp.args.Composite(model=ocp.args.StandardRestore(abstract(like)))
    return manager.restore(step, args=items)["model"]


def _refuse_other(manager: ocp.CheckpointManager, step: int, **like: PyTree) -> dict:
    """The checkpoint's `meta`; InputError where a part has other leaves: it is of another model or optimizer."""
    meta = _meta(manager, step)
    for part, tree in like.items():
        there, here = meta[part], describe(tree)
        for name in there | here:
            if there.get(name) != here.get(name):
                raise InputError(
                    f"checkpoint {manager.directory / str(step)} is of another model or optimizer: "
                    f"{part}{name} is {there.get(name)} there, {here.get(name)} here"
                )
    return meta


def abstract(tree: PyTree) -> PyTree:
    """Shapes, dtypes and shardings of a tree, for Orbax to restore into."""
    return jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)
