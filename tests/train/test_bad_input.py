"""Every kind of bad input: one line that names it and what was expected, exit code 2, nothing written."""

import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from train.__main__ import main
from train.engine.run_directory import RunDirectory, make_record
from train.errors import InputError

CONFIG = "configs/vae_digits.py"
GAN = "configs/dcgan_mnist.py"


def images(num: int = 20, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    x = np.full((num, 4, 4), 7, np.uint8)
    return {"x_train": x, "x_test": x[:5], **arrays}


def with_nan() -> np.ndarray:
    x = np.zeros((20, 4, 4), np.float32)
    x[3, 1, 2] = np.nan
    return x


FILES = {
    "no_arrays": {"y": np.zeros(3)},
    "pickles": images(x_train=np.array([{}] * 20, dtype=object)),
    "integers": images(x_train=np.zeros((20, 4, 4), np.int64)),
    "shape": images(x_test=np.zeros((5, 4, 5), np.uint8)),
    "rank": images(x_train=np.zeros((20, 4), np.uint8)),
    "bits": images(x_train=np.eye(20, 16, dtype=np.uint8).reshape(20, 4, 4)),
    "one": images(x_test=np.full((1, 4, 4), 7, np.uint8)),
    "nan": images(x_train=with_nan(), x_test=np.zeros((5, 4, 4), np.float32)),
    "labels": images(y_train=np.zeros(20, int), y_test=np.array([0, 0, 0, 0, 3])),
    "negative_labels": images(y_train=np.full(20, -1), y_test=np.zeros(5, int)),
    "points": {"x_train": np.full((400, 2), 3.5), "x_test": np.full((5, 2), -3.5)},
}

# name -> (arguments, what the line must say)
CASES = {
    "no config": (["configs/nothing.py"], ["no such config: configs/nothing.py", "configs/vae_digits.py"]),
    "option first": (["--steps", "3"], ["--steps", "expected a config or a command first"]),
    "a directory": (["configs"], ["no such config"]),
    "not a config": (["train/errors.py"], ["train/errors.py is no config", "experiment"]),
    "broken config": (["{dir}/broken.py"], ["broken.py is no config", "SyntaxError"]),
    "config that exits": (["{dir}/exits.py"], ["exits.py is no config", "SystemExit: 3"]),
    "no annotation": (["{dir}/bare.py"], ["bare.py is no config", "annotations of size"]),
    "unknown annotation": (["{dir}/unknown.py"], ["unknown.py is no config", "'Sise' is not defined"]),
    "no experiment": (["{dir}/none.py"], ["none.py is no config", "gave None, expected an Experiment"]),
    "no steps": (["configs/iwae_mnist.py", "--schedule-scale", "1e-9"], ["iwae_mnist.py: steps is 0", "at least 1"]),
    "config nearly right": (["configs/vae_digit.py"], ["expected a Python file such as configs/vae_digits.py"]),
    "a run's option in a config": (["{dir}/taken.py"], ["taken.py is no config", "other names for num_samples"]),
    "precision not taken": (
        ["configs/realnvp_ring.py", "--precision", "bfloat16"],
        ["realnvp_ring.py", "--precision bfloat16", "expected a config that passes dtype=spec.dtype"],
    ),
    "microbatches that do not divide": (
        [CONFIG, "--batch-size=16", "--accumulate=3", "--devices=1"],
        ["--accumulate 3: expected a divisor of the 16 examples"],
    ),
    "microbatches of a set": (
        ["configs/wae_mmd_digits.py", "--accumulate=2", "--devices=1"],
        ["wae_mmd_digits.py cannot be trained so", "this loss looks beyond a microbatch"],
    ),
    "misspelt option": ([CONFIG, "--latent-dm", "3"], ["--latent-dm", "perhaps you meant --latent-dim"]),
    "abbreviated option": ([CONFIG, "--lr", "3"], ["--lr: no such option; perhaps you meant --learning-rate"]),
    "wrong type": ([CONFIG, "--steps", "many"], ["--steps many: expected a whole number"]),
    "no value": ([CONFIG, "--steps"], ["--steps: expected a whole number"]),
    "stray word": ([CONFIG, "fast"], ["fast: expected an option"]),
    "commas": ([CONFIG, "--hidden", "256,256"], ["--hidden 256,256: expected values with blanks between them"]),
    "no run dir": ([CONFIG, "--run-dir", ""], ['--run-dir "": expected']),
    "a name with a quote": (["it's"], ["no such config: it's; expected a Python file such as"]),
    "a long name": (["x" * 100_000], [f"no such config: {'x' * 100}...; expected a Python file such as"]),
    "a long path": ([f"{'x' * 100_000}.py"], [f"no such config: {'x' * 100}...; expected a Python file such as"]),
    "a folder of data": ([CONFIG, "--data", "{dir}"], ["is a folder", "npz:FILE", "--data-dir {dir}"]),
    "a folder as a file": ([CONFIG, "--data", "npz:{dir}"], ["{dir}: Is a directory"]),
    "vectors": (["configs/vae_fashion.py", "--data", "ring"], ["a convolutional decoder needs images", "(2,)"]),
    "zero steps a call": ([CONFIG, "--steps-per-call", "0"], ["--steps-per-call 0", "from 1 to"]),
    "zero size": ([CONFIG, "--latent-dim", "0"], ["--latent-dim 0", "from 1 to"]),
    "negative size": ([CONFIG, "--hidden", "8", "-3"], ["--hidden (8, -3)", "from 1 to"]),
    "size beyond int32": ([CONFIG, "--latent-dim", str(10**30)], [f"--latent-dim {10**30}", "to 2147483647"]),
    "seeds beyond memory": ([CONFIG, "--seeds", "1000000000"], ["--seeds 1000000000", "from 1 to 1024"]),
    "negative seed": ([CONFIG, "--seed", "-1"], ["--seed -1", "from 0 to 2147483647"]),
    "zero rate": ([CONFIG, "--learning-rate", "0"], ["--learning-rate 0", "above 0"]),
    "nan rate": ([CONFIG, "--learning-rate", "nan"], ["--learning-rate nan", "above 0"]),
    "zero devices": ([CONFIG, "--devices", "0"], ["--devices 0", "from 1 to"]),
    "too many devices": ([CONFIG, "--devices", "99"], ["--devices 99", "at most 8"]),
    "does not divide": ([CONFIG, "--devices", "8", "--batch-size", "12"], ["--batch-size 12", "multiple of the 8"]),
    "large batch": ([CONFIG, "--devices", "1", "--batch-size", "5000"], ["--batch-size 5000", "1294"]),
    "a step that cannot be": (
        ["configs/wae_mmd_digits.py", "--batch-size", "1", "--hidden", "4", "--devices", "1"],
        ["cannot be trained so", "each set must have at least 2 points"],
    ),
    "packs": ([GAN, "--packing", "3", "--batch-size", "16", "--devices", "2"], ["packing 3", "(of each device)", "8"]),
    "no channels": ([GAN, "--channels"], ["channels must name at least one layer"]),
    "penalty of a batch": ([GAN, "--gradient-penalty", "1"], ["of one example alone", "spectral or none"]),
    "smoothing": ([GAN, "--game", "hinge", "--label-smoothing", "0.1"], ["minimax and non-saturating", "'hinge'"]),
    "no such game": ([GAN, "--game", "chess"], ["--game", "chess"]),
    "interval": ([CONFIG, "--steps-per-call", "50", "--evaluate-every", "30"], ["call 50: expected", "every 30"]),
    "unknown scheme": ([CONFIG, "--data", "http:x"], ["http:", "npz:", "tfds:"]),
    "unknown name": ([CONFIG, "--data", "mnist"], ["mnist", "--data-dir", "JAXGEN_DATA"]),
    "no such data dir": ([CONFIG, "--data", "mnist", "--data-dir", "{dir}/no"], ["--data-dir", "{dir}/no"]),
    "not in data dir": ([CONFIG, "--data", "mnist", "--data-dir", "{dir}"], ["mnist.npz", "{dir}"]),
    "not prepared": ([CONFIG, "--data", "tfds:mnist", "--data-dir", "{dir}"], ["tfds", "mnist", "{dir}"]),
    "absent file": ([CONFIG, "--data", "npz:{dir}/absent.npz"], ["absent.npz"]),
    "no npz": ([CONFIG, "--data", "npz:{dir}/broken.py"], ["broken.py", ".npz"]),
    **{
        name: ([CONFIG, "--data", f"npz:{{dir}}/{name}.npz"], [f"{name}.npz", *said])
        for name, said in {
            "no_arrays": ["x_train"],
            "pickles": ["bject arrays", "plain arrays"],
            "integers": ["x_train", "int64", "uint8"],
            "shape": ["x_test", "(4, 5"],
            "rank": ["x_train", "[N, H, W]"],
            "bits": ["x_train holds 0 and 1 as uint8", "0 ... 255"],
            "one": ["x_test has 1 example", "at least 2"],
            "nan": ["x_train"],
            "labels": ["y_test", "3"],
            "negative_labels": ["y_train", "-1"],
            "points": ["cannot take", "[0, 1]"],
        }.items()
    },
    "unwritable": ([CONFIG, "--run-dir", "{dir}/broken.py/run"], ["--run-dir", "broken.py/run", "written"]),
    "foreign": ([CONFIG, "--run-dir", "{dir}"], ["--run-dir {dir}", "other files"]),
    "cache": ([CONFIG, "--compilation-cache", "{dir}/broken.py/cache"], ["--compilation-cache", "written"]),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.delenv("JAXGEN_DATA", raising=False)
    for name, arrays in FILES.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
    (tmp_path / "broken.py").write_text("def experiment(:\n")
    (tmp_path / "taken.py").write_text("def experiment(*, num_samples=1): ...\n")
    (tmp_path / "exits.py").write_text("raise SystemExit(3)\n")
    (tmp_path / "bare.py").write_text("def experiment(*, size=1): ...\n")
    (tmp_path / "unknown.py").write_text("def experiment(*, size: 'Sise' = 1): ...\n")
    (tmp_path / "none.py").write_text("def experiment(*, size: int = 1): ...\n")
    return tmp_path


def refused(call, arguments: list[str], capsys: pytest.CaptureFixture) -> str:
    with pytest.raises(SystemExit) as stop:
        call(arguments)
    said = capsys.readouterr().err
    assert stop.value.code == 2
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(("arguments", "expected"), CASES.values(), ids=CASES)
def test_bad_input_is_one_line_and_writes_nothing(arguments, expected, folder, capsys):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    given = [argument.replace("{dir}", str(folder)) for argument in arguments]
    if given[0] == GAN:
        given += ["--data", "digits"]
    if "--run-dir" not in given and given[0].endswith(".py"):
        given += ["--run-dir", str(folder / "run")]

    said = refused(main, given, capsys)

    for part in expected:
        assert part.replace("{dir}", str(folder)) in said
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_an_accelerator_that_is_not_there(folder):
    """In a process of its own: this one has begun to use its CPU."""
    program = """
import sys

from train.__main__ import main

_, config, run_dir, *platforms = sys.argv
for platform in platforms:
    try:
        main([config, "--platform", platform, "--run-dir", run_dir])
    except SystemExit as stop:
        print(platform, stop.code)
"""
    platforms = ["tpu", "gpu", "abacus"]
    command = [sys.executable, "-c", program, CONFIG, str(folder / "run"), *platforms]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)

    assert ended.stdout.splitlines() == [f"{platform} 2" for platform in platforms]
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    for platform, line in zip(platforms, errors, strict=True):
        assert line.startswith(f"error: --platform {platform}: no such accelerator")
    assert not (folder / "run").exists()


def test_another_identity_is_refused_and_the_differing_values_are_named(train, finished, tmp_path, capsys):
    shutil.copytree(finished(10), tmp_path / "run")
    config = (tmp_path / "run" / "config.json").read_text()
    capsys.readouterr()

    assert train(tmp_path / "run", "--steps", "5", "--latent-dim", "4") == 2

    said = capsys.readouterr().err
    assert "latent_dim is 3 there and 4 here" in said
    assert "steps is 10 there and 5 here" in said
    assert (tmp_path / "run" / "config.json").read_text() == config


def test_a_second_process_is_refused(train, tmp_path, capsys):
    from train.engine.run_directory import RunDirectory

    with RunDirectory(tmp_path / "run"):
        assert train(tmp_path / "run", "--steps", "10") == 2

    assert "another process" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "sample"])
