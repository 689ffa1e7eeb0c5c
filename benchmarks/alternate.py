"""Timing several ways of doing the same work in one run, in turns: only ratios taken so compare on a shared machine."""

import os
import statistics
import time
from collections.abc import Callable, Mapping


def seconds(contenders: Mapping[str, Callable[[], object]], *, rounds: int = 7) -> dict[str, float]:
    """The median seconds of each contender over rounds in which all take their turn, after one that is not counted.

    BENCHMARK_ROUNDS, in the environment, is another number of rounds: 1 tries a benchmark out.
    """
    rounds = int(os.environ.get("BENCHMARK_ROUNDS", rounds))
    for run in contenders.values():
        run()
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in taken.items()}
