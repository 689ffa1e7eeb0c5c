"""Stop, starve and damage runs in every way that happens, start them again, and compare what they end with.

    python -m benchmarks.chaos [--trials 200] [--seed 0] [--out FILE.json]

Each trial takes one of several families and one kind of harm, with random moments, files and bits. It ends as one of
"same bits" (of the last checkpoint and of the log), "warned and right" (the same bits, or other bits for a reason that
was said), "one clear line" (an error, where a file was damaged), "skipped", or "anything else", of which there must be
none. After a signal, a full disk or a second process the same command must reach its end.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "train"))
from run_files import bits_of, log_of

ROOT = pathlib.Path(__file__).resolve().parent.parent
STEPS = 200
COMMON = [
    f"--steps={STEPS}", "--checkpoint-every=20", "--evaluate-every=20", "--steps-per-call=10", "--num-samples=2",
    "--features=none", "--devices=1", "--batch-size=32",
]  # fmt: skip
FAMILIES = {
    "vae": ["vae_digits", "--hidden=16", "--latent-dim=2"],
    "vae_selected": ["vae_digits", "--hidden=16", "--latent-dim=2", "--select=negative_elbo", "--seeds=2"],
    "gan": ["gan_ring"],
    "wae": ["wae_mmd_digits"],
    "made": ["made_uci", "--data=digits", "--hidden=32"],
    "naive_bayes": ["naive_bayes_blobs"],
}


class Ended(NamedTuple):
    """How a process ended."""

    code: int
    err: str

    @property
    def warned(self) -> bool:
        """Whether it said nothing but warnings, and at least one."""
        return bool(self.err) and all(line.startswith("warning: ") for line in self.err.splitlines())

    @property
    def is_one_line(self) -> bool:
        """Whether it ended with one error, after warnings if any."""
        *others, last = self.err.splitlines() or [""]
        return (
            self.code in (1, 2)
            and last.startswith(("error: ", "failed: "))
            and all(line.startswith("warning: ") for line in others)
        )


class Bench:
    """The folder of all trials, and an undisturbed run of each family."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Programs are compiled once for all trials."""
        self.folder = folder
        self.environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "JAX_COMPILATION_CACHE_DIR": str(folder / "programs"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "XDG_CACHE_HOME": str(folder / "cache"),
        }  # fmt: skip
        self._wholes: dict[str, tuple[pathlib.Path, float]] = {}

    def whole(self, family: str) -> tuple[pathlib.Path, float]:
        """The undisturbed run, and the seconds that it took with its programs compiled."""
        if family not in self._wholes:
            for name in ("first", family):
                started = time.perf_counter()
                ended = self.run(family, self.folder / name)
                assert ended.code == 0, ended.err
            shutil.rmtree(self.folder / "first")
            self._wholes[family] = self.folder / family, time.perf_counter() - started
        return self._wholes[family]

    def unfinished(self, family: str, path: pathlib.Path) -> None:
        """A run that was killed before its last checkpoint, with two older ones."""
        shutil.copytree(self.whole(family)[0], path)
        shutil.rmtree(path / "checkpoints" / str(STEPS))
        for name in ("evaluation.json", "report.html"):
            (path / name).unlink()

    def start(self, family: str, path: pathlib.Path, *options: str, limit: int | None = None) -> subprocess.Popen:
        """The command of a family, which may write no file larger than `limit` KiB."""
        # Python would set the limit in a fork of this process, whose threads JAX has started.
        starve = [] if limit is None else ["bash", "-c", 'trap "" XFSZ; ulimit -f "$0"; exec "$@"', str(limit)]
        command = [sys.executable, "-m", "train", *FAMILIES[family], *COMMON, *options, "--run-dir", str(path)]
        return subprocess.Popen(
            [*starve, *command], cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, family: str, path: pathlib.Path, *options: str, limit: int | None = None) -> Ended:
        """Run the command to its end."""
        process = self.start(family, path, *options, limit=limit)
        _, err = process.communicate(timeout=300)
        return Ended(process.returncode, err)

    def compare(self, family: str, path: pathlib.Path, ended: Ended) -> str:
        """The outcome of a run that should have reached its end."""
        whole = self.whole(family)[0]
        if ended.is_one_line:
            return "one clear line"
        if ended.code or (ended.err and not ended.warned):
            return f"exit {ended.code}: {ended.err[-300:]!r}"
        if bits_of(path, STEPS) != bits_of(whole, STEPS):
            return "other bits, said" if ended.warned else "other bits"
        if log_of(path) != log_of(whole) and not ended.warned:
            return "another log"
        return "warned and right" if ended.warned else "same bits"


