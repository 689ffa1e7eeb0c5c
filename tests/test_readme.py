"""The README is run: its Python as it stands, its commands with a small budget, its numbers against the results."""

import json
import pathlib
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import jaxgen
from train import config as configs
from train.__main__ import main
from train.data.published.fetch import read_downloads

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
*PYTHON, OF_A_RUN = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    line.partition("  #")[0].rstrip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]
TRAINING = [command for command in COMMANDS if command.startswith("python -m train configs/")]
READING = [command for command in COMMANDS if re.match(r"python -m train (evaluate|sample|interpolate) ", command)]
SMALL = ["--steps=2", "--steps-per-call=1", "--evaluate-every=2", "--checkpoint-every=2", "--num-samples=2",
         "--devices=1", "--batch-size=16", "--features=none"]  # fmt: skip


@pytest.mark.parametrize("source", PYTHON, ids=range(len(PYTHON)))
def test_its_python_runs(source):
    exec(compile(source, "README.md", "exec"), {})


def test_it_is_short():
    assert len(README.splitlines()) <= 150


def test_its_version_is_that_of_the_changelog_and_the_citation():
    changes, citation = ((ROOT / file).read_text() for file in ("CHANGELOG.md", "CITATION.cff"))
    assert re.search(r"^## \[(.*?)\]", changes, re.MULTILINE)[1] == jaxgen.__version__
    assert f"version: {jaxgen.__version__}\n" in citation


def test_its_make_targets_exist():
    targets = [command.split()[1] for command in COMMANDS if command.startswith("make ")]
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_an_old_python_is_one_line(tmp_path):
    """Of an interpreter that answers every question by what an old one says of its version."""
    (tmp_path / "python").write_text("#!/bin/sh\necho old\n")
    (tmp_path / "python").chmod(0o755)
    make = ["make", "--no-print-directory", "demo", f"PYTHON={tmp_path}/python", f"VENV={tmp_path}/venv"]
    ended = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode != 0
    assert "jaxgen needs Python 3.11 or newer" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


def test_the_demo_says_what_it_installs_and_trains_no_second_model(tmp_path):
    make = ["make", "--dry-run", "demo", f"PYTHON={sys.executable}", f"VENV={tmp_path}/venv"]
    said = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert re.search(r"installing \.\[train\] .* about \d+ minutes? and [\d.]+ GB", said)
    assert ".[test]" not in said
    assert "train configs/vae_digits.py --features x" in said


def test_the_installed_library_says_where_the_application_is():
    with pytest.raises(SystemExit, match=r"^jaxgen is a library\. [^\n]* PYTHONPATH\.$"):
        runpy.run_module("jaxgen", run_name="__main__")


def test_a_missing_package_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["train", "compare"])
    monkeypatch.delitem(sys.modules, "train.commands.compare", raising=False)
    monkeypatch.delitem(sys.modules, "train.__main__")
    monkeypatch.setitem(sys.modules, "tyro", None)
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("train", run_name="__main__")
    assert stop.value.code == 2
    assert (
        capsys.readouterr().err == f"error: the package tyro is not installed; expected: pip install -e {ROOT}[train]\n"
    )


def test_its_commands_are_all_covered():
    others = set(COMMANDS) - set(TRAINING) - set(READING)
    fetched = {command.rpartition(" ")[2] for command in others if command.startswith("python -m train data fetch ")}
    assert fetched <= set(read_downloads())
    assert all(command.startswith("make ") or command.split()[-1] in fetched for command in others)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (50, 28, 28), dtype=np.uint8)
    for name in ("mnist", "fashion_mnist"):
        np.savez(
            folder / f"{name}.npz", x_train=x, y_train=np.arange(50) % 10, x_test=x[:20], y_test=np.arange(20) % 10
        )
    return folder


@pytest.fixture
def call(tmp_path, data_dir, monkeypatch, capsys) -> Callable[..., str]:
    """Run a command in an empty directory, in this process, which has jax: what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAXGEN_DATA", str(data_dir))

    def run(command: str, *more: str) -> str:
        _, *arguments = shlex.split(command)
        assert arguments[:2] == ["-m", "train"]
        capsys.readouterr()
        main([*arguments[2:], *more])
        return capsys.readouterr().out

    return run


def test_its_commands_run_one_after_the_other(tmp_path, call, capsys):
    """In one test, because the readers need the runs of training commands; the others' options are bound."""
    read = {shlex.split(command)[4] for command in READING}
    for command in TRAINING:
        words = shlex.split(command)
        named = words[words.index("--run-dir") + 1] if "--run-dir" in words else f"runs/{pathlib.Path(words[3]).stem}"
        if command != TRAINING[0] and named not in read:
            configs.bind(configs.load(str(ROOT / words[3])), words[4:])
            continue
        run_dir = tmp_path / named
        said = call(command, *SMALL)
        assert (run_dir / "report.html").exists()
        assert said.strip().endswith(f"report {run_dir.relative_to(tmp_path) / 'report.html'}")
    evaluate, sample, interpolate = READING
    said = call(evaluate, "--num-samples=2", "--features=none")
    assert said.startswith("runs/vae_mnist: step 2 of 2\nnegative_elbo ")
    assert "samples.png" in call(sample)
    assert "interpolate_pairs.png" in call(interpolate)

    # A trained run in a program of one's own, in another directory than the checkout.
    capsys.readouterr()
    exec(compile(OF_A_RUN, "README.md", "exec"), {})
    assert capsys.readouterr().out == "digits 2 (16, 2) (16, 8, 8, 1) (16, 8, 8, 1)\n"
    assert len([line for line in OF_A_RUN.splitlines() if line.strip()]) == 9


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "configs").glob("vae_*.py")))
def test_the_numbers_of_the_families_are_those_of_the_results(name):
    result = json.loads((ROOT / "docs" / "results" / f"{name}.json").read_text())
    page = (ROOT / "docs" / "results" / "families.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith("|") and f"`configs/{name}.py`" in line]
    assert result["config"] == f"configs/{name}.py"
    for metric in ("negative_elbo", "importance_weighted_nll"):
        found = result["metrics"][metric]
        assert f"{found['value']:.2f}" in row
        assert f"[{found['low']:.2f}, {found['high']:.2f}]" in row


def test_help_is_quick_because_it_imports_nothing_slow():
    source = """
import runpy, sys
sys.argv = ["train", "--help"]
try:
    runpy.run_module("train", run_name="__main__")
except SystemExit:
    print("slow:", {"jax", "numpy", "rich", "tyro"} & set(sys.modules))
"""
    said = subprocess.run([sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "  vae_digits " in said
    assert said.strip().endswith("slow: set()")
