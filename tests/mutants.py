"""Mutation testing: whether the tests notice faults that are put into the library on purpose.

    python tests/mutants.py [NAME ...]

applies the mutants of mutants.toml one at a time, or those whose names contain a NAME, to a copy of the tree, and runs
the tests that each names. The tests must pass without a mutant first. A mutant is killed if a test fails; one that
cannot be imported, or whose pattern does not occur exactly once in its file, is an error. Exit code 1 for an error or
where fewer than 95 % are killed.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPIED = ("configs", "jaxgen", "pyproject.toml", "tests", "train")
REQUIRED = 0.95
# Code that fails in this way is no fault that a test of values could miss.
_BROKEN = re.compile(r"^E +(ImportError|ModuleNotFoundError|NameError|SyntaxError)\b", re.MULTILINE)


class Mutant(NamedTuple):
    name: str
    file: str
    pattern: str  # literal; occurs once
    replacement: str
    tests: list[str]  # node ids of pytest
    survives: str = ""  # why no test can kill it

    def apply(self, text: str) -> str:
        if text.count(self.pattern) != 1:
            raise ValueError(f"its pattern occurs {text.count(self.pattern)} times in {self.file}")
        return text.replace(self.pattern, self.replacement)


def read(path: pathlib.Path) -> list[Mutant]:
    return [Mutant(**entry) for entry in tomllib.loads(path.read_text())["mutant"]]


def passes(tree: pathlib.Path, tests: Iterable[str]) -> bool:
    # Without bytecode: that of a mutant of the same size, written in the same second, would be taken for the original.
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    ended = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    if ended.returncode > 1 or _BROKEN.search(ended.stdout):
        raise ValueError(f"its tests cannot run (pytest ended with {ended.returncode})\n{ended.stdout}{ended.stderr}")
    return ended.returncode == 0


def outcome(mutant: Mutant, tree: pathlib.Path) -> tuple[str, str]:
    """killed, survived or error, and why."""
    path = tree / mutant.file
    original = path.read_text()
    try:
        path.write_text(mutant.apply(original))
        return ("survived", mutant.survives or "unexplained") if passes(tree, mutant.tests) else ("killed", "")
    except ValueError as error:
        return "error", str(error)
    finally:
        path.write_text(original)


def run(mutants: Sequence[Mutant], root: pathlib.Path = ROOT) -> int:
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        for path in (root / name for name in COPIED if (root / name).exists()):
            copy = shutil.copytree if path.is_dir() else shutil.copy
            copy(path, tree / path.name)
        if not passes(tree, dict.fromkeys(test for mutant in mutants for test in mutant.tests)):
            raise SystemExit("the tests fail without a mutant")
        outcomes = []
        for mutant in mutants:
            found, reason = outcome(mutant, tree)
            outcomes.append(found)
            print(f"{found:9} {mutant.name}{reason and ': '}{reason}", flush=True)
    killed = outcomes.count("killed")
    print(f"{killed} of {len(mutants)} mutants killed")
    return int(killed < REQUIRED * len(mutants) or "error" in outcomes)


if __name__ == "__main__":
    names = sys.argv[1:] or [""]
    raise SystemExit(run([m for m in read(ROOT / "tests/mutants.toml") if any(name in m.name for name in names)]))
