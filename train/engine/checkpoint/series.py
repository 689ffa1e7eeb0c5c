"""The checkpoints of a run: which are kept, and which one can be gone on from or read."""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Self

import jax
import numpy as np

from jaxgen.recipe import PyTree, State
from train.engine.checkpoint import stored
from train.engine.checkpoint.stored import BrokenError, OtherModelError, not_finite
from train.engine.selection import Selection
from train.errors import InputError, RunFailedError, warn

# Orbax takes a path with these for a pattern or an escape, and finds nothing where it wrote.
_NOT_FOR_ORBAX = "[*?\\"


class Restored(NamedTuple):
    """A checkpoint that could be read."""

    step: int
    state: State
    key: jax.Array
    seen: Mapping[str, Any] | None  # what selection had seen; None: nothing was selected
    best: PyTree | None  # the models selected until then; None before the first
    log_digest: int | None  # of the log until then; None in an older checkpoint


class ReadModel(NamedTuple):
    """A model, and the step it is of: one a seed where they differ."""

    step: int | list[int]
    model: PyTree


def check_path(run_dir: pathlib.Path) -> None:
    """InputError where checkpoints of a run there could not be read again."""
    path = str(run_dir.resolve())
    for character in _NOT_FOR_ORBAX:
        if character in path:
            raise InputError(f"--run-dir {run_dir}: expected a path without {character}, in its directories too")
    if any("\ud800" <= character <= "\udfff" for character in path):
        raise InputError(f"--run-dir {path!a}: expected a path in UTF-8")


def newest_step(run_dir: pathlib.Path) -> int | None:
    """The step of a run's newest checkpoint, whether or not it can be read; None where there is none."""
    return max(
        (int(entry.name) for entry in (run_dir / "checkpoints").glob("*") if stored.is_stored(entry)), default=None
    )


def has_ended(run_dir: pathlib.Path, steps: int) -> bool:
    """Whether a run of so many steps has none left to take: it took them all, or each of its seeds has stopped."""
    newest = newest_step(run_dir)
    if newest is None or newest == steps or not (run_dir / "best").is_dir():
        return newest == steps
    with stored.opened(run_dir / "checkpoints") as manager:
        try:
            return bool(np.all(stored.read_meta(manager, newest)["selection"]["stopped"]))
        except (BrokenError, KeyError, TypeError):
            return False


