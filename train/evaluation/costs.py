"""The costs of a run: parameters, the time of its training, the speed of its samples."""

import functools
import time

import jax
import jax.numpy as jnp
import numpy as np

from train.engine.record import log
from train.evaluation.estimates import Estimate
from train.evaluation.samples import conditions
from train.runs import Run

_SAMPLES = 500


def measure(run: Run) -> dict[str, Estimate]:
    """Costs by name; a time belongs to the machine and is another one at each measurement, unlike a metric."""
    sizes = [leaf.size for leaf in jax.tree.leaves(run.models[0]) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    found = {"parameters": _single(float(sum(sizes)), "floating-point values of a seed's model")}
    seconds = time_step(log.read(run.path / "metrics.jsonl"))
    if seconds is not None:
        unit = f"s of {len(run.models)} seed{'s' if len(run.models) > 1 else ''}"
        found["step_seconds"] = _single(seconds, unit)
        found["training_seconds"] = _single(seconds * run.trained, f"{unit}, the steps alone")
    if run.recipe.sample is not None:
        found["samples_per_second"] = _single(_SAMPLES / time_samples(run, _SAMPLES), f"a second, {_SAMPLES} at once")
    return found


def time_step(entries: list[dict]) -> float | None:
    """Median seconds of a step, from the times between compiled calls in the log; None where there are too few.

    Evaluations and checkpoints lie between some of the calls, and a resumed run starts a clock of its own: the median
    is of neither as long as most calls follow each other.
    """
    timed = [entry for entry in entries if log.is_of_call(entry) and isinstance(entry.get("seconds"), int | float)]
    calls = [(entry["step"], entry["seconds"]) for entry in timed]
    pairs = zip(calls, calls[1:], strict=False)
    times = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs if b[1] > a[1] and b[0] > a[0]]
    return float(np.median(times)) if times else None


def time_samples(run: Run, num: int) -> float:
    """Seconds in which the first seed's model draws `num` samples, once it is compiled."""
    assert run.recipe.sample is not None
    first, second = (jax.random.fold_in(run.keys[0].sample, call) for call in range(2))
    draw = functools.partial(jax.jit(run.recipe.sample, static_argnums=2), y=conditions(run, num))
    jax.block_until_ready(draw(first, run.models[0], num))
    started = time.perf_counter()
    jax.block_until_ready(draw(second, run.models[0], num))
    return time.perf_counter() - started


def _single(value: float, unit: str) -> Estimate:
    return Estimate(value, unit, None, None, "a single value", [value])