def test_the_readers_of_a_run_refuse_what_is_none(command, folder, capsys):
    assert "is no run" in refused(main, [command, str(folder)], capsys)
    assert "is no run" in refused(main, [command, str(folder / "absent")], capsys)
    assert "perhaps you meant --data-dir" in refused(main, [command, str(folder), "--data-dirs", "3"], capsys)


def test_the_readers_of_a_run_name_what_is_wrong_with_it(train_only, finished, tmp_path, capsys):
    run, other = tmp_path / "run", tmp_path / "other"
    shutil.copytree(finished(10), run)
    assert train_only(other, "--steps", "10", "--latent-dim", "4") == 0
    capsys.readouterr()
    assert "--num-samples 0: expected" in refused(main, ["evaluate", str(run), "--num-samples", "0"], capsys)
    assert "--num -1: expected" in refused(main, ["sample", str(run), "--num", "-1"], capsys)
    assert "--num 1: expected" in refused(main, ["sample", str(run), "--num", "1", "--y", "0", "1"], capsys)
    alphas = ["interpolate", str(run), "--alphas", "0", "nan", "5"]
    assert "--alphas 0 nan: expected finite" in refused(main, alphas, capsys)
    walk = ["interpolate", str(run), "--source", "0", "--target", "1", "--classifier", str(tmp_path / "no")]
    assert "error: --classifier: " in refused(main, walk, capsys)
    (run / "evaluation.json").write_text("{")
    assert "evaluation.json cannot be read" in refused(main, ["rate_distortion", str(run)], capsys)

    shutil.rmtree(run / "checkpoints")
    assert "holds no checkpoint" in refused(main, ["evaluate", str(run)], capsys)
    shutil.copytree(other / "checkpoints", run / "checkpoints")
    said = refused(main, ["evaluate", str(run)], capsys)
    assert "is of another model" in said
    assert "latent_dim" not in said
    assert "[8, 4] there" in said or "[4] there" in said or "[4, 8] there" in said


def recorded(**values: object) -> dict:
    return make_record("configs/x.py", values, "") | {"steps_per_call": 1}


def test_steps_left_to_the_config_are_continued_by_no_number(tmp_path):
    with RunDirectory(tmp_path / "run") as directory:
        directory.claim(recorded(steps=None), {})
        directory.claim(recorded(steps=None), {})
        with pytest.raises(InputError, match="steps is None there and 5 here"):
            directory.claim(recorded(steps=5), {})


def test_a_field_that_an_older_run_lacks_has_its_default(tmp_path):
    with RunDirectory(tmp_path / "run") as directory:
        directory.claim(recorded(steps=3), {})
        directory.claim(recorded(steps=3, valid_rows=(1, 5)), {"valid_rows": (1, 5)})
        with pytest.raises(InputError, match=r"valid_rows is \[1, 5\] there and \[2, 5\] here"):
            directory.claim(recorded(steps=3, valid_rows=(2, 5)), {"valid_rows": (1, 5)})
