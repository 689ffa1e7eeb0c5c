"""Evaluation: each example once, intervals that cover, and the lines that a person reads."""

import functools
import itertools
import json
import re
import shutil
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxgen import preprocess
from jaxgen.recipe import Recipe
from train import config as configs
from train import runs
from train.__main__ import main
from train.commands import sample
from train.engine.compile import over_examples, prepare_examples
from train.engine.record import provenance
from train.engine.validation import prepare_set
from train.evaluation import estimates, intervals
from train.evaluation.evaluators.likelihood import to_discrete


@pytest.mark.parametrize(("num", "batch_size"), [(10, 4), (8, 4), (3, 4), (1, 4)])
def test_every_example_counts_once_whatever_the_batches(num, batch_size):
    examples = {"x": np.arange(num, dtype=np.float32)[:, None]}
    double = over_examples(lambda key, model, batch: {"value": model * batch["x"][:, 0]}, batch_size=batch_size)

    np.testing.assert_array_equal(double(jax.random.key(0), 2.0, examples)["value"], 2 * np.arange(num))


def test_a_set_is_prepared_once_and_for_all():
    x = np.full((2500, 8, 8, 1), 128, np.uint8)
    once, again, other = (
        prepare_examples(preprocess.binarize, jax.random.key(seed), {"x": x})["x"] for seed in (0, 0, 1)
    )

    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    assert not np.array_equal(once[:1000], once[1000:2000])  # batches draw apart


def test_the_bootstrap_covers_as_often_as_it_says():
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        low, high = intervals.bootstrap(random.exponential(size=100), num_resamples=400)
        covered += low < 1 < high
    # Binomial(200, 0.95) has a standard deviation of 3.1; the percentile bootstrap of 100 skewed values covers ~0.93.
    assert covered > 200 * 0.93 - 4 * 3.6


def test_student_t_is_scipy_s_one_sample_interval():
    values = [101.2, 101.9, 101.5, 101.4]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)

    np.testing.assert_allclose(intervals.student_t(values), (expected.low, expected.high))
    assert intervals.student_t([8.0, 8.0]) == (8.0, 8.0)


def coverage(law: dict[int, float], most: int | None, num_seeds: int) -> float:
    """The probability that the interval of `num_seeds` counts has the mean of this law in it, over all outcomes."""
    values, shares = list(law), list(law.values())
    mean, covered = float(np.dot(values, shares)), 0.0
    for chosen in itertools.product(range(num_seeds + 1), repeat=len(law) - 1):
        counts = [*chosen, num_seeds - sum(chosen)]
        if counts[-1] >= 0:
            seeds = np.repeat(np.float64(values), counts)
            found = estimates.estimate("of 8", list(seeds[:, None]), most=most)
            is_covered = found.low <= mean <= found.high
            covered += is_covered * float(stats.multinomial.pmf(counts, num_seeds, shares))
    return covered


# Modes of a ring, one sometimes lost; of a generator that sometimes collapses; of a grid, with both.
@pytest.mark.parametrize(
    ("law", "num_seeds", "by_student"),
    [({8: 0.9, 7: 0.1}, 10, 0.65), ({8: 0.97, 1: 0.03}, 10, 0.26), ({25: 0.7, 24: 0.2, 10: 0.1}, 5, 0.41)],
)
def test_the_interval_of_counts_near_their_most_covers_what_student_s_does_not(law, num_seeds, by_student):
    assert coverage(law, max(law), num_seeds) >= 0.95
    assert coverage(law, None, num_seeds) == pytest.approx(by_student, abs=0.01)


@pytest.mark.parametrize(("ones", "num"), [(10, 10), (0, 5), (3, 7), (360, 360)])
def test_the_interval_of_zeros_and_ones_is_clopper_and_pearson_s(ones, num):
    expected = stats.binomtest(ones, num).proportion_ci(0.95)
    found = intervals.bounded([1.0] * ones + [0.0] * (num - ones), 1.0)

    # Quantiles of 20,000 draws: sqrt(0.025 x 0.975 / 20,000) = 0.0011 over the density there, which is 0.3 or more.
    np.testing.assert_allclose(found, (expected.low, expected.high), atol=4 * 0.0011 / 0.3)


def test_a_share_is_cut_at_the_ends_of_its_range_and_has_a_width():
    near = estimates.estimate("of 1", [np.array([share]) for share in (0.98, 1.0, 0.99)], most=1)
    assert (near.low > 0.96, near.high, near.interval) == (True, 1.0, "Student t, 3 seeds")
    right = estimates.estimate("of 1", [np.ones(360)], most=1)
    assert right.low == pytest.approx(0.025 ** (1 / 360), abs=2e-3)
    assert right.interval == "Gaffke, values from 0 to 1, 360 examples"


