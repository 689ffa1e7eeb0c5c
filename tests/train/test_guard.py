"""The parent of one of several processes: what it passes on, what it says last, and its exit code."""

import signal
import subprocess
import sys

import pytest

from train import guard

UNHEALTHY = """E1128 11:17:34.731421   11074 coordination_service.cc:1549] Use error polling: The following tasks \
are unhealthy (stopped sending heartbeats):
1
3
The tasks have crashed.
F1128 11:17:34.732063   11085 client.h:80] Terminating process because the JAX distributed service detected errors
"""
NO_COORDINATOR = "E1128 11:17:37.4 9 coordination_service_agent.cc:289] Failed to send RPC to coordination service. E\n"


def guarded(body: str) -> subprocess.CompletedProcess:
    setup = "import os, sys, time\nfrom train import guard\nguard._VERDICT = 0"
    program = f"{setup}\ndef body():\n    {body}\nsys.exit(guard.run(body))"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit(2)", 2, ""),
        ("sys.stderr.write('a line\\n'); sys.exit(1)", 1, "a line\n"),
        ("os.kill(os.getpid(), 9)", 137, "failed: this process was ended by SIGKILL\n"),
        ("time.sleep(.5); os.kill(os.getppid(), 15); time.sleep(9)", 143,
         "failed: this process was ended by SIGTERM\n"),
        (f"sys.stderr.write('said\\n' + {UNHEALTHY!r}); sys.stderr.flush(); os.abort()", 1,
         "said\nfailed: processes 1, 3 were lost; the same command goes on from the last checkpoint\n"),
        (f"sys.stderr.write({NO_COORDINATOR!r}); sys.exit(1)", 1,
         "failed: process 0 was lost; the same command goes on from the last checkpoint\n"),
    ],
)  # fmt: skip
def test_it_passes_on_and_has_the_last_word(body, code, said):
    ended = guarded(body)
    assert (ended.returncode, ended.stderr) == (code, said)


def test_an_error_is_printed_whole():
    ended = guarded("1 / 0")
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")
    assert ended.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_a_child_does_not_outlive_it():
    body = "print(os.getpid(), flush=True); time.sleep(60)"
    program = f"import os, sys, time\nfrom train import guard\nsys.exit(guard.run(lambda: exec({body!r})))"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) != process.pid
        process.send_signal(signal.SIGKILL)
        assert process.stdout.read() == ""  # which ends once the child has closed it too
    assert process.returncode == -signal.SIGKILL


def test_it_is_asked_for_by_the_options_that_join():
    assert guard.is_asked_for(["--seed=1", "--distributed"])
    assert guard.is_asked_for(["--num_processes=2"])
    assert not guard.is_asked_for(["--distribution", "--steps=3"])
