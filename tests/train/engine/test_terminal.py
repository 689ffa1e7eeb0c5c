"""Signals, pipes and disks that fail, in one process."""

import contextlib
import errno
import os
import pathlib
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.recipe import State
from train.engine import files, run_directory, terminal
from train.engine.checkpoint import Checkpoints, read_model, stored
from train.engine.loop import loop
from train.engine.record import events
from train.engine.selection import Selection
from train.errors import InputError, LenientStream, RunFailedError

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    """No signal is ignored, as under nohup it would be, in these tests and in the processes that they start."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_are_requests_to_stop(number, monkeypatch):
    """One that comes twice within a second is one request; another ends the process as it usually does."""
    ended, seconds = [], [100.0]
    usual = signal.signal(number, lambda *_: ended.append(number))
    handler = signal.getsignal(number)
    monkeypatch.setattr(terminal.time, "monotonic", lambda: seconds[0])
    try:
        with terminal.stop_requests() as stop:
            assert not stop()
            for later, expected in ((0.0, []), (0.9, []), (0.2, [number])):
                seconds[0] += later
                os.kill(os.getpid(), number)
                assert stop()
                assert ended == expected
        assert signal.getsignal(number) == handler
    finally:
        signal.signal(number, usual)


def test_a_hangup_that_is_ignored_stays_so():
    usual = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminal.stop_requests() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop()
    finally:
        signal.signal(signal.SIGHUP, usual)


def test_a_request_during_the_last_call_is_not_swallowed(train, tmp_path, monkeypatch, capsys):
    """The run is saved at its end, and evaluated by the next start."""

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return loop(*arguments)

    # The loop hears of requests between calls, and here there is a single one.
    monkeypatch.setattr("train.run.loop", interrupted)
    assert train(tmp_path / "run", "--steps", "10") == 0
    assert "stopped and saved at step" in capsys.readouterr().out
    assert not (tmp_path / "run" / "evaluation.json").exists()


def test_a_start_that_is_killed_before_its_first_call_leaves_a_trace(train, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("train.run.loop", killed)
        assert train(tmp_path / "run", "--steps", "10") == 130
    (session,) = run_directory.read_sessions(tmp_path / "run")
    assert session["started"]
    assert "seconds" not in session
    assert train(tmp_path / "run", "--steps", "10") == 0
    assert ["seconds" in each for each in run_directory.read_sessions(tmp_path / "run")] == [False, True]
    assert "session 2 of 2" in (tmp_path / "run" / "report.html").read_text()


def test_a_closed_pipe_ends_no_run(tmp_path):
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from train.errors import LenientStream
sys.stdout = LenientStream(sys.stdout)
for number in range(20000):
    print("a line that nobody reads", number)
open({str(tmp_path / "end")!r}, "w").write("reached")
"""
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    os.close(reader)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"")
    assert (tmp_path / "end").read_text() == "reached"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_disk_behind_the_output_ends_no_run():
    with open("/dev/full", "w") as full:
        stream = LenientStream(full)
        print("lost", file=stream, flush=True)
        print("lost", file=stream, flush=True)
        assert stream.name == "/dev/full"


def test_a_pipe_that_is_full_for_now_loses_what_does_not_fit_and_no_more():
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with open(reader) as behind, open(writer, "w") as pipe:
        stream = LenientStream(pipe)
        for _ in range(100):
            print("x" * 10_000, file=stream, flush=True)
        os.read(reader, 1_000_000)
        print("later", file=stream, flush=True)
        pipe.close()
        assert behind.read().endswith("later\n")


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    """As on a full disk: no byte may be written."""
    with no_file_beyond(0), pytest.raises(RunFailedError, match=r"a\.json could not be written: File too large"):
        files.write_json(tmp_path / "a.json", {})


def test_a_disk_that_fills_in_the_midst_of_a_checkpoint_is_one_error_and_no_more(tmp_path, capfd):
    """Its other writers call back later, to an event loop that is closed by then."""
    values = np.random.default_rng(0).normal(size=(40, 1000)).astype(np.float32)  # which cannot be compressed
    state = State({str(number): jnp.asarray(row) for number, row in enumerate(values)}, jnp.zeros((), jnp.int32))
    assert stored.not_finite(state) is None  # what it compiles is kept in files
    for room in (13 * 1024, resource.RLIM_INFINITY):
        with Checkpoints(tmp_path) as checkpoints, no_file_beyond(room):
            if room == resource.RLIM_INFINITY:
                checkpoints.save(10, state, jax.random.key(0), Selection(None, None, 1))
                chex.assert_trees_all_equal(read_model(tmp_path / "checkpoints", state.model).model, state.model)
            else:
                with pytest.raises(RunFailedError, match="checkpoint 10 could not be written"):
                    checkpoints.save(10, state, jax.random.key(0), Selection(None, None, 1))
                time.sleep(0.2)
    assert capfd.readouterr() == ("", "")


def test_events_that_cannot_be_written_are_named_and_nothing_waits_for_them(tmp_path, capfd):
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    written = events.Events(tmp_path / "tensorboard", 11)

    def fill() -> None:
        for step in range(20, 2000):
            written.add(step, {"loss": 0.5 * step})
            written.flush()

    with no_file_beyond(1000), pytest.raises(RunFailedError, match="tensorboard could not be written: File too large"):
        fill()
    written.close()
    assert capfd.readouterr() == ("", "")

    (file,) = (tmp_path / "tensorboard").iterdir()
    content, read = file.read_bytes(), []
    while len(content) > 12 and len(content) >= 16 + (size := int.from_bytes(content[:8], "little")):
        read.append(event_pb2.Event.FromString(content[12 : 12 + size]))
        content = content[16 + size :]
    assert (read[1].step, read[1].session_log.status) == (11, event_pb2.SessionLog.START)
    found = [(event.step, value.tag, value.simple_value) for event in read[2:] for value in event.summary.value]
    assert found == [(step, "loss", 0.5 * step) for step in range(20, 20 + len(found))]
    assert len(found) >= 10


@contextlib.contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    usual, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, usual)


@pytest.mark.parametrize("name", ["lock", "config.json.tmp", "metrics.jsonl"])
def test_a_link_in_a_run_directory_overwrites_nothing(train, tmp_path, capsys, name):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "precious")
    if name == "metrics.jsonl":  # a name that a run's directory has only once it has a config
        with pytest.raises(OSError, match="symbolic links"):
            open(tmp_path / "run" / name, "a", opener=files.refuse_links).close()
    else:
        assert train(tmp_path / "run", "--steps", "10") != 0
        assert capsys.readouterr().err.count("\n") == 1
    assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.parametrize(
    ("number", "message"),
    [(errno.EWOULDBLOCK, "another process runs it"), (errno.ENOLCK, "files can be locked: No locks available")],
)
def test_a_lock_that_cannot_be_had_says_why(tmp_path, monkeypatch, number, message):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(run_directory.fcntl, "flock", refuse)
    with pytest.raises(InputError, match=message):
        run_directory.RunDirectory(tmp_path / "run")


def test_an_interrupt_while_importing_is_one_line(tmp_path):
    """In a module that is imported first, as many libraries are: they make of an interrupt an error of their own."""
    program = [
        "import os, signal",
        "try: os.kill(os.getpid(), signal.SIGINT)",
        "except BaseException: raise ImportError",
    ]
    (tmp_path / "jax.py").write_text("\n".join(program))
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    ended = subprocess.run(
        [sys.executable, "-m", "train", "vae_digits"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 130
    assert ended.stderr == "interrupted; the same command starts again from what is on disk\n"
    assert ended.stdout == ""
