"""What a representation is worth, where the right answers are known."""

import json
import shutil

import numpy as np
import pytest
from run_files import call
from scipy.spatial.distance import cdist

from train.evaluation.evaluators import probes
from train.evaluation.evaluators.probes import Labelled


def blobs(random, num, shift):
    y = random.integers(3, size=num)
    return Labelled(random.normal(size=(num, 4)) + shift * np.eye(4)[y], y)


def test_accuracies_are_those_of_bayes_rule_and_of_the_nearest_example():
    random = np.random.default_rng(0)
    train, valid, test = (blobs(random, num, 2.0) for num in (3000, 1000, 1000))
    # Three Gaussians with unit covariance: the largest of their first three coordinates is right most often.
    best = (test.z[:, :3].argmax(axis=1) == test.y).mean()
    nearest = train.y[cdist(test.z, train.z).argmin(axis=1)] == test.y
    found = probes.probe(train, valid, test)

    assert list(found) == ["nearest_neighbour_accuracy", "linear_probe_accuracy",
                           "probe_accuracy_10", "probe_accuracy_100", "probe_accuracy_1000"]  # fmt: skip
    np.testing.assert_array_equal(found["nearest_neighbour_accuracy"], nearest)
    # On the same 1,000 examples the two rules differ on few: 3 standard errors of a difference on a tenth of them.
    assert abs(found["linear_probe_accuracy"].mean() - best) < 3 * np.sqrt(0.1 / 1000)
    few = [found[f"probe_accuracy_{num}"].mean() for num in probes.FEW]
    assert few == sorted(few)
    assert set(np.unique(np.round(10 * found["probe_accuracy_10"], 9))) <= set(range(11))


def test_units_of_a_code_are_of_no_account_to_the_linear_probe():
    random = np.random.default_rng(1)
    parts = [blobs(random, num, 2.0) for num in (60, 60, 60)]
    scaled = [part._replace(z=part.z * np.array([1, 1e3, 1e-3, 0]) + 7) for part in parts]
    parts = [part._replace(z=part.z * np.array([1, 1, 1, 0])) for part in parts]
    one, other = (probes.probe(*given) for given in (parts, scaled))
    np.testing.assert_array_equal(one["linear_probe_accuracy"], other["linear_probe_accuracy"])
    assert "probe_accuracy_100" not in one  # of 60 examples


def test_labels_that_are_known_are_of_all_classes_alike():
    y = np.repeat([0, 1, 2], [500, 20, 3])
    rows = probes.choose(y, 13, np.random.default_rng(0))
    assert len(set(rows)) == 13
    np.testing.assert_array_equal(np.bincount(y[rows]), [5, 5, 3])
    assert set(rows) != set(probes.choose(y, 13, np.random.default_rng(1)))


def test_a_run_and_pixels_in_one_table(rae, tmp_path, capsys):
    out, run = tmp_path / "out", tmp_path / "rae"
    shutil.copytree(rae, run)
    assert call("study", "representations", str(run), "--examples=40", "--components=3", f"--out={out}") == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in said[2:5]] == ["| pixels", "| principal components", "| rae"]
    found = json.loads((out / "representations.json").read_text())["results"]
    assert call("evaluate", str(run), "--features=none", "--probes=40") == 0
    metrics = json.loads((run / "evaluation.json").read_text())["metrics"]
    assert found["rae"].keys() == metrics.keys() & found["rae"].keys()
    assert found["rae"]["linear_probe_accuracy"] == metrics["linear_probe_accuracy"]


def test_what_no_probe_can_tell_apart_is_refused(rae, capsys):
    assert call("evaluate", str(rae), "--features=none", "--probes=1") == 2
    assert "1 training examples of probes are of one class; expected more of them" in capsys.readouterr().err
    assert call("evaluate", str(rae), "--features=none", "--probes=9", "--part=valid") == 2
    assert "--probes 9: expected --part test" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["study representations {}", "evaluate {} --probes=9"])
def test_what_has_no_codes_is_refused(pixelcnn, command, capsys):
    assert call(*command.format(pixelcnn).split()) == 2
    assert f"{pixelcnn} has no codes" in capsys.readouterr().err
