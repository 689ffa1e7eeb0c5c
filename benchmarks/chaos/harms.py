"""What can happen to a run: a harm takes a bench, a family, a path and random numbers, and says how it ended."""

import ctypes
import datetime
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable

from benchmarks.chaos.bench import DEVICES, RIGHT, Bench, metrics_of, unclear
from benchmarks.chaos.damage import spoil

_DECADE = 10 * 365 * 86400

Harm = Callable[[Bench, str, pathlib.Path, random.Random], str]


def by_signal(number: signal.Signals) -> Harm:
    """A signal at a moment drawn over the whole length of a run, then the same command."""

    def harm(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
        process = bench.start(family, path)
        process.wait_for_cpu(draw.uniform(0, bench.cpu_seconds(family)))
        process.send(number)
        ended = process.end()
        said = [line for line in ended.err.splitlines() if not line.startswith("warning: ")]
        if (ended.code, len(said)) not in ((0, 0), (-number, 0), (130, 1)):
            return unclear(ended)
        return must_end(bench.outcome(family, path, bench.run(family, path)))

    return harm


def small_files(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """No file may grow beyond a random size; then there is room again."""
    limit = int(1024 * 10 ** draw.uniform(0, 2))
    ended = bench.run(family, path, prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    if ended.code and not ended.is_one_line:
        return unclear(ended)
    return must_end(bench.outcome(family, path, bench.run(family, path)))


def full_disk(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """A file system of a random size; then there is room again."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={int(10 ** draw.uniform(1, 3))}k", "chaos", str(path)]
    try:
        subprocess.run(mount, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"skipped: {getattr(error, 'stderr', None) or error}"
    try:
        ended = bench.run(family, path / "run")
        if ended.code and not ended.is_one_line:
            return unclear(ended)
        subprocess.run(["mount", "-o", "remount,size=100m", str(path)], check=True)
        return must_end(bench.outcome(family, path / "run", bench.run(family, path / "run")))
    finally:
        subprocess.run(["umount", str(path)], check=True)


def damage(rule: str) -> Harm:
    """A random file of an unfinished run is damaged, and the run goes on."""

    def harm(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
        file = spoil(rule, bench.unfinished(family, path), draw)
        found = bench.outcome(family, path, bench.run(family, path))
        return found if found in RIGHT else f"{file}: {found}"

    return harm


def damage_before_reading(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """A random file of a finished run is damaged, and the run is evaluated again."""
    shutil.copytree(bench.whole(family), path)
    file = spoil(draw.choice(["cut", "flip", "remove"]), path, draw)
    ended = bench.evaluate(path)
    if ended.is_one_line:
        return "one clear line"
    if ended.code or (ended.err and not ended.warned):
        return f"{file}: {unclear(ended)}"
    if ended.warned:
        return "warned and right"
    return "same bits" if metrics_of(path) == metrics_of(bench.whole(family)) else f"{file}: other metrics"


def several_at_once(others: int) -> Harm:
    """More processes of the same run, each a moment later."""

    def harm(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
        processes = [bench.start(family, path)]
        for _ in range(others):
            processes[0].wait_for_cpu(draw.uniform(0, bench.cpu_seconds(family)))
            processes.append(bench.start(family, path))
        outcomes = [bench.outcome(family, path, process.end()) for process in processes]
        wrong = [outcome for outcome in outcomes if outcome not in RIGHT]
        ends = [outcome for outcome in outcomes if outcome != "one clear line"]
        return (wrong or ends or ["none reached its end"])[0]

    return harm


def clock_jump(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """The clock is set by up to ten years, before or behind what the files of an unfinished run say of their times."""
    bench.unfinished(family, path)
    for file in path.rglob("*"):
        moment = time.time() + draw.uniform(-_DECADE, _DECADE)
        os.utime(file, (moment, moment))
    jump, usual = draw.uniform(-_DECADE, _DECADE), time.time

    class Now(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return super().now(tz) + datetime.timedelta(seconds=jump)

    def prepare() -> None:
        time.time, datetime.datetime = lambda: usual() + jump, Now

    return must_end(bench.outcome(family, path, bench.run(family, path, prepare=prepare)))


def read_only(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """An unfinished run in which nothing may be written; then it may again."""
    del draw
    for entry in [bench.unfinished(family, path), *path.rglob("*")]:
        entry.chmod(0o555)
    ended = bench.run(family, path, prepare=heed_modes)
    for entry in [path, *path.rglob("*")]:
        entry.chmod(0o755)
    if not ended.is_one_line:
        return unclear(ended)
    return must_end(bench.outcome(family, path, bench.run(family, path)))


def heed_modes() -> None:
    """Give up what lets root write whatever the modes of files say: CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""
    libc, header, sets = (
        ctypes.CDLL(None, use_errno=True),
        (ctypes.c_uint32 * 2)(0x20080522, 0),
        (ctypes.c_uint32 * 6)(),
    )
    if libc.capget(header, sets) == 0:
        sets[0] &= ~0b110
        if libc.capset(header, sets) == 0:
            return
    raise OSError(ctypes.get_errno(), "capabilities cannot be given up")


def other_threads(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """An unfinished run goes on with another number of threads."""
    threads = draw.randint(1, 3)
    bench.unfinished(family, path)
    ended = bench.run(family, path, prepare=lambda: os.environ.update(NPROC=str(threads)))
    return may_change_bits(bench.outcome(family, path, ended))


def other_devices(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """An unfinished run goes on on several devices."""
    devices, flags = draw.choice([2, DEVICES]), f"--xla_force_host_platform_device_count={DEVICES}"
    bench.unfinished(family, path)
    ended = bench.run(family, path, devices=devices, prepare=lambda: os.environ.update(XLA_FLAGS=flags))
    return may_change_bits(bench.outcome(family, path, ended))


def may_change_bits(outcome: str) -> str:
    """The outcome of a run on another machine, which may end with other bits and has to say so."""
    return "warned and right" if outcome == "other bits, said" else outcome


def must_end(outcome: str) -> str:
    """The outcome of a run in which nothing is broken: an error will not do."""
    return "an error, though nothing is broken" if outcome == "one clear line" else outcome


HARMS: dict[str, Harm] = {
    **{number.name: by_signal(number) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)},
    "a limit on the size of files": small_files,
    "a full disk": full_disk,
    "a file cut": damage("cut"),
    "a bit flipped": damage("flip"),
    "a file removed": damage("remove"),
    "damage before an evaluation": damage_before_reading,
    "two processes": several_at_once(1),
    "three processes": several_at_once(2),
    "a clock that jumps": clock_jump,
    "a read-only directory": read_only,
    "other threads": other_threads,
    "other devices": other_devices,
}
