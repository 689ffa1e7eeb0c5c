"""Processes of two virtual devices each, which train together on this machine."""

import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
SHARED = [str(TESTS / "recipes"), str(TESTS / "train")]
sys.path[:0] = SHARED


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., list[subprocess.Popen]]]:
    """(command, one list of further arguments for each process) -> the processes, which do not outlive the tests."""
    started: list[subprocess.Popen] = []
    flags = re.sub(r"device_count=\d+", "device_count=2", os.environ["XLA_FLAGS"])
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": os.pathsep.join([*SHARED, os.getcwd()])}

    def call(command: list[str], *arguments: list[str]) -> list[subprocess.Popen]:
        pipe = subprocess.PIPE
        processes = [
            subprocess.Popen([*command, *more], stdout=pipe, stderr=pipe, text=True, env=environment)
            for more in arguments
        ]
        started.extend(processes)
        return processes

    yield call
    for process in started:
        process.kill()
        process.communicate()
