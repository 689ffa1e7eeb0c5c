"""The order of the data: a pure function of (seed, epoch), so that a resumed run has no iterator to restore."""

import functools
from typing import Literal, NamedTuple

import numpy as np

from train.errors import InputError


class Rows(NamedTuple):
    """The rows of the training data that consecutive steps take."""

    #: Of the steps with a whole batch: int32 [K, B], or [K, draws, B] where a step takes several batches.
    whole: np.ndarray
    #: Of one more step after them, an epoch's short last one: [b] or [draws, b].
    short: np.ndarray | None = None


# One entry per seed trained at once, and one more where a call crosses into the next epoch.
@functools.lru_cache(maxsize=32)
def epoch_order(seed: int, epoch: int, num_examples: int) -> np.ndarray:
    """The order in which an epoch visits the examples: a permutation, int32 `[num_examples]`, read-only."""
    # NumPy guarantees the stream of a bit generator (NEP 19), but not that of Generator.permutation.
    random_bits = np.random.PCG64(np.random.SeedSequence([seed, epoch])).random_raw(num_examples)
    order = np.argsort(random_bits, kind="stable").astype(np.int32)
    order.flags.writeable = False  # the cache returns the same array to every caller
    return order


def steps_per_epoch(num_examples: int, batch_size: int, draws: int, *, drop_last: bool = True) -> int:
    """The number of steps of `draws` batches in one epoch, whose short last one is dropped or counts.

    Raises:
        InputError: An epoch is shorter than one whole step.
    """
    steps = num_examples // (draws * batch_size)
    if steps == 0:
        batches = f"{draws} batches of {batch_size}" if draws > 1 else f"a batch of {batch_size}"
        raise InputError(
            f"--batch-size {batch_size}: a step takes {batches}, the training data has {num_examples} examples; "
            f"expected at most {num_examples // draws}"
        )
    return steps if drop_last else steps + (short_size(num_examples, batch_size, draws) > 0)


def short_size(num_examples: int, batch_size: int, draws: int) -> int:
    """The number of examples that the whole steps of an epoch leave; 0: none."""
    return num_examples % (draws * batch_size)


def batch_rows(
    seed: int,
    num_examples: int,
    batch_size: int,
    draws: int,
    first_step: int,
    num_steps: int,
    *,
    order: Literal["shuffled", "file"] = "shuffled",
    drop_last: bool = True,
) -> Rows:
    """The rows of the training data for consecutive steps.

    Step i takes the i-th block of `draws * batch_size` rows of its epoch, in file order or shuffled anew. The last,
    short block of an epoch is dropped, or is the step that ends it: then no step may follow.

    Raises:
        InputError: An epoch is shorter than one step.
        ValueError: A step follows a short one, or the draws do not divide a short one.
    """
    steps = steps_per_epoch(num_examples, batch_size, draws, drop_last=drop_last)
    block = draws * batch_size
    in_file, taken = np.arange(num_examples, dtype=np.int32), []
    for step in range(first_step, first_step + num_steps):
        epoch, position = divmod(step, steps)
        visited = epoch_order(seed, epoch, num_examples) if order == "shuffled" else in_file
        taken.append(visited[position * block : (position + 1) * block])
    short = taken.pop() if taken and len(taken[-1]) < block else None
    a_step = (draws,) if draws > 1 else ()
    whole = np.array(taken, np.int32).reshape(-1, *a_step, batch_size)
    return Rows(whole, None if short is None else short.reshape(*a_step, -1))
