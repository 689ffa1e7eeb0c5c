"""A tiny real-looking data set, and the application called as a person calls it."""

import functools
import pathlib
import socket
from collections.abc import Callable, Iterator

import numpy as np
import original_files
import pytest
from PIL import Image

from train import run as running
from train.__main__ import main
from train.data.published.originals import ORIGINALS
from train.evaluation import costs

CONFIG = "configs/vae_digits.py"
TINY = ("--devices", "1", "--batch-size", "16", "--hidden", "8", "--latent-dim", "3", "--num-samples", "4",
        "--evaluate-every", "10", "--checkpoint-every", "10", "--steps-per-call", "5",
        "--features", "none")  # fmt: skip


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    asked: list[tuple] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: asked.append(address))
    yield
    assert asked == []


@pytest.fixture
def sources(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A directory of small original files for each data set, which count as the published ones."""
    for name in original_files.NAMES:
        (tmp_path / name).mkdir()
        monkeypatch.setitem(ORIGINALS, name, original_files.write(tmp_path / name, name))
    return tmp_path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (70, 4, 4), dtype=np.uint8)
    y = random.integers(0, 3, 70)
    y[:3] = (0, 1, 2)
    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(path, x_train=x[:57], y_train=y[:57], x_test=x[57:], y_test=y[57:])
    return f"npz:{path}"


@pytest.fixture(scope="session")
def rae(tmp_path_factory: pytest.TempPathFactory, tiny: str) -> pathlib.Path:
    """The run of a model that encodes and decodes, and has no prior."""
    path = tmp_path_factory.mktemp("runs") / "rae"
    main(
        ["configs/rae_mnist.py", "--data", tiny, "--run-dir", str(path), "--batch-size=16", "--channels=4",
         "--hidden=8", "--latent-dim=2", "--features=none", "--steps=20", "--evaluate-every=10",
         "--checkpoint-every=10", "--devices=1"]
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory, tiny: str) -> pathlib.Path:
    """The run of a VAE with two latents, to be copied."""
    path = tmp_path_factory.mktemp("runs") / "run"
    main(
        ["configs/vae_digits.py", "--data", tiny, "--run-dir", str(path), "--devices", "1", "--batch-size", "16",
         "--features", "none", "--hidden", "8", "--latent-dim", "2", "--steps", "10", "--num-samples", "4"]
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def pixelcnn(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The run of an unconditional autoregressive model of binary images with labels."""
    path = tmp_path_factory.mktemp("runs") / "pixelcnn"
    main(
        ["configs/pixelcnn_digits.py", "--run-dir", str(path), "--channels=4", "--blocks=1", "--head=8",
         "--features=none", "--steps=100", "--evaluate-every=100", "--checkpoint-every=100", "--devices=1"]
    )  # fmt: skip
    return path


@pytest.fixture(scope="session")
def train(tiny: str) -> Callable[..., int]:
    """Call the command line on the tiny data: its exit code."""

    def call(run_dir: pathlib.Path, *options: str) -> int:
        given = dict(zip(TINY[::2], TINY[1::2], strict=True)) | dict(zip(options[::2], options[1::2], strict=True))
        arguments = [part for pair in ({"--data": tiny} | given).items() for part in pair]
        try:
            main([CONFIG, "--run-dir", str(run_dir), *arguments])
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return call


@pytest.fixture
def train_only(train: Callable[..., int], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """As `train`, without evaluation and report, which are two fifths of a small run."""

    def steps_alone(*given: object) -> bool:
        running.train(*given)
        return False  # as where it was stopped

    def call(run_dir: pathlib.Path, *options: str) -> int:
        with monkeypatch.context() as patch:
            patch.setattr("train.commands.train.train", steps_alone)
            return train(run_dir, *options)

    return call


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, train: Callable[..., int]) -> Callable[[int], pathlib.Path]:
    """The run of so many steps on the tiny data, trained once: to be read, or copied."""

    @functools.cache
    def run(steps: int) -> pathlib.Path:
        path = tmp_path_factory.mktemp("finished") / "run"
        assert train(path, "--steps", str(steps)) == 0
        return path

    return run


@pytest.fixture(scope="session", autouse=True)
def few_samples() -> Iterator[None]:
    """The speed of as many samples as are in the report, so that one program draws both; none while training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(costs, "_SAMPLES", 64)
        patch.setattr(running, "compile_samples", lambda job: None)
        yield


@pytest.fixture(autouse=True)
def unrendered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blank picture for each figure, but where tests look at figures: rendering is a quarter of a small run.

    Nor is the explorer drawn, but in the tests of the report.
    """
    folder = request.path.parent.name
    if folder not in ("report", "commands", "studies"):
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, file, **options: blank(file))
    if folder != "report":
        monkeypatch.setattr("train.report.explorer.widget.draw", lambda run: [])


def blank(file: pathlib.Path) -> None:
    """Write a picture of one pixel."""
    Image.new("RGB", (1, 1)).save(file, format="png")
