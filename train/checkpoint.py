"""Checkpoints of a run: what the evaluator reads, what only training reads, and what describes both."""

import contextlib
import logging
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp

from jaxgen.recipe import PyTree, State
from train.failures import InputError, RunFailedError, warn

logging.getLogger("absl").setLevel(logging.ERROR)


class Restored(NamedTuple):
    """A checkpoint that could be read."""

    step: int
    state: State
    key: jax.Array


def describe(tree: PyTree) -> dict[str, str]:
    """Path -> dtype and shape of each leaf: what tells one model from another."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path): f"{leaf.dtype}{list(leaf.shape)}" for path, leaf in leaves}


class Checkpoints:
    """The checkpoints of one run directory. Saving is asynchronous; leaving the `with` block waits for it."""

    def __init__(self, run_dir: pathlib.Path, keep: int = 3) -> None:
        """Open the directory, without reading any checkpoint yet."""
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True, cleanup_tmp_directories=True)
        self._path = run_dir.resolve() / "checkpoints"
        with failing_as("checkpoints could not be opened"):
            self._manager = ocp.CheckpointManager(self._path, options=options)

    def __enter__(self) -> "Checkpoints":
        """Use for a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what is being written."""
        with failing_as("the last checkpoint could not be written"):
            self._manager.close()

    def save(self, step: int, state: State, key: jax.Array) -> None:
        """Save the state after `step` steps; RunFailedError where that is not possible."""
        if step in self._manager.all_steps():
            return
        items = ocp.args.Composite(
            model=ocp.args.StandardSave(state.model),
            train=ocp.args.StandardSave({"state": state.train, "step": step, "key": key}),
            meta=ocp.args.JsonSave({"model": describe(state.model)}),
        )
        with failing_as(f"checkpoint {step} could not be written"):
            if not self._manager.save(step, args=items):
                raise RunFailedError(f"checkpoint {step} was refused: {self._path} holds a later one")

    def wait(self) -> None:
        """Until the last save is on disk; RunFailedError where it failed."""
        with failing_as("the last checkpoint could not be written"):
            self._manager.wait_until_finished()

    def restore(self, like: State, key_like: jax.Array, usable: Callable[[int], bool]) -> Restored | None:
        """The newest checkpoint that is usable, a function of its step, and can be read; None where there is none.

        `like` gives shapes, dtypes and shardings. Newer checkpoints are removed, with a warning where one is broken:
        they would stand in the way of those to come.
        """
        restored = None
        doomed = []
        for step in sorted(self._manager.all_steps(), reverse=True):
            if not usable(step):
                doomed.append(step)
                continue
            try:
                restored = self._read(step, like, key_like)
                break
            except (ValueError, KeyError, OSError) as error:
                if isinstance(error, InputError):
                    raise
                warn(f"checkpoint {self._path / str(step)} is broken and is removed: {str(error).splitlines()[0][:120]}")
                doomed.append(step)
        for step in doomed:
            self._manager.delete(step)
        return restored

    def _read(self, step: int, like: State, key_like: jax.Array) -> Restored:
        train_like = {"state": like.train, "step": 0, "key": key_like}
        items = ocp.args.Composite(
            model=ocp.args.StandardRestore(abstract(like.model)),
            train=ocp.args.StandardRestore(abstract(train_like)),
            meta=ocp.args.JsonRestore(),
        )
        self._refuse_other_model(step, like.model)
        read = self._manager.restore(step, args=items)
        return Restored(int(read["train"]["step"]), State(read["model"], read["train"]["state"]), read["train"]["key"])

    def read_model(self, like: PyTree) -> tuple[int, PyTree]:
        """(step, model) of the newest checkpoint that can be read; InputError where there is none. Removes nothing."""
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                self._refuse_other_model(step, like)
                items = ocp.args.Composite(model=ocp.args.StandardRestore(abstract(like)))
                return step, self._manager.restore(step, args=items)["model"]
            except (ValueError, KeyError, OSError) as error:
                if isinstance(error, InputError):
                    raise
                warn(f"checkpoint {self._path / str(step)} is broken and is skipped: {str(error).splitlines()[0][:120]}")
        raise InputError(f"{self._path} holds no checkpoint that can be read; expected one of a run that was trained")

    def _refuse_other_model(self, step: int, like: PyTree) -> None:
        read = self._manager.restore(step, args=ocp.args.Composite(meta=ocp.args.JsonRestore()))
        there, here = read["meta"]["model"], describe(like)
        differing = [f"{name} is {there.get(name)} there, {here.get(name)} here" for name in there | here if
                     there.get(name) != here.get(name)]
        if differing:
            raise InputError(f"checkpoint {self._path / str(step)} is of another model: {differing[0]}")


def abstract(tree: PyTree) -> PyTree:
    """Shapes, dtypes and shardings of a tree, for Orbax to restore into."""
    return jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)


@contextlib.contextmanager
def failing_as(what: str) -> Iterator[Any]:
    """Whatever Orbax and its writers raise, as the run's failure in one line."""
    try:
        yield
    except RunFailedError:
        raise
    except Exception as error:
        raise RunFailedError(f"{what}: {str(error).splitlines()[0][:200]}") from error