def by_signal(number: signal.Signals) -> Callable:
    """Harm by a signal at a moment drawn over the whole length of a run."""

    def harm(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
        process = bench.start(family, path)
        time.sleep(draw.uniform(0, bench.whole(family)[1]))
        process.send_signal(number)
        _, err = process.communicate(timeout=300)
        if process.returncode not in (0, -number, 128 + number) or "Traceback" in err:
            return f"exit {process.returncode}: {err[-300:]!r}"
        return must_end(bench.compare(family, path, bench.run(family, path)))

    return harm


def full_disk(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """No file may grow beyond a random size; then there is room again."""
    ended = bench.run(family, path, limit=int(10 ** draw.uniform(0, 2)))
    if ended.code and not ended.is_one_line:
        return f"exit {ended.code}: {ended.err[-300:]!r}"
    return must_end(bench.compare(family, path, bench.run(family, path)))


def must_end(outcome: str) -> str:
    """The outcome of a run in which nothing is broken: an error will not do."""
    return "an error, though nothing is broken" if outcome == "one clear line" else outcome


def damage(rule: str) -> Callable:
    """Harm to a random file of an unfinished run."""

    def harm(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
        bench.unfinished(family, path)
        files = [file for file in sorted(path.rglob("*")) if file.is_file() and file.stat().st_size]
        # Of checkpoints, the newest alone: damage to older ones is never seen.
        newest = max(int(entry.name) for entry in (path / "checkpoints").iterdir())
        files = [file for file in files if "checkpoints" not in file.parts or str(newest) in file.parts]
        file = draw.choice(files)
        content = bytearray(file.read_bytes())
        if rule == "cut":
            del content[draw.randrange(len(content)) :]
        elif rule == "flip":
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        file.write_bytes(content)
        if rule == "remove":
            file.unlink()
        found = bench.compare(family, path, bench.run(family, path))
        return found if found in OUTCOMES else f"{file.relative_to(path)}: {found}"

    return harm


def two_at_once(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """A second process of the same run, a moment later."""
    first = bench.start(family, path)
    time.sleep(draw.uniform(0, bench.whole(family)[1]))
    second = bench.run(family, path)
    _, err = first.communicate(timeout=300)
    outcomes = [bench.compare(family, path, ended) for ended in (Ended(first.returncode, err), second)]
    wrong = [outcome for outcome in outcomes if outcome not in OUTCOMES]
    ends = [outcome for outcome in outcomes if outcome != "one clear line"]
    return (wrong or ends or ["neither reached its end"])[0]


def read_only(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """A directory that nothing may be written to."""
    if os.geteuid() == 0:
        return "skipped"  # root may write everywhere
    bench.unfinished(family, path)
    path.chmod(0o500)
    ended = bench.run(family, path)
    path.chmod(0o700)
    return "one clear line" if ended.is_one_line else f"exit {ended.code}: {ended.err[-300:]!r}"


def other_threads(bench: Bench, family: str, path: pathlib.Path, draw: random.Random) -> str:
    """A resume under another number of threads, which may change bits and says so."""
    bench.unfinished(family, path)
    process = subprocess.run(
        [sys.executable, "-m", "train", *FAMILIES[family], *COMMON, "--run-dir", str(path)], cwd=bench.folder,
        env={**bench.environment, "NPROC": str(draw.randint(1, 3)), "OMP_NUM_THREADS": "1"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    found = bench.compare(family, path, Ended(process.returncode, process.stderr))
    return "warned and right" if found == "other bits, said" else found


HARMS: dict[str, Callable] = {
    "SIGKILL": by_signal(signal.SIGKILL),
    "SIGTERM": by_signal(signal.SIGTERM),
    "SIGHUP": by_signal(signal.SIGHUP),
    "full disk": full_disk,
    "a file cut": damage("cut"),
    "a bit flipped": damage("flip"),
    "a file removed": damage("remove"),
    "two at once": two_at_once,
    "read-only": read_only,
    "other threads": other_threads,
}
OUTCOMES = ("same bits", "warned and right", "one clear line", "skipped")


def main(trials: int, seed: int, out: str | None) -> int:
    """Print a line a trial and the counts; the exit code is 1 where anything else happened."""
    draw, counts = random.Random(seed), {harm: collections.Counter() for harm in HARMS}
    others = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(pathlib.Path(folder))
        for trial in range(trials):
            harm = list(HARMS)[trial % len(HARMS)]
            family = draw.choice(list(FAMILIES))
            outcome = HARMS[harm](bench, family, pathlib.Path(folder) / f"trial{trial}", draw)
            print(f"{trial} {family}, {harm}: {outcome}", flush=True)
            counts[harm][outcome if outcome in OUTCOMES else "anything else"] += 1
            others += [f"{trial} {family}, {harm}: {outcome}"] * (outcome not in OUTCOMES)
            shutil.rmtree(pathlib.Path(folder) / f"trial{trial}", ignore_errors=True)
    total = sum(counts.values(), collections.Counter())
    result = {"trials": trials, "seed": seed, "total": dict(total), "by harm": {h: dict(c) for h, c in counts.items()}}
    print(json.dumps(result))
    if out:
        pathlib.Path(out).write_text(json.dumps({**result, "anything else": others}, indent=2) + "\n")
    return int(bool(others))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out")
    raise SystemExit(main(**vars(parser.parse_args())))
