"""Splits, labels and layouts that would train on something else than a person thinks."""

import numpy as np
import pytest

from train import runs
from train.__main__ import main
from train.data import absent_classes, check_layout, check_split, from_arrays
from train.errors import InputError

SMALL = ("--hidden=4", "--latent-dim=2", "--steps=2", "--steps-per-call=1", "--evaluate-every=2", "--batch-size=8",
         "--checkpoint-every=2", "--num-samples=2", "--features=none", "--devices=1")  # fmt: skip


def save(path, x, **labels) -> str:
    np.savez(path / "data.npz", x_train=x, x_test=x[::3], **labels)
    return f"npz:{path / 'data.npz'}"


def test_validation_that_takes_a_class_out_of_training_is_refused(tmp_path, capsys):
    x = np.random.default_rng(0).integers(0, 256, (60, 4, 4), np.uint8)
    y = np.repeat(np.arange(10), 6)
    data = save(tmp_path, x, y_train=y, y_test=y[::3])
    with pytest.raises(SystemExit) as stop:
        main(["vae_digits", "--data", data, "--run-dir", str(tmp_path / "run"), *SMALL])

    assert stop.value.code == 2
    assert "which holds all examples of class 9; expected shuffled rows" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_classes_may_be_few_in_training_and_absent_from_a_small_validation_set():
    train = np.repeat([0, 1, 2], [80, 80, 4])
    check_split("x", "x_valid", train, np.array([0, 1, 1]))
    assert absent_classes(train, np.array([0, 1, 1])) == []
    assert absent_classes(train, np.zeros(20, int)) == [1]  # 10 are expected, and of class 2 half of one


def test_labels_from_one_have_no_class_zero():
    x = np.zeros((20, 4, 4), np.uint8) + 7
    data = from_arrays("x", {"x_train": x, "x_test": x, "y_train": np.arange(20) % 3 + 1, "y_test": np.ones(20, int)})
    assert data.spec.num_classes == 4


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (4, 8, 8)])
def test_channels_first_is_refused(shape):
    with pytest.raises(InputError, match=r"look like \[C, H, W\]; expected \[H, W, C\], or --layout hwc"):
        check_layout("x", shape)


def test_the_layout_may_be_stated(tmp_path, capsys):
    x = np.random.default_rng(0).integers(0, 256, (30, 3, 8, 8), np.uint8)
    call = ["vae_digits", "--data", save(tmp_path, x), "--run-dir", str(tmp_path / "run"), *SMALL]
    with pytest.raises(SystemExit):
        main(call)
    assert "--layout hwc" in capsys.readouterr().err
    main([*call, "--layout", "hwc"])
    assert runs.load(str(tmp_path / "run"), None).dataset.spec.shape == (3, 8, 8)


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1), (3, 5, 3), (1, 2, 1), (2,)])
def test_other_layouts_pass(shape):
    check_layout("x", shape)
