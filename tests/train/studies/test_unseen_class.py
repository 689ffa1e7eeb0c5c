"""A class that was not trained on: one between the known ones is called either, one far away has a low density."""

import json

import numpy as np
import pytest

from train.__main__ import main
from train.studies import unseen_class


def test_a_class_far_away_is_detected_by_its_density_and_not_by_confidence(tmp_path, capsys):
    """Grey images of two levels; one unseen class lies half-way, one beyond a known one, where confidence is full."""
    random = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 60)
    x = np.array([80, 140, 110, 230])[y][:, None, None] + random.normal(scale=20, size=(240, 8, 8))
    rows = random.permutation(240)
    x, y = np.uint8(np.clip(x, 0, 255))[rows], y[rows]
    np.savez(tmp_path / "levels.npz", x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    given = ["--data", f"npz:{tmp_path / 'levels.npz'}", "--known", "1", "0", "--repeats=2", "--out", str(tmp_path)]
    main(["study", "unseen_class", *given])

    record = json.loads((tmp_path / "unseen_class.json").read_text())
    found = {name: each["value"] for name, each in record["results"].items()}
    for name in ("linear discriminant", "logistic regression", "random forest"):
        assert found[f"known: {name}: accuracy"] > 0.95
        assert found[f"3: {name}: called 0"] == 0
        assert found[f"3: {name}: auroc"] <= 0.75  # as confident as of class 1
    assert found["3: -log p(x): auroc"] > 0.99
    assert found["3: -log p(x): rejected"] > 0.95
    assert found["2: linear discriminant: auroc"] > 0.9
    assert "3: -log p(x): auroc" in capsys.readouterr().out


def test_detection_by_hand():
    known, unseen = np.arange(100.0), np.array([-1.0, 49.5, 98.0, 200.0])
    # Below none, half, 98.5 and all of the known; 5 % of them lie above 94.05.
    assert unseen_class.detection(known, unseen) == {"auroc": pytest.approx((0 + 0.5 + 0.985 + 1) / 4), "rejected": 0.5}


def test_blocks_are_averaged():
    x = np.zeros((1, 9, 8, 1), np.uint8)
    x[0, 4:8, :4] = 255
    x[0, 0, 4] = 51
    np.testing.assert_allclose(unseen_class.average_blocks(x), [[0, 0.2 / 16, 1, 0]])


@pytest.mark.parametrize(("given", "said"), [(["--known", "3", "3"], "--known (3, 3)"), (["--data", "ring"], "--data")])
def test_bad_input_is_one_line(tmp_path, capsys, given, said):
    with pytest.raises(SystemExit) as stop:
        main(["study", "unseen_class", "--data", "digits", *given, "--out", str(tmp_path / "out")])
    assert stop.value.code == 2
    assert said in capsys.readouterr().err
