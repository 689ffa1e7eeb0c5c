"""The order of the data: a pure function of (seed, epoch), so that a resumed run has no iterator to restore."""

import functools
from typing import Literal

import numpy as np

from train.errors import InputError


# One entry per seed trained at once, and one more where a call crosses into the next epoch.
@functools.lru_cache(maxsize=32)
def epoch_order(seed: int, epoch: int, num_examples: int) -> np.ndarray:
    """The order in which an epoch visits the examples: a permutation, int32 `[num_examples]`, read-only."""
    # NumPy guarantees the stream of a bit generator (NEP 19), but not that of Generator.permutation.
    random_bits = np.random.PCG64(np.random.SeedSequence([seed, epoch])).random_raw(num_examples)
    order = np.argsort(random_bits, kind="stable").astype(np.int32)
    order.flags.writeable = False  # the cache returns the same array to every caller
    return order


def steps_per_epoch(num_examples: int, batch_size: int, draws: int) -> int:
    """The number of steps of `draws` batches in one epoch.

    Raises:
        InputError: An epoch is shorter than one step.
    """
    steps = num_examples // (draws * batch_size)
    if steps == 0:
        batches = f"{draws} batches of {batch_size}" if draws > 1 else f"a batch of {batch_size}"
        raise InputError(
            f"--batch-size {batch_size}: a step takes {batches}, the training data has {num_examples} examples; "
            f"expected at most {num_examples // draws}"
        )
    return steps


def batch_rows(
    seed: int,
    num_examples: int,
    batch_size: int,
    draws: int,
    first_step: int,
    num_steps: int,
    *,
    order: Literal["shuffled", "file"] = "shuffled",
) -> np.ndarray:
    """The rows of the training data for consecutive steps.

    Step i takes the i-th block of `draws * batch_size` rows of its epoch, in file order or shuffled anew; the last
    partial block of an epoch is dropped.

    Returns:
        int32 `[num_steps, batch_size]`, or `[num_steps, draws, batch_size]` where a step draws several batches.

    Raises:
        InputError: An epoch is shorter than one step.
    """
    steps = steps_per_epoch(num_examples, batch_size, draws)
    block = draws * batch_size
    in_file, rows = np.arange(num_examples), np.empty((num_steps, block), np.int32)
    for row, step in enumerate(range(first_step, first_step + num_steps)):
        epoch, position = divmod(step, steps)
        visited = epoch_order(seed, epoch, num_examples) if order == "shuffled" else in_file
        rows[row] = visited[position * block : (position + 1) * block]
    return rows.reshape(num_steps, draws, batch_size) if draws > 1 else rows