@pytest.fixture(scope="module")
def run(tmp_path_factory, plane):
    return shutil.copytree(plane, tmp_path_factory.mktemp("runs") / "run")


def test_evaluate_prints_a_line_a_metric_and_writes_them(run, capsys):
    main(["evaluate", str(run), "--num-samples", "100", "--features", "x"])

    step, *lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"{re.escape(str(run))}: step (\d+) of \1", step)
    assert [line.split()[0] for line in lines] == [
        "negative_elbo", "reconstruction", "kl", "importance_weighted_nll", "bits_per_dim", "squared_error",
        "frechet_distance", "frechet_distance_of_training_data", "kernel_distance", "precision", "recall", "density",
        "coverage", "nearest_training_example", "nearest_test_example", "memorization",
        *(f"frechet_distance_of_{origin}" for origin in
          ("reconstructions", "normal", "gaussian", "gmm", "interpolations")),
        "mmd_to_prior", "mmd_p_value",
    ]  # fmt: skip
    assert re.match(r"negative_elbo \d+\.\d\d nats  95 % \[", lines[0])
    assert re.match(r"bits_per_dim \d\.\d+ bits/dim  ", lines[4])
    written = json.loads((run / "evaluation.json").read_text())
    metrics = written["metrics"]
    assert written["num_samples"] == 100
    assert written["test_examples"] == 13
    assert metrics["negative_elbo"]["value"] == pytest.approx(
        metrics["reconstruction"]["value"] + metrics["kl"]["value"], rel=1e-5
    )
    nll = metrics["importance_weighted_nll"]["value"]
    assert metrics["bits_per_dim"]["value"] == pytest.approx(nll / 16 / np.log(2), rel=1e-5)
    assert "data_dir" not in written["provenance"]


def test_an_evaluation_says_which_code_evaluated_apart_from_which_trained(run, monkeypatch, capsys):
    monkeypatch.setattr(provenance, "_commit", lambda: "another commit")
    monkeypatch.setattr(sys, "argv", ["train", "evaluate", "RUN"])
    main(["evaluate", str(run), "--num-samples", "2", "--features", "none"])
    capsys.readouterr()
    found = json.loads((run / "evaluation.json").read_text())
    (session,) = json.loads((run / "provenance.json").read_text())
    assert found["provenance"] == provenance.shown(session)
    assert found["evaluated_by"]["commit"] == "another commit" != session["commit"]
    assert found["evaluated_by"]["command"] == "python -m train evaluate RUN"
    assert {"started", "changes"} <= found["evaluated_by"].keys()
    assert found["evaluated_by"]["machinery"]["cpu"] == session["machinery"]["cpu"]


def test_validation_data_is_measured_beside_the_test_data(run, capsys):
    before = (run / "evaluation.json").read_text(), (run / "report.html").read_text()
    main(["evaluate", str(run), "--num-samples", "4", "--features", "none", "--part", "valid"])
    capsys.readouterr()

    found = json.loads((run / "evaluation_valid.json").read_text())
    loaded = runs.load(str(run), None)
    assert (found["part"], found["test_examples"]) == ("valid", len(loaded.dataset.valid["x"]))
    test = prepare_set(loaded.keys[0].evaluate, loaded.prepare, loaded.dataset.valid)
    codes = loaded.recipe.encode(loaded.models[0], test.prepared["x"])
    error = np.square(loaded.recipe.decode(loaded.models[0], codes) - test.prepared["x"]).sum((1, 2, 3)).mean()
    assert found["metrics"]["squared_error"]["value"] == pytest.approx(float(error), rel=1e-5)
    assert before == ((run / "evaluation.json").read_text(), (run / "report.html").read_text())


