"""How processes that train together end: all at their end, when one is told to stop, and when one is lost."""

import pathlib
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from launch import HERE, free_address
from run_files import call, log_of

from train.engine.checkpoint import newest_step

STEPS = 400
TRAIN = [sys.executable, "-m", "train"]


@pytest.fixture(scope="session")
def options(tmp_path_factory):
    """A tiny VAE on tiny images."""
    random, path = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "tiny.npz"
    x, y = random.integers(0, 256, (70, 4, 4), dtype=np.uint8), np.arange(70) % 3
    np.savez(path, x_train=x[:57], y_train=y[:57], x_test=x[57:], y_test=y[57:])
    return ["vae_digits", f"--data=npz:{path}", "--hidden=8", "--latent-dim=2", "--batch-size=16", "--num-samples=2",
            "--features=none", "--evaluate-every=40", "--checkpoint-every=20", "--steps-per-call=20"]  # fmt: skip


def as_processes(options: list[str], run_dir: pathlib.Path, steps: int = STEPS) -> list[list[str]]:
    """The arguments of each of two processes."""
    together = [*options, f"--steps={steps}", f"--run-dir={run_dir}", f"--coordinator={free_address()}"]
    return [[*together, "--num-processes=2", f"--process-id={i}"] for i in range(2)]


def wait_for_step(run_dir: pathlib.Path, step: int, processes: list[subprocess.Popen]) -> None:
    deadline = time.monotonic() + 120
    while (newest_step(run_dir) or 0) < step:
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes)
        time.sleep(0.05)


def end(process: subprocess.Popen, code: int, seconds: float = 120) -> tuple[str, str]:
    said = process.communicate(timeout=seconds)
    assert process.returncode == code, said
    return said


def test_stopped_lost_and_resumed(start, options, tmp_path, capsys):
    run_dir, raising_dir = tmp_path / "run", tmp_path / "raising"

    both = start(TRAIN, *as_processes(options, run_dir))
    wait_for_step(run_dir, 20, both)
    both[1].send_signal(signal.SIGTERM)
    said, errors = end(both[0], 0)
    assert "stopped and saved at step" in said
    assert "Gloo" not in said
    assert errors == ""
    assert end(both[1], 0) == ("", "")
    stopped_at = max(line["step"] for line in log_of(run_dir))

    # One run whose process 1 is killed, and one whose process 1 raises an error, at the same time.
    both = start(TRAIN, *as_processes(options, run_dir))
    (arguments, raising_arguments) = as_processes(options, raising_dir)
    other, raising = *start(TRAIN, arguments), *start([sys.executable, str(HERE / "raising.py")], raising_arguments)
    wait_for_step(run_dir, stopped_at + 20, both)
    both[1].kill()
    assert end(both[0], 1, 60)[1].splitlines()[-1].startswith("failed: process 1 was lost")
    end(both[1], -signal.SIGKILL)
    assert "ZeroDivisionError: of the test" in end(raising, 1)[1]
    assert end(other, 1, 60)[1].splitlines()[-1].startswith("failed: process 1 was lost")

    capsys.readouterr()
    assert call(*options, f"--steps={STEPS}", f"--run-dir={run_dir}", "--devices=1") == 0
    said, warned = capsys.readouterr()
    assert "resumed at step" in said
    assert "may not end with the same bits" in warned
    assert "processes was 2 and is now 1" in warned
    assert log_of(run_dir)[-1]["step"] == STEPS
    assert (run_dir / "report.html").exists()


def test_one_of_another_run_is_refused_by_all(start, options, tmp_path):
    first, second = as_processes(options, tmp_path / "run")
    for process in start(TRAIN, first, [*second, "--latent-dim=3"]):
        assert "process 1: expected the same config and options as process 0 has" in end(process, 2)[1]
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(shutil.which("mpirun") is None, reason="mpirun is not installed (Debian's openmpi-bin)")
def test_open_mpi_says_which_processes_there_are(start, options, tmp_path):
    mpirun = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", "2"]
    (process,) = start([*mpirun, *TRAIN], [*options, "--steps=40", f"--run-dir={tmp_path / 'run'}", "--distributed"])
    said, _ = end(process, 0)
    assert said.count("report ") == 1
    assert [line["step"] for line in log_of(tmp_path / "run")] == [20, 40, 40]
