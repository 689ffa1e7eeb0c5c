"""Both classifiers where the truth is known; the optimum by scikit-learn's; subsets, crossings and bad input."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from train.__main__ import main
from train.data import open_data
from train.studies import crossing
from train.studies.classifiers import curves, linear_pair

D, TEST = 40, 5000


@pytest.fixture(scope="module")
def independent(tmp_path_factory) -> tuple[str, float]:
    """Two classes of D independent bits: the data, and the error that the true model has on its test examples."""
    random = np.random.default_rng(0)
    p = 0.5 + random.uniform(-0.2, 0.2, (2, D))

    def draw(num: int) -> tuple[np.ndarray, np.ndarray]:
        y = random.integers(2, size=num)
        return (random.uniform(size=(num, D)) < p[y]).astype(np.float32), y

    (x, y), (x_test, y_test) = draw(4500), draw(TEST)
    path = tmp_path_factory.mktemp("data") / "independent.npz"
    np.savez(path, x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    log_odds = x_test @ np.log(p[1] / p[0]) + (1 - x_test) @ np.log((1 - p[1]) / (1 - p[0]))
    return f"npz:{path}", float(np.mean((log_odds > 0) != y_test))


def test_where_its_assumption_holds_naive_bayes_is_ahead_and_ends_at_the_best(tmp_path, capsys, independent):
    data, best = independent
    out = tmp_path / "out"
    main(["study", "crossing", "--data", data, "--sizes", "4000", "100", "--repeats", "10", "--out", str(out)])

    result = json.loads((out / "crossing.json").read_text())
    few, many = result["sizes"]
    assert (few["m"], many["m"]) == (100, 4000)
    # Paired over ten subsets: with 2.5 examples a feature the whole 95 % interval, Student's t, is on one side.
    assert few["difference"]["high"] < 0
    # Of n examples a class, a feature's log-likelihood ratio has the variance 1 / n, so that the log odds have
    # 2 D / n = 4 D / m. A wrong threshold by e costs f e^2 / 4, where f < 0.2 is the density of the log odds at 0: in
    # the mean f D / m. That is of the expected error; on N test examples, of which a share of f e is judged otherwise
    # than by the truth, the difference has the standard deviation sqrt(f e / N) at most.
    error = np.sqrt(4 * D / 4000)
    margin = 0.2 * D / 4000 + 4.5 * np.sqrt(0.2 * error / TEST)
    assert abs(many["naive_bayes"]["value"] - best) < margin
    assert max(many["gradient_norm"]) <= linear_pair.TOLERANCE
    # Logistic regression, of the same family, has the same limit, and comes to it later.
    assert few["logistic_regression"]["value"] > best + margin
    assert abs(many["logistic_regression"]["value"] - best) < 2 * margin
    assert (out / "crossing.png").stat().st_size > 10_000
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"m 100: error of naive Bayes {few['naive_bayes']['value']:.4f} [")
    assert said[-1] == str(out / "crossing.png")


def test_pixels_are_drawn_and_the_least_error_is_known(tmp_path, capsys):
    out = tmp_path / "out"
    given = ["--data=digits", "--pixels=drawn", "--sizes", "200", "--repeats", "2", "--others", "--out", str(out)]
    main(["study", "crossing", *given])

    result = json.loads((out / "crossing.json").read_text())
    assert result["values"]["pixels"] == "drawn"
    assert result["provenance"]["command"].startswith("python -m train study crossing --data=digits --pixels=drawn")
    assert "data_dir" not in result["values"]
    (row,) = result["sizes"]
    # Nobody beats the truth, but by chance on a few of the 360 test examples. Either is far from guessing, at 0.9.
    assert 0 < result["least_error"] < row["naive_bayes"]["value"] + 5 / 360
    assert row["naive_bayes"]["value"] < row["logistic_regression"]["value"] < 0.5
    # The further classifiers stand beside them, and none beats the truth.
    others = {name: found["value"] for name, found in row["others"].items()}
    assert others.keys() == {"linear discriminant", "linear SVM", "decision tree", "random forest"}
    assert all(result["least_error"] - 5 / 360 < error < 0.7 for error in others.values())
    assert (out / "discriminant_samples.png").stat().st_size > 1000
    assert "error of the naive Bayes that drew the pixels" in capsys.readouterr().out


def test_the_regression_ends_at_scikit_learns_optimum():
    # Strongly convex along the weights: a loss within 1e-8 / (2 l2) of the minimum leaves them within 1e-4 / l2.
    l2 = 1e-2
    digits = open_data("digits", None)
    batch = crossing.binarize({name: array[:300] for name, array in digits.train.items()})
    pair = linear_pair.make_pair(digits.spec.shape, 10, smoothing=1.0, l2=l2)
    found = jax.jit(lambda batch: linear_pair.fit_regression(pair, jax.random.key(0), linear_pair.as_floats(batch)))
    params, steps, norm = found(batch)
    x = batch["x"].reshape(300, -1)
    reference = LogisticRegression(C=1 / (l2 * 300), tol=1e-8, max_iter=5000).fit(np.float64(x), batch["y"])

    assert 1 < steps < 5000
    assert norm <= linear_pair.TOLERANCE
    np.testing.assert_allclose(params["params"]["logits"]["kernel"], reference.coef_.T, atol=linear_pair.TOLERANCE / l2)
    classify = pair.regression.classify(jax.random.key(0), params, jnp.float32(batch["x"]))
    np.testing.assert_allclose(np.exp(classify), reference.predict_proba(x), atol=0.01)


@pytest.mark.parametrize("subsets", ["random", "balanced"])
def test_subsets_are_permutations_of_their_own(subsets):
    y = np.array([0] * 50 + [1] * 30 + [2] * 20)
    found = crossing.orders(y, 4, 7, subsets)

    assert found.shape == (4, 100)
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(100), (4, 1)))
    assert len({row.tobytes() for row in found}) == 4
    of_few = [np.bincount(y[row[:30]], minlength=3) for row in found]
    assert all((counts == 10).all() for counts in of_few) is (subsets == "balanced")


def test_crossings_by_hand():
    # On logarithmic axes: half-way between 10 and 1,000 is 100, where both lines are at 0.2.
    def crossings(sizes, first, second):
        return curves.crossings(sizes, {"naive Bayes": first, "logistic regression": second})

    (only,) = crossings([10, 1000], [0.2, 0.2], [0.4, 0.1])
    assert only == {"m": pytest.approx(100), "ahead_from_there": "logistic regression"}
    # The ratio of the errors goes from 1 / 2 to 8 and back: it is 1 after a quarter, and before the last quarter.
    there, back = crossings([1, 16, 256], [0.1, 0.8, 0.1], [0.2, 0.1, 0.2])
    assert there["m"] == pytest.approx(2)
    assert back == {"m": pytest.approx(128), "ahead_from_there": "naive Bayes"}
    assert crossings([1, 10, 100], [0.3, 0.2, 0.1], [0.2, 0.1, 0.0]) == []


def test_half_of_the_range_is_one():
    expected = [[0, 0, 1, 1]]
    for x in (np.uint8([[0, 127, 128, 255]]), np.float32([[0, 0.5, 0.51, 1]])):
        assert crossing.binarize({"x": x, "y": np.zeros(1)})["x"].tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--data", "ring"], "--data ring: expected labels, and values in [0, 1]"),
        (["--data", "nothing"], "nothing"),
        (["--sizes", "10", "1295"], "--sizes 1295: expected at most the 1294 training examples"),
        (["--sizes", "0"], "--sizes (0,): expected a whole number from 1 to 2147483647"),
        (["--repeats", "0"], "--repeats 0"),
        (["--l2", "0"], "--l2 0"),
        (["--subsets", "odd"], "--subsets"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, arguments, said):
    with pytest.raises(SystemExit) as stop:
        main(["study", "crossing", "--data=digits", "--out", str(tmp_path / "out"), *arguments])

    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_an_out_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "out").write_text("")
    with pytest.raises(SystemExit) as stop:
        main(["study", "crossing", "--data=digits", "--out", str(tmp_path / "out")])

    assert stop.value.code == 2
    assert f"--out {tmp_path / 'out'}: expected a directory" in capsys.readouterr().err
