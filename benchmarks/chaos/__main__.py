"""Stop, starve and damage runs in every way that happens, start them again, and compare what they end with.

    python -m benchmarks.chaos [--trials 200] [--seed 0] [--minutes 30] [--out FILE.json]

Each trial takes one of several families and one kind of harm, with random moments, files and bits. It ends as one of
"same bits" (of the last checkpoint, the log and the metrics), "warned and right" (the same bits, or what else a warning
has named), "one clear line" (an error, where a file was damaged), "skipped, with the reason", or "anything else", of
which there must be none. After a signal, a full disk or a second process the same command must reach its end.
"""

import argparse
import collections
import datetime
import json
import multiprocessing
import os
import pathlib
import platform
import random
import shutil
import subprocess
import tempfile
import time
import traceback

from benchmarks.chaos.bench import FAMILIES, RIGHT, ROOT, Bench
from benchmarks.chaos.harms import HARMS

_SKIPPED = "skipped, with the reason"


def plan(trials: int, seed: int) -> list[tuple[int, str, str, int]]:
    """(number, harm, family, seed) of each trial: all harms in turn, each with one family after the other."""
    draw, families = random.Random(seed), {harm: list(FAMILIES) for harm in HARMS}
    for order in families.values():
        draw.shuffle(order)
    chosen = []
    for number in range(trials):
        turn, which = divmod(number, len(HARMS))
        harm = list(HARMS)[which]
        chosen.append((number, harm, families[harm][turn % len(FAMILIES)], seed))
    return chosen


def attempt(trial: tuple[int, str, str, int]) -> tuple[str, str, str] | None:
    """(harm, family, outcome) of one trial; None once time is up."""
    number, harm, family, seed = trial
    if time.monotonic() > _deadline:
        return None
    path = _bench.folder / f"trial{number}"
    try:
        outcome = HARMS[harm](_bench, family, path, random.Random(f"{seed} {number}"))
    except Exception:
        outcome = traceback.format_exc()
    shutil.rmtree(path, ignore_errors=True)
    print(f"{number} {family}, {harm}: {outcome}", flush=True)
    return harm, family, outcome


def kind(outcome: str) -> str:
    """What an outcome counts as."""
    if outcome.startswith("skipped: "):
        return _SKIPPED
    return outcome if outcome in RIGHT else "anything else"


def count(found: list[tuple[str, str, str]]) -> dict:
    """Outcomes, all of them and by harm and family."""

    def of(key: int | None) -> dict:
        counts: dict = collections.defaultdict(lambda: dict.fromkeys([*RIGHT, _SKIPPED, "anything else"], 0))
        for trial in found:
            counts["" if key is None else trial[key]][kind(trial[2])] += 1
        return dict(counts)

    return {
        "total": of(None)[""],
        "by harm": of(0),
        "by family": of(1),
        "skipped": sorted({f"{harm}: {outcome}" for harm, _, outcome in found if kind(outcome) == _SKIPPED}),
        "anything else": [f"{family}, {harm}: {outcome}" for harm, family, outcome in found
                          if kind(outcome) == "anything else"],
    }  # fmt: skip


def facts() -> dict:
    """Where and when."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit,
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}",
    }


def main(trials: int, seed: int, minutes: float, jobs: int, out: str | None) -> int:
    """Print a line a trial and the counts; the exit code is 1 where anything else happened, or half was not tried."""
    global _bench, _deadline
    found_facts, started = facts(), time.monotonic()
    _deadline = started + 60 * minutes
    folder = pathlib.Path(tempfile.mkdtemp(prefix="chaos"))
    folder.chmod(0o755)  # for a trial of another user
    _bench, chosen = Bench(folder), plan(trials, seed)
    try:
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            pool.map(_bench.whole, sorted({family for _, _, family, _ in chosen}), chunksize=1)
            found = [trial for trial in pool.map(attempt, chosen, chunksize=1) if trial is not None]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    result = {
        "trials": len(found), "asked": trials, "seed": seed, **found_facts, "jobs": jobs,
        "minutes": round((time.monotonic() - started) / 60, 1), **count(found),
    }  # fmt: skip
    print(json.dumps(result["total"]))
    if out:
        pathlib.Path(out).write_text(json.dumps(result, indent=2) + "\n")
    return int(bool(result["anything else"]) or 2 * len(found) < trials)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="no trial is begun later")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="trials at the same time")
    parser.add_argument("--out", help="a JSON file of the counts")
    raise SystemExit(main(**vars(parser.parse_args())))
