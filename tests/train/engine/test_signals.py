"""A process that is told to stop, or killed, and the same command again."""

import pathlib
import signal
import subprocess
import sys
import time

from run_files import bits_of, log_of

from train.__main__ import main

OPTIONS = (
    "--devices=1", "--steps=2000", "--batch-size=16", "--hidden=8", "--latent-dim=3", "--num-samples=2",
    "--evaluate-every=100", "--checkpoint-every=100", "--steps-per-call=20", "--features=none",
)  # fmt: skip


def arguments(run_dir: pathlib.Path, tiny: str) -> list[str]:
    return ["configs/vae_digits.py", "--data", tiny, "--run-dir", str(run_dir), *OPTIONS]


def start(run_dir: pathlib.Path, tiny: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "train", *arguments(run_dir, tiny)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end_of(process: subprocess.Popen, expected: int = 0) -> str:
    said, _ = process.communicate(timeout=240)
    assert process.returncode == expected, said
    return said


def wait_for_step(run_dir: pathlib.Path, step: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if (run_dir / "metrics.jsonl").exists() and len(log_of(run_dir)) > step // 20:
            return
        time.sleep(0.02)
    raise AssertionError(f"step {step} was not reached")


def test_sigterm_saves_and_sigkill_loses_nothing_that_matters(tiny, tmp_path, capsys):
    """What is not stopped runs in this process, where it gives the same bits."""
    main(arguments(tmp_path / "whole", tiny))

    process = start(tmp_path / "stopped", tiny)
    wait_for_step(tmp_path / "stopped", 200)
    process.send_signal(signal.SIGTERM)
    assert "stopped and saved at step" in end_of(process)

    process = start(tmp_path / "stopped", tiny)
    wait_for_step(tmp_path / "stopped", 800)
    process.kill()
    end_of(process, -signal.SIGKILL)

    capsys.readouterr()
    main(arguments(tmp_path / "stopped", tiny))
    assert "resumed at step" in capsys.readouterr().out
    assert bits_of(tmp_path / "whole", 2000) == bits_of(tmp_path / "stopped", 2000)
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "stopped")