def test_what_is_asked_for_is_measured_too(run, tiny, tmp_path, capsys):
    with np.load(tiny.removeprefix("npz:")) as file:
        np.savez(tmp_path / "black.npz", **{n: a * (0 if n.startswith("x") else 1) for n, a in file.items()})
    options = ["--annealed", "5", "--annealed-steps", "20", "--against", f"npz:{tmp_path / 'black.npz'}"]
    main(["evaluate", str(run), "--num-samples", "3", "--features", "none", *options])
    capsys.readouterr()

    found = json.loads((run / "evaluation.json").read_text())
    metrics = found["metrics"]
    assert "5 examples" in metrics["annealed_nll"]["interval"]
    assert 0 <= metrics["ood_auroc"]["value"] <= 1
    assert metrics["ood_auroc"]["unit"] == f"of 1, against npz:{tmp_path / 'black.npz'}"
    assert not found["absent"].keys() & metrics.keys()
    assert (found["trained"], found["steps"]) == (10, 10)
    assert found["log_prob_of"].startswith("log p(x) of 2 values in units")
    assert found["config_steps"] == configs.build(configs.load("configs/vae_digits.py"), {}).steps
    with np.load(run / "evaluation.npz") as examples:
        assert examples["annealed_nll"].shape == (1, 5)
        np.testing.assert_allclose(examples["kl"].mean(), metrics["kl"]["value"], rtol=1e-6)


