"""Several processes that train one run: how they join, decide together and part.

Process 0 alone writes and prints. What all do, such as a step or a checkpoint, they do in the same order, or each waits
for the others for ever; so what may differ between them, such as a request to stop, is decided by all.
"""

import os
import re
import sys
import zlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from jaxgen.recipe import PyTree
from train.errors import InputError, LenientStream, one_line

# Seconds without a heartbeat after which a process counts as lost; for an orderly shutdown; and for which the others
# wait while process 0 evaluates.
_HEARTBEAT, _SHUTDOWN, _LONGEST_EVALUATION = 15, 60, 7 * 24 * 3600

_alone = False  # process 0, while the others wait in `part`


def join(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Join the others; where nothing is given, as the cluster that started this process says.

    InputError where no cluster does, or only part is given. Nothing may have asked for devices before.
    """
    given = {"--coordinator": coordinator, "--num-processes": num_processes, "--process-id": process_id}
    missing = [option for option, value in given.items() if value is None]
    if 0 < len(missing) < len(given):
        there = [option for option in given if option not in missing]
        raise InputError(f"expected {' and '.join(missing)} too, beside {' and '.join(there)}")
    if coordinator is not None and not re.fullmatch(r".+:\d+", coordinator):
        raise InputError(f"--coordinator {coordinator}: expected HOST:PORT")
    if num_processes is not None and process_id is not None and process_id >= num_processes:
        raise InputError(f"--process-id {process_id}: expected less than --num-processes {num_processes}")
    jax.config.update("jax_enable_preemption_service", False)  # noqa: FBT003, its handler of SIGTERM would hide ours
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            heartbeat_timeout_seconds=_HEARTBEAT,
            shutdown_timeout_seconds=_SHUTDOWN,
        )
    except ValueError as error:
        expected = "a cluster that jax recognises, or --coordinator HOST:PORT, --num-processes N and --process-id I"
        raise InputError(f"--distributed: expected {expected}; {one_line(error)}") from error


def are_joined() -> bool:
    """Whether this process trains with others."""
    return jax.distributed.is_initialized() and not _alone


def is_first() -> bool:
    """Whether this process writes and prints: it is alone, or process 0."""
    return not are_joined() or jax.process_index() == 0


def print_as_one() -> None:
    """Silence stdout of all processes but 0, and of libraries that write to it from C++, as gloo does."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    shown = os.fdopen(os.dup(1) if is_first() else os.dup(nowhere), "w", buffering=1, errors="replace")
    os.dup2(nowhere, 1)
    sys.stdout = LenientStream(shown)  # type: ignore[assignment]


def any_of(asked: bool) -> bool:  # noqa: FBT001
    """Whether it is so in any process; all of them ask."""
    return bool(multihost_utils.process_allgather(np.array(asked)).any()) if are_joined() else asked


def as_first(values: PyTree) -> PyTree:
    """The values, float64 [] or [S] or bool, that process 0 has; all of them ask."""
    if not are_joined():
        return values
    # As words of 32 bits: JAX has no float64.
    words = jax.tree.map(lambda leaf: np.frombuffer(np.float64(leaf).tobytes(), np.uint32), values)
    first = multihost_utils.broadcast_one_to_all(words)
    return jax.tree.map(
        lambda like, leaf: np.asarray(leaf).view(np.float64).reshape(np.shape(like)).astype(np.asarray(like).dtype),
        values, first,
    )  # fmt: skip


def require_same(parts: dict[str, str]) -> None:
    """InputError in all processes where one has other parts of a run than process 0; all of them ask."""
    if not are_joined():
        return
    digests = np.array([zlib.crc32(part.encode()) for part in parts.values()], np.uint32)
    every = multihost_utils.process_allgather(digests).reshape(-1, len(digests))
    for process, part in np.argwhere(every != every[0]):
        raise InputError(f"process {process}: expected the same {list(parts)[part]} as process 0 has")


def local(tree: PyTree) -> PyTree:
    """Arrays that all processes hold, as this one has them; others as they are."""

    def own(leaf: Any) -> Any:
        return leaf.addressable_data(0) if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable else leaf

    return jax.tree.map(own, tree)


def go_on_alone() -> None:
    """Let process 0 do what follows alone: its devices, its checkpoints."""
    global _alone
    _alone = True


def part() -> None:
    """End together: the others wait here for process 0."""
    if jax.distributed.is_initialized():
        ocp.multihost.sync_global_processes("part", timeout=_LONGEST_EVALUATION)
        jax.distributed.shutdown()
