"""The training loop. It knows no model, loss or data set: only calls, steps and what is due between them."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.recipe import PyTree, State
from train.data import Rows
from train.engine.checkpoint import Checkpoints
from train.engine.compile import Steps
from train.engine.record.log import MetricsLog, NoLog
from train.engine.selection import Selection
from train.errors import RunFailedError


class Plan(NamedTuple):
    """Which steps are taken, and what happens between them, all in steps."""

    first: int
    last: int
    steps_per_call: int
    evaluate_every: int
    checkpoint_every: int


class Hooks(NamedTuple):
    """What the loop calls."""

    rows: Callable[[int, int], Rows]  # (first step, number of steps) -> indices into the data
    validate: Callable[[PyTree], Mapping[str, np.ndarray]]  # model -> mean of each metric, [] or [S]
    show: Callable[[int, Mapping[str, np.ndarray]], None]  # a progress bar
    seconds: Callable[[], float]  # since the session started
    stop: Callable[[], bool]
    draw: Callable[[PyTree], np.ndarray] | None = None  # model -> samples [N, H, W, C] in [0, 1], for the log


def loop(
    steps: Steps,
    state: State,
    key: jax.Array,
    data: Mapping[str, jax.Array],
    plan: Plan,
    log: MetricsLog | NoLog,
    checkpoints: Checkpoints,
    selection: Selection,
    hooks: Hooks,
) -> tuple[int, State]:
    """(step, state), saved, at the plan's end, after a requested stop, or once all seeds have stopped."""
    step, stopping = plan.first, bool(selection.stopped.all())
    while step < plan.last and not stopping:
        num = min(plan.steps_per_call, plan.last - step)
        if num < plan.steps_per_call:
            # Where a longer run will start its next full call.
            checkpoints.save(step, state, key, selection, log.digest)
        state, metrics = steps.call(key, state, data, step, hooks.rows(step, num), selection.running)
        metrics = jax.tree.map(np.asarray, metrics)
        require_finite(metrics, step, selection.stopped)
        step += num
        stopping = hooks.stop()
        means = {name: values.mean(axis=-1) for name, values in metrics.items()}
        log.write(step, means, seconds=round(hooks.seconds(), 3))
        hooks.show(step, means)
        if is_evaluated(plan, step):
            found = selection.mark(hooks.validate(state.model))
            validation = {f"valid_{name}": value for name, value in found.items()}
            rate = {name: values[..., -1] for name, values in metrics.items() if name == "learning_rate"}
            last = {name: value[..., None] for name, value in (validation | rate).items()}
            require_finite(last, step - 1, selection.stopped)
            log.write(step, validation, seconds=round(hooks.seconds(), 3))
            hooks.show(step, validation)
            if hooks.draw is not None:
                log.show(step, hooks.draw(state.model))
            selection.look(step, found, state.model)
        stopping = stopping or bool(selection.stopped.all())
        if step % plan.checkpoint_every == 0 or step == plan.last or stopping:
            checkpoints.save(step, state, key, selection, log.digest)
    return step, state


def is_evaluated(plan: Plan, step: int) -> bool:
    """Whether the model is held against the validation set after this step."""
    return step % plan.evaluate_every == 0 or step == plan.last


def require_finite(metrics: Mapping[str, np.ndarray], first: int, stopped: np.ndarray) -> None:
    """RunFailedError that names the first step, of those after `first`, whose metrics [.., K] are not all finite.

    Those of seeds that have `stopped` [..] may be anything.
    """
    fine = {name: np.isfinite(values) | stopped[..., None] for name, values in metrics.items()}
    finite = np.stack([each.reshape(-1, each.shape[-1]).all(axis=0) for each in fine.values()]).all(axis=0)
    if finite.all():
        return
    offset = int(np.argmin(finite))
    bad = next(name for name, each in fine.items() if not each[..., offset].all())
    values = np.ravel(metrics[bad][..., offset])
    seed = int(np.argmin(np.ravel(fine[bad][..., offset])))
    which = f" of seed number {seed + 1}" if len(values) > 1 else ""
    rate = metrics.get("learning_rate")
    at_rate = "" if rate is None else f" at learning rate {np.ravel(rate[..., offset])[seed]:g}"
    raise RunFailedError(
        f"step {first + offset + 1}: {bad}{which} is {values[seed]}{at_rate}; checkpoints before it, if any, are kept"
    )
