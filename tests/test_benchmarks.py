"""Every benchmark starts as it is documented. What it measures is no test."""

import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from benchmarks import record

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPTS = sorted(
    [path.stem for path in (ROOT / "benchmarks").glob("*.py") if "__main__" in path.read_text()]
    + [path.parent.name for path in (ROOT / "benchmarks").glob("*/__main__.py")]
)
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "benchmarks").rglob("*.py"),
]
# PyTorch is no dependency of the tests: where it is missing, a module whose every name is a class stands for it.
STAND_IN = """
class Anything(type):
    def __getattr__(cls, name):
        return cls

class Module(metaclass=Anything):
    pass

def __getattr__(name):
    return Module
"""


def test_a_record_has_what_was_measured_where_and_by_which_code(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record, "FOLDER", tmp_path / "benchmarks")
    monkeypatch.setattr(sys, "argv", ["mmd.py", "--images", "16"])
    record.write("mmd", {"blocks": 0.5})
    path = tmp_path / "benchmarks" / "mmd.json"
    assert capsys.readouterr().out == f"{path}\n"
    found = json.loads(path.read_text())
    assert found["measured"] == {"blocks": 0.5}
    assert found["provenance"]["command"] == "python -m benchmarks.mmd --images 16"
    assert {"commit", "changes", "started", "machinery"} <= found["provenance"].keys()
    assert {"cpu", "jax", "python"} <= found["provenance"]["machinery"].keys()


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name != "chaos"])  # which has --out
def test_every_benchmark_leaves_a_record(name):
    assert f'record.write("{name}", ' in (ROOT / "benchmarks" / f"{name}.py").read_text()


def test_the_scripts_are_those_that_are_documented():
    text = "\n".join(page.read_text() for page in PAGES)
    assert set(re.findall(r"python -m benchmarks\.(\w+)", text)) - {"NAME"} == set(SCRIPTS)
    assert "python benchmarks/" not in text  # which does not find `train`


# What `python -m benchmarks.NAME --help` does, once for each name: most of a process would be spent on importing jax.
EACH = """
import runpy
import sys

names = sys.argv[1:]
for name in names:
    sys.argv = [name, "--help"]
    try:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        print("ended", name, stop.code)
"""


def test_each_script_starts_as_documented(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if importlib.util.find_spec("torch") is None:
        (tmp_path / "torch.py").write_text(STAND_IN)
        environment["PYTHONPATH"] = str(tmp_path)
    command = [sys.executable, "-c", EACH, *SCRIPTS]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    said = re.split(r"^ended (\w+) 0\n", ended.stdout, flags=re.MULTILINE)
    for name, usage in zip(SCRIPTS, said[::2], strict=False):
        assert usage.startswith((f"usage: python -m benchmarks.{name}", f"usage: {name}.py"))
    assert said[1::2] == SCRIPTS
