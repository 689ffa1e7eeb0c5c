"""Small runs of each family, and what a run that was harmed is compared with: one that was not."""

import json
import os
import pathlib
import shutil
import sys
from collections.abc import Callable

from benchmarks.chaos.process import Ended, Process, call, start

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "train"))
STEPS = 60
DEVICES = 4  # the most that a run is given
COMMON = [
    f"--steps={STEPS}", "--checkpoint-every=20", "--evaluate-every=20", "--steps-per-call=10", "--num-samples=2",
    "--features=none", "--batch-size=32",
]  # fmt: skip
FAMILIES = {
    "vae": ["vae_digits", "--hidden=16", "--latent-dim=2"],
    "vae of two seeds, selected": ["vae_digits", "--hidden=16", "--latent-dim=2", "--select=negative_elbo",
                                   "--seeds=2"],
    "gan": ["gan_ring"],
    "wae": ["wae_mmd_digits", "--hidden=16"],
    "made": ["made_uci", "--data=digits", "--hidden=16", "--binarize"],
    "naive Bayes": ["naive_bayes_blobs"],
    "classifier": ["logistic_regression_mnist", "--data=digits"],
}  # fmt: skip
RIGHT = ("same bits", "warned and right", "one clear line")


class Bench:
    """The folder of all trials, with an undisturbed run of each family."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Programs are compiled once for all trials, and kept beyond them where JAX_COMPILATION_CACHE_DIR says so."""
        self.folder, self._started, self._known_bits = folder, 0, dict[str, list[str]]()
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")

    def whole(self, family: str) -> pathlib.Path:
        """The undisturbed run."""
        path = self.folder / "whole" / family
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            ended = self.run(family, path)
            assert ended.code == 0, ended.err
        return path

    def cpu_seconds(self, family: str) -> float:
        """What an undisturbed run takes once its programs are compiled."""
        known = self.folder / "whole" / f"{family}.seconds"
        if not known.exists():
            self.whole(family)
            again = self.run(family, self.folder / "whole" / f"{family}, again by {os.getpid()}")
            known.write_text(str(again.cpu_seconds))
        return float(known.read_text())

    def unfinished(self, family: str, path: pathlib.Path) -> pathlib.Path:
        """A run that was killed before its last checkpoint, with two older ones."""
        shutil.copytree(self.whole(family), path)
        shutil.rmtree(path / "checkpoints" / str(STEPS))
        for name in ("evaluation.json", "evaluation.npz", "report.html"):
            (path / name).unlink()
        return path

    def start(self, family: str, path: pathlib.Path, *, devices: int = 1, prepare: Callable = lambda: None) -> Process:
        """The command of a family."""
        arguments = [*FAMILIES[family], *COMMON, f"--devices={devices}", "--run-dir", str(path)]
        self._started += 1
        return start(arguments, self.folder / f"{os.getpid()}_{self._started}.err", prepare)

    def run(self, family: str, path: pathlib.Path, *, devices: int = 1, prepare: Callable = lambda: None) -> Ended:
        """The command of a family, to its end."""
        return self.start(family, path, devices=devices, prepare=prepare).end()

    def evaluate(self, path: pathlib.Path) -> Ended:
        """Evaluate a run again."""
        arguments = ["evaluate", str(path), "--num-samples=2", "--features=none"]
        return start(arguments, self.folder / f"{os.getpid()}_evaluate.err").end()

    def outcome(self, family: str, path: pathlib.Path, ended: Ended) -> str:
        """How a run that should have reached its end compares with the undisturbed one."""
        if ended.is_one_line:
            return "one clear line"
        if ended.code or (ended.err and not ended.warned):
            return unclear(ended)
        whole = self.whole(family)
        if self._bits(path) != self._bits_of_whole(family):
            return "other bits, said" if ended.warned else "other bits"
        if self._log(path) != self._log(whole) and not ended.warned:
            return "another log"
        if not ended.warned and metrics_of(path) != metrics_of(whole):
            return "other metrics"
        return "warned and right" if ended.warned else "same bits"

    def _bits(self, path: pathlib.Path) -> list[str]:
        def read() -> list[str]:
            os.environ["XLA_FLAGS"] = (
                f"--xla_force_host_platform_device_count={DEVICES}"  # as many as may have saved it
            )
            from run_files import bits_of

            return [content.hex() for content in bits_of(path, STEPS)]

        return call(read, self.folder)

    def _bits_of_whole(self, family: str) -> list[str]:
        if family not in self._known_bits:
            self._known_bits[family] = self._bits(self.whole(family))
        return self._known_bits[family]

    @staticmethod
    def _log(path: pathlib.Path) -> list[dict]:
        lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
        return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def unclear(ended: Ended) -> str:
    """What a process said that should have said something else."""
    return f"exit {ended.code}: {ended.err[:300]!r} ... {ended.err[-300:]!r}"


def metrics_of(path: pathlib.Path) -> dict:
    """The metrics of an evaluation."""
    return json.loads((path / "evaluation.json").read_text())["metrics"]
