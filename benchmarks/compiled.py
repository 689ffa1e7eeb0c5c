"""Our training steps as `python -m train` runs them, for a benchmark to time."""

import functools
from collections.abc import Callable

import jax
import numpy as np

from jaxgen.preprocess import Preparation
from jaxgen.recipe import Recipe
from train.data import batch_rows
from train.engine.compile import compile_steps
from train.engine.keys import make_keys


def steps_of(
    recipe: Recipe, prepare: Preparation, images: np.ndarray, *, batch_size: int, num: int, steps_per_call: int
) -> Callable[[], None]:
    """`num` steps: rows from the host, all else in compiled calls."""
    steps = compile_steps(recipe, prepare, jax.local_devices()[:1], batch_size=batch_size, seeds=1)
    rows = functools.partial(batch_rows, 0, len(images), batch_size, 1)
    keys, data = make_keys(0), steps.put({"x": images})
    state = [steps.init(keys.init, data, rows(0, 1).whole[0])]

    def run() -> None:
        for first in range(0, num, steps_per_call):
            state[0], metrics = steps.call(keys.steps, state[0], data, first, rows(first, steps_per_call))
            jax.tree.map(np.asarray, metrics)

    return run