def test_what_a_family_cannot_have_is_refused_in_one_line(rae, capsys):
    for options, said in (
        (["--annealed", "5"], "--annealed 5: expected a run of a family with p(x | z)"),
        (["--against", "digits"], "is of a family without log p(x)"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", str(rae), *options])
        assert stop.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


def test_more_importance_samples_tighten_the_bound(run, capsys):
    def nll(num_samples: int) -> float:
        main(["evaluate", str(run), "--num-samples", str(num_samples), "--features", "none"])
        capsys.readouterr()
        return json.loads((run / "evaluation.json").read_text())["metrics"]["importance_weighted_nll"]["value"]

    assert nll(1000) < nll(1)


def test_the_same_run_evaluates_to_the_same_numbers(run, capsys):
    said = []
    for _ in range(2):
        main(["evaluate", str(run), "--num-samples", "7", "--features", "none"])
        said.append(capsys.readouterr().out)

    assert said[0] == said[1]


def test_sample_writes_a_picture_and_numbers(run, capsys):
    main(["sample", str(run), "--num", "5"])

    printed = capsys.readouterr().out.split()
    assert printed == [str(run / "samples.png"), str(run / "samples.npz")]
    x = np.load(run / "samples.npz", allow_pickle=False)["x"]
    assert x.shape == (5, 4, 4, 1)
    assert 0 <= x.min() < x.max() <= 1
    assert (run / "samples.png").read_bytes().startswith(b"\x89PNG")
    main(["sample", str(run), "--num", "5", "--seed", "1"])
    assert not np.array_equal(np.load(run / "samples.npz", allow_pickle=False)["x"], x)


def nats_of_five_bits(x):
    return jnp.full(len(x), x[0].size * np.log(32))


@functools.partial(preprocess.Preparation, log_det=nats_of_five_bits)
def five_bits(key, x):
    """(k // 8 + u) / 32."""
    return (x.astype(jnp.float32) // 8 + jax.random.uniform(key, x.shape)) / 32


@pytest.mark.parametrize(
    ("levels", "prepare", "values", "nats"),
    [
        (None, preprocess.dequantize, [0.2, 0.7], 2 * np.log(256)),
        (None, preprocess.mutate(preprocess.dequantize, 0.1, 256), [0.2, 0.7], None),
        (None, five_bits, [0.2, 0.7], 2 * np.log(32)),
        (None, preprocess.binarize, [0.0, 1.0], None),
        (2, preprocess.binarize, [0.0, 1.0], 0.0),
        (2, preprocess.scale, [0.0, 1.0], 0.0),
        (2, preprocess.scale, [0.0, 0.5], None),
        (256, preprocess.scale, [3 / 255, 1.0], 0.0),
        (3, preprocess.scale, [0.5, 1 / 3], None),
    ],
)
def test_bits_per_dim_only_of_a_mass_or_of_dequantized_data(levels, prepare, values, nats):
    recipe = Recipe(init=None, step=None, evaluate=None, levels=levels)

    found = to_discrete(recipe, prepare, np.array([values]))
    assert found is None if nats is None else np.allclose(found, [nats], rtol=1e-6)


def test_grey_data_under_a_bernoulli_likelihood_is_warned_of(tiny, tmp_path, capsys):
    call = ["configs/vae_mnist_static.py", "--data", tiny, "--run-dir", str(tmp_path / "run"), "--devices=1"]
    main([*call, "--batch-size=16", "--steps=1", "--seeds=2", "--num-samples=1", "--features=none"])

    said = capsys.readouterr()
    assert said.err.count("not comparable with a likelihood") == 1
    assert "bits_per_dim" not in said.out


def test_a_density_of_each_class_is_evaluated_as_a_classifier(tiny, tmp_path, capsys):
    call = ["configs/conditional_pixelcnn_mnist.py", "--data", tiny, "--run-dir", str(tmp_path / "run"), "--devices=1"]
    main([*call, "--batch-size=16", "--steps=2", "--steps-per-call=2", "--blocks=1", "--head=4", "--channels=2",
          "--features=none"])  # fmt: skip
    run = runs.load(str(tmp_path / "run"), None)
    key, test = prepare_set(run.keys[0].evaluate, run.prepare, run.dataset.test)
    posterior = run.recipe.classify(key, run.models[0], test["x"])

    accuracy = float(np.mean(np.argmax(posterior, axis=1) == test["y"]))
    found = json.loads((tmp_path / "run" / "evaluation.json").read_text())["metrics"]
    assert found["accuracy"]["value"] == pytest.approx(accuracy)
    assert found.keys() >= {"nll", "bits_per_dim"}
    log_prob = jax.jit(lambda y: run.recipe.log_prob(key, run.models[0], test["x"], y=y))
    joint = jnp.stack([log_prob(jnp.full(len(test["x"]), k)) for k in range(3)])
    counts = np.float64(run.models[0].label_counts)
    marginal = -jax.nn.logsumexp(joint + np.log(counts / counts.sum())[:, None], axis=0)
    assert found["marginal_nll"]["value"] == pytest.approx(float(marginal.mean()), rel=1e-5)
    assert all(len(estimate["seeds"]) == 1 for estimate in found.values())


def test_one_example_has_no_interval():
    found = estimates.estimate("nats", [np.array([3.0])])

    assert estimates.line("kl", found) == "kl 3.00 nats  no interval, a single value"
    assert json.loads(json.dumps(found._asdict(), allow_nan=False))["low"] is None


def test_shares_of_classes_differ_by_one_at_most(conditional):
    run = runs.load(str(conditional), None)
    y = sample.choose_classes(sample.Options(run=str(conditional), num=64, y=(0, 1, 2)), run)
    np.testing.assert_array_equal(np.bincount(y), [22, 21, 21])
    assert (np.diff(y) >= 0).all()


@pytest.fixture(scope="module")
def conditional(tmp_path_factory, tiny):
    path = tmp_path_factory.mktemp("runs") / "gan"
    main(
        ["configs/conditional_gan_mnist.py", "--data", tiny, "--run-dir", str(path), "--devices", "1", "--batch-size",
         "16", "--channels", "4", "--steps", "10", "--features", "none"]
    )  # fmt: skip
    return path


def test_classes_are_sampled_in_equal_shares_and_seen_in_the_unit_interval(conditional, capsys):
    main(["sample", str(conditional), "--num", "8", "--y", "2", "0", "1"])
    x = np.load(conditional / "samples.npz", allow_pickle=False)["x"]
    assert x.shape == (8, 4, 4, 1)
    assert 0 <= x.min() < x.max() <= 1  # of a tanh's -1 to 1

    main(["sample", str(conditional), "--num", "8", "--y", "2"])
    again = np.load(conditional / "samples.npz", allow_pickle=False)["x"]
    np.testing.assert_allclose(again[:3], x[:3], atol=1e-6)
    assert (again[3:] != x[3:]).any(axis=(1, 2, 3)).all()

    with pytest.raises(SystemExit) as stop:
        main(["sample", str(conditional), "--y", "3"])
    assert stop.value.code == 2
    assert "--y 3: expected classes of the data, which has 3" in capsys.readouterr().err


def test_classes_of_a_model_that_knows_none_are_refused(run, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["sample", str(run), "--y", "1"])
    assert stop.value.code == 2
    assert "--y 1: expected a run whose model is conditional on a class" in capsys.readouterr().err


def test_a_seed_without_a_value_is_left_out_and_said():
    found = estimates.estimate("nats", [np.array([value]) for value in (1.0, np.nan, 3.0)])
    assert found.value == 2.0
    assert found.seeds == [1.0, None, 3.0]
    assert "2 of 3 seeds" in estimates.line("mode_reverse_kl", found)
    assert "none, 0 of 2 seeds" in estimates.line("kl", estimates.estimate("nats", [np.array([np.nan])] * 2))
    json.dumps(found._asdict(), allow_nan=False)


def test_p_values_have_a_median_and_no_interval():
    found = estimates.median("by permutations", [np.array([value]) for value in (0.9, 0.01, 0.2)])
    assert found.value == 0.2
    assert estimates.line("mmd_p_value", found) == "mmd_p_value 0.2 by permutations  no interval, median of 3"
