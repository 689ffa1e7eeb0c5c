"""Our training steps as `python -m train` runs them, for a benchmark to time."""

from collections.abc import Callable

import jax
import numpy as np

from jaxgen.preprocess import Preparation
from jaxgen.recipe import Recipe
from train.data import Rows, batch_rows
from train.engine.compile import compile_steps
from train.engine.keys import make_seed_keys


def steps_of(
    recipe: Recipe,
    prepare: Preparation,
    images: np.ndarray,
    *,
    batch_size: int,
    num: int,
    steps_per_call: int,
    seeds: int = 1,
) -> Callable[[], None]:
    """`num` steps, of several seeds together: rows from the host, all else in compiled calls."""
    steps = compile_steps(recipe, prepare, jax.local_devices()[:1], batch_size=batch_size, seeds=seeds)
    keys, data = make_seed_keys(0, seeds), steps.put({"x": images})

    def rows(first: int, count: int) -> Rows:
        each = [batch_rows(seed, len(images), batch_size, 1, first, count).whole for seed in range(seeds)]
        return Rows(np.stack(each) if seeds > 1 else each[0])

    state = [steps.init(keys.init, data, np.take(rows(0, 1).whole, 0, axis=int(seeds > 1)))]

    def run() -> None:
        for first in range(0, num, steps_per_call):
            state[0], metrics = steps.call(keys.steps, state[0], data, first, rows(first, steps_per_call))
            jax.tree.map(np.asarray, metrics)

    return run