class Checkpoints:
    """The checkpoints of one run that trains, and beside them the models it has selected."""

    def __init__(self, run_dir: pathlib.Path, *, selects: bool = False, keep: int = 3) -> None:
        """Open the directories, without reading anything yet."""
        self._path, self._best_path = run_dir.resolve() / "checkpoints", run_dir.resolve() / "best"
        self._manager = stored.manager(self._path, keep)
        # One more: the next selected model is saved before the checkpoint it belongs to.
        self._best = stored.manager(self._best_path, keep + 1) if selects else None
        self._was_read = False

    def __enter__(self) -> Self:
        """Use for a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let Orbax end its threads."""
        for manager in filter(None, (self._manager, self._best)):
            manager.close()

    def save(
        self, step: int, state: State, key: jax.Array, selection: Selection, log_digest: int | None = None
    ) -> None:
        """Save the state after `step` steps; RunFailedError where it is not finite or cannot be written."""
        if step in self._manager.all_steps():
            return
        _require_finite(state, step)
        facts = {"selection": selection.seen_as_json(), "log": log_digest}
        # Saved first, and again only when it has changed: each checkpoint's is the newest one not later than itself.
        if self._best and selection.best is not None and selection.newest > (self._best.latest_step() or 0):
            stored.write(self._best, step, {"model": selection.best}, facts, model=selection.best)
        train = {"state": state.train, "step": step, "key": key}
        stored.write(self._manager, step, _described(state), facts, model=state.model, train=train)
        if not self._was_read:  # the first: what cannot be read here never can
            try:
                stored.check(self._manager, step, model=state.model, train=train)
            except BrokenError as error:
                raise RunFailedError(f"checkpoint {step} cannot be read back from {self._path}: {error}") from error
            self._was_read = True

    def restore(
        self, like: State, key_like: jax.Array, usable: Callable[[int], bool], *, most_lost: int
    ) -> Restored | None:
        """The newest checkpoint that is usable, a function of its step, and can be read; None in a new run.

        `like` gives shapes, dtypes and shardings. Newer checkpoints are removed, with a warning where one is broken:
        they would stand in the way of those to come. One whose state is not finite, or whose selected model is lost,
        is as good as broken. Raises InputError where `most_lost` or more steps would be lost to checkpoints that are
        not usable, or all are of another model; RunFailedError where none can be read. Then nothing is removed.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        if not steps:
            self._forget_after(-1)
            return None
        whole = [step for step in steps if stored.is_stored(self._path / str(step))]
        newest = next((step for step in whole if usable(step)), -most_lost)
        if whole and whole[0] - newest >= most_lost:
            there = ", ".join(map(str, reversed(whole)))
            raise InputError(f"--steps-per-call: expected a divisor of the newest of the steps {there} in {self._path}")
        failed: dict[int, Exception] = {step: BrokenError("it has no meta") for step in steps if step not in whole}
        for step in filter(usable, whole):
            try:
                restored = self._read(step, like, key_like)
            except (BrokenError, OtherModelError) as error:
                failed[step] = error
                continue
            for other in (other for other in steps if other in failed and other > step):
                warn(f"checkpoint {self._path / str(other)} is broken and is removed: {failed[other]}")
            self._forget_after(step)
            self._was_read = True
            return restored
        _refuse_if_all_are_of_another_model(self._path, failed)
        raise RunFailedError(
            f"no checkpoint in {self._path} can be read ({_listed(failed)}); remove them to start again"
        )

    def _forget_after(self, step: int) -> None:
        for manager in filter(None, (self._manager, self._best)):
            for later in [other for other in manager.all_steps() if other > step]:
                manager.delete(later)

    def _read(self, step: int, like: State, key_like: jax.Array) -> Restored:
        train_like = {"state": like.train, "step": 0, "key": key_like}
        meta, parts = stored.read(self._manager, step, _described(like), model=like.model, train=train_like)
        seen, train = meta.get("selection"), parts["train"]
        best, state = self._read_best(step, seen, like.model), State(parts["model"], train["state"])
        return Restored(int(train["step"]), state, train["key"], seen, best, meta.get("log"))

    def _read_best(self, step: int, seen: Mapping[str, Any] | None, like: PyTree) -> PyTree | None:
        """The models that were selected when checkpoint `step` was saved."""
        if self._best is None or seen is None or not np.any(seen["step"]):
            return None
        saved = max((other for other in self._best.all_steps() if other <= step), default=None)
        if saved is None:
            raise BrokenError(f"the model selected until then is not in {self._best_path}")
        meta, parts = stored.read(self._best, saved, {"model": like}, model=like)
        if meta["selection"]["step"] != seen["step"]:
            raise BrokenError(f"the model selected until then is not in {self._best_path}")
        return parts["model"]


def _require_finite(state: State, step: int) -> None:
    # Metrics are of the parameters before the update, so they cannot tell.
    if (bad := not_finite(state)) is not None:
        raise RunFailedError(
            f"step {step}: the state after it is not finite ({bad}); checkpoints before it, if any, are kept"
        )


def _described(state: State) -> dict[str, PyTree]:
    return {"model": state.model, "train": state.train}


def read_model(folder: pathlib.Path, like: PyTree) -> ReadModel:
    """The newest model in a run's `checkpoints` or `best` that can be read; InputError where there is none.

    Removes nothing, and may be called beside a process that trains.
    """
    failed: dict[int, Exception] = {}
    with stored.opened(folder) as manager:
        for step in sorted(manager.all_steps(), reverse=True):
            try:
                meta, parts = stored.read(manager, step, {"model": like}, model=like)
            except (BrokenError, OtherModelError) as error:
                failed[step] = error
                continue
            for newer, reason in failed.items():
                warn(f"checkpoint {folder / str(newer)} is broken and is skipped: {reason}")
            if folder.name != "best":
                return ReadModel(step, parts["model"])
            best_steps = meta["selection"]["step"]
            same = isinstance(best_steps, list) and len(set(best_steps)) == 1
            return ReadModel(best_steps[0] if same else best_steps, parts["model"])
    _refuse_if_all_are_of_another_model(folder, failed)
    reasons = f" ({_listed(failed)})" if failed else ""
    raise InputError(f"{folder} holds no checkpoint that can be read; expected one of a run that was trained{reasons}")


def _refuse_if_all_are_of_another_model(folder: pathlib.Path, failed: Mapping[int, Exception]) -> None:
    """InputError for the newest; where only some seem to be of another model, they are damaged."""
    others = [(step, error) for step, error in failed.items() if isinstance(error, OtherModelError)]
    if others and len(others) == len(failed):
        step, error = others[0]
        raise InputError(f"checkpoint {folder / str(step)} {error}")


def _listed(failed: Mapping[int, Exception]) -> str:
    return "; ".join(f"{step}: {error}" for step, error in failed.items())
