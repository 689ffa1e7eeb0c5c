"""Checkpoints of a run: what the evaluator reads, what only training reads, and what describes both."""

import logging
import pathlib
import shutil
from collections.abc import Callable
from typing import NamedTuple, Self

import jax
import orbax.checkpoint as ocp

from jaxgen.recipe import PyTree, State
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


def describe(tree: PyTree) -> dict[str, str]:
    """Path -> dtype and shape of each leaf: what tells one model from another."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}" for path, leaf in leaves}


def newest_step(run_dir: pathlib.Path) -> int | None:
    """The step of a run's newest checkpoint, whether or not it can be read; None where there is none."""
    steps = [int(entry.name) for entry in (run_dir / "checkpoints").glob("*") if entry.name.isdecimal()]
    return max(steps, default=None)


class Checkpoints:
    """The checkpoints of one run directory."""

    def __init__(self, run_dir: pathlib.Path, *, keep: int = 3, read_only: bool = False) -> None:
        """Open the directory, without reading any checkpoint yet; `read_only` beside a process that trains."""
        options = ocp.CheckpointManagerOptions(
            max_to_keep=None if read_only else keep,
            create=not read_only,
            read_only=read_only,
            cleanup_tmp_directories=not read_only,
            enable_async_checkpointing=False,
        )
        self._path = run_dir.resolve() / "checkpoints"
        self._manager = ocp.CheckpointManager(self._path, options=options)

    def __enter__(self) -> Self:
        """Use for a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let Orbax end its threads."""
        self._manager.close()

    def save(self, step: int, state: State, key: jax.Array) -> None:
        """Save the state after `step` steps; RunFailedError where that is not possible."""
        if step in self._manager.all_steps():
            return
        items = ocp.args.Composite(
            model=ocp.args.StandardSave(state.model),
            train=ocp.args.StandardSave({"state": state.train, "step": step, "key": key}),
            meta=ocp.args.JsonSave({"model": describe(state.model), "train": describe(state.train)}),
        )
        # Asked beforehand: out of space, the writers below fill the screen with tracebacks from their threads.
        needed, free = sum(leaf.nbytes for leaf in jax.tree.leaves(state)), shutil.disk_usage(self._path).free
        if needed > free:
            raise RunFailedError(f"checkpoint {step} needs {needed} bytes and {self._path} has {free} free")
        try:
            saved = self._manager.save(step, args=items)
        except Exception as error:  # whatever Orbax and its writers raise
            raise RunFailedError(f"checkpoint {step} could not be written: {first_line(error)}") from error
        if not saved:
            raise RunFailedError(f"checkpoint {step} was refused: {self._path} holds a later one")

    def restore(
        self, like: State, key_like: jax.Array, usable: Callable[[int], bool], *, most_lost: int
    ) -> Restored | None:
        """The newest checkpoint that is usable, a function of its step, and can be read; None in a new run.

        `like` gives shapes, dtypes and shardings. Newer checkpoints are removed, with a warning where one is broken:
        they would stand in the way of those to come. Raises InputError where over `most_lost` steps would be lost to
        checkpoints that are not usable, RunFailedError where none can be read; then nothing is removed.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        if not steps:
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
            for newer in (other for other in steps if other > step):
                if newer in broken:
                    warn(f"checkpoint {self._path / str(newer)} is broken and is removed: {broken[newer]}")
                self._manager.delete(newer)
            return restored
        raise RunFailedError(f"no checkpoint in {self._path} can be read ({broken}); remove them to start again")

    def _read(self, step: int, like: State, key_like: jax.Array) -> Restored:
        train_like = {"state": like.train, "step": 0, "key": key_like}
        items = ocp.args.Composite(
            model=ocp.args.StandardRestore(abstract(like.model)),
            train=ocp.args.StandardRestore(abstract(train_like)),
            meta=ocp.args.JsonRestore(),
        )
        self._refuse_other(step, model=like.model, train=like.train)
        read = self._manager.restore(step, args=items)
        return Restored(int(read["train"]["step"]), State(read["model"], read["train"]["state"]), read["train"]["key"])

    def read_model(self, like: PyTree) -> tuple[int, PyTree]:
        """(step, model) of the newest checkpoint that can be read; InputError where there is none. Removes nothing."""
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                self._refuse_other(step, model=like)
                items = ocp.args.Composite(model=ocp.args.StandardRestore(abstract(like)))
                return step, self._manager.restore(step, args=items)["model"]
            except _BROKEN as error:
                warn(f"checkpoint {self._path / str(step)} is broken and is skipped: {first_line(error)}")
        raise InputError(f"{self._path} holds no checkpoint that can be read; expected one of a run that was trained")

    def _refuse_other(self, step: int, **like: PyTree) -> None:
        """InputError where a part has other leaves than those asked for: it is of another model or optimizer."""
        read = self._manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))
        for part, tree in like.items():
            there, here = read["meta"][part], describe(tree)
            for name in there | here:
                if there.get(name) != here.get(name):
                    raise InputError(
                        f"checkpoint {self._path / str(step)} is of another model or optimizer: "
                        f"{part}{name} is {there.get(name)} there, {here.get(name)} here"
                    )


def abstract(tree: PyTree) -> PyTree:
    """Shapes, dtypes and shardings of a tree, for Orbax to restore into."""
    return jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)
