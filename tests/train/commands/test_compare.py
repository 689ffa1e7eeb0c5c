"""The table over runs: from evaluations that are written here, and of real runs with and without a likelihood."""

import csv
import html.parser
import json
import pathlib

import numpy as np
import pytest
from scipy import stats

from train.__main__ import main
from train.report.comparison import runs as comparison
from train.report.comparison.tables import as_rich, tabulate


def call(*arguments: str) -> int:
    try:
        main(["compare", *map(str, arguments)])
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def estimate(value, seeds=None, unit="nats", low=None, high=None):
    interval = "a single value" if low is None else "Student t, 3 seeds"
    return {"value": value, "unit": unit, "low": low, "high": high, "interval": interval, "seeds": seeds or [value]}


def make_run(path: pathlib.Path, metrics: dict, *, values=(), evaluation=(), examples=None, **record) -> pathlib.Path:
    path.mkdir(parents=True)
    values = {"seed": 0, "seeds": 1, "steps": 100, **dict(values)}
    config = {"config": "configs/vae_digits.py", "values": values, "data_fingerprint": "1", "steps_per_call": 1}
    (path / "config.json").write_text(json.dumps(config | record))
    found = {"step": 100, "trained": 100, "steps": 100, "config_steps": 100, "metrics": metrics, **dict(evaluation)}
    (path / "evaluation.json").write_text(json.dumps(found))
    if examples is not None:
        np.savez(path / "evaluation.npz", **examples)
    return path


def test_seeds_pair_by_their_number(tmp_path):
    # Seeds 0, 1, 2 and 2, 1, 0 do not stand in the same order, and 3 has no partner.
    a = {0: 10.0, 1: 12.0, 2: 17.0}
    b = {1: 13.0, 2: 17.5, 3: 99.0}
    one = make_run(tmp_path / "a", {"nll": estimate(13.0, [*a.values()])}, values={"seeds": 3})
    other = make_run(tmp_path / "b", {"nll": estimate(43.2, [*b.values()])}, values={"seed": 1, "seeds": 3})

    (_, found) = comparison.compare([str(one), str(other)]).differences
    expected = stats.ttest_rel([13.0, 17.5], [12.0, 17.0])
    assert found["nll"].value == pytest.approx(0.75)
    low, high = expected.confidence_interval()
    assert (found["nll"].low, found["nll"].high) == pytest.approx((low, high))
    assert found["nll"].interval == "paired, Student t, 2 seeds"
    assert found["nll"].seeds == pytest.approx([1.0, 0.5])


def test_one_common_seed_pairs_by_example(tmp_path):
    # The examples differ far more between each other than between the runs: only a paired interval excludes 0.
    hard = np.random.default_rng(0).normal(100, 30, (1, 500))
    noise = np.random.default_rng(1).normal(0.5, 1, (1, 500))
    runs = [
        str(make_run(tmp_path / name, {"nll": estimate(float(x.mean()))}, examples={"nll": x.astype(np.float32)}))
        for name, x in {"a": hard, "b": hard + noise}.items()
    ]

    found = comparison.compare(runs).differences[1]["nll"]
    # float32 of values near 100 is exact to 4e-6; the bootstrap's own spread is below a tenth of the interval.
    assert found.value == pytest.approx(noise.mean(), abs=1e-5)
    half = 1.96 * noise.std() / np.sqrt(500)
    assert (found.low, found.high) == pytest.approx((noise.mean() - half, noise.mean() + half), abs=0.2 * half)
    assert found.interval == "paired, bootstrap, 500 examples"

    (tmp_path / "b" / "evaluation.npz").write_bytes(b"cut short")
    without = comparison.compare(runs).differences[1]["nll"]
    assert (without.value, without.low) == (pytest.approx(found.value, abs=1e-5), None)


def test_a_difference_that_means_nothing_says_why(tmp_path):
    metrics = {"nll": estimate(1.0), "frechet_distance": estimate(2.0, unit="on x"), "mmd_p_value": estimate(0.5)}
    first = make_run(tmp_path / "a", metrics, evaluation={"log_prob_of": "2 values"})
    for name, more, metric, reason in (
        ("seed", {"values": {"seed": 7}}, "nll", "no common seed"),
        ("data", {"data_fingerprint": "2"}, "nll", "other data"),
        ("p", {}, "mmd_p_value", "p-values have no mean"),
        ("density", {"evaluation": {"log_prob_of": "a density"}}, "nll", "another likelihood"),
    ):
        second = make_run(tmp_path / name, metrics, **more)
        assert comparison.compare([str(first), str(second)]).differences[1][metric] == reason
    notes = tabulate(comparison.compare([str(first), str(tmp_path / "density")]))[0].notes
    assert "nll: not comparable between 2 values; a density." in notes
    metrics = {"nll": estimate(3.0), "frechet_distance": estimate(2.0, unit="on pixels")}
    second = make_run(tmp_path / "unit", metrics, evaluation={"absent": {"mmd_p_value": "no codes"}})
    found = comparison.compare([str(first), str(second)]).differences[1]
    assert found["frechet_distance"] == "other unit"
    assert found["mmd_p_value"] == "no codes"
    assert (found["nll"].value, found["nll"].low) == (2.0, None)  # of one seed, whose examples were not kept


def test_settings_and_steps_that_differ_are_shown(tmp_path):
    same = {"nll": estimate(90.0, low=89.0, high=91.0)}
    make_run(tmp_path / "runs" / "a", same, values={"beta": 1.0, "hidden": [8, 8]})
    below = {"trained": 60, "config_steps": 2000}
    make_run(tmp_path / "runs" / "b", same, values={"beta": 4.0, "hidden": [8, 8]}, evaluation=below)
    make_run(tmp_path / "runs" / "c", same, values={"hidden": [8, 8], "codes": 2})

    found = comparison.compare([str(tmp_path / "runs")])
    assert found.labels == ["a", "b", "c"]
    assert found.settings == [{"beta": 1.0}, {"beta": 4.0}, {}]  # codes are of one run alone
    rows = tabulate(found)[0].rows
    assert [tuple(row[0][:2]) for row in rows.values()] == [
        ("100", ""), ("60 of 2000", "below its config's"), ("100", "")]  # fmt: skip
    assert [row[1].text for row in rows.values()] == ["beta=1.0", "beta=4.0", "none"]
    assert tuple(rows["a"][2][:2]) == ("90.00", "[89.00, 91.00]")


def test_runs_of_one_name_are_told_apart_and_one_given_twice_counts_once(tmp_path):
    one, other = (make_run(tmp_path / folder / "run", {"nll": estimate(1.0)}) for folder in "ab")
    found = comparison.compare([str(one), str(other), str(tmp_path / "a" / "run")])
    assert found.labels == [str(one), str(other)]


@pytest.fixture(scope="module")
def families(tmp_path_factory, tiny, rae, pixelcnn) -> list[str]:
    """Runs without and with a likelihood; of different data."""
    path = tmp_path_factory.mktemp("runs") / "vae <i>|"
    options = [
        "--hidden=8",
        "--latent-dim=2",
        "--steps=10",
        "--num-samples=4",
        "--features=x",
        "--devices=1",
        "--batch-size=16",
    ]
    main(["configs/vae_digits.py", "--data", tiny, "--run-dir", str(path), *options])
    return [str(path), str(rae), str(pixelcnn)]


def test_one_table_over_models_with_and_without_a_likelihood(families, tmp_path, capsys):
    assert call(*families) == 0
    said = capsys.readouterr().out.splitlines()
    header, _, vae, rae, pixelcnn = (
        dict(zip(map(str.strip, lines[0]), cells, strict=True))
        for lines in [[said[2].strip("|").split(" | ")]]
        for cells in (list(map(str.strip, line.strip("|").split(" | "))) for line in said[2:7])
    )
    assert header["run"] == "run"
    assert vae["run"] == "vae <i>&#124;"
    assert rae["negative_elbo"] == "*no likelihood*"
    assert rae["samples_per_second"] == "*no samples*"
    assert pixelcnn["kl"] == "*no ELBO*"
    assert pixelcnn["importance_weighted_nll"] == "*NLL is exact*"
    assert pixelcnn["mmd_to_prior"] == "*no codes*"
    assert vae["nll"] == "*a bound only*"
    assert 0 <= float(vae["memorization"].split()[0]) <= 1
    assert float(vae["samples_per_second"]) > 0
    # 16-8-2, with a mean and a log-variance, and 2-8-16; weights and biases.
    assert vae["parameters"] == str(16 * 8 + 8 + 2 * (8 * 2 + 2) + 2 * 8 + 8 + 8 * 16 + 16)
    assert vae["steps"].startswith("10 of ")
    assert vae["steps"].endswith("below its config's")
    assert any(line.startswith("The runs are of different data") for line in said)


class Page(html.parser.HTMLParser):
    """Tags and text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def test_the_table_is_written_by_suffix(families, tmp_path, capsys):
    files = [tmp_path / f"table{suffix}" for suffix in (".md", ".csv", ".json", ".html")]
    assert call(*families, "--out", *files) == 0
    assert capsys.readouterr().out.split() == list(map(str, files))
    markdown, table, data, page = (file.read_text() for file in files)

    assert markdown.startswith("## Runs\n\n| run | steps | settings that differ | negative_elbo |")
    written = json.loads(data)
    evaluated = json.loads((pathlib.Path(families[0]) / "evaluation.json").read_text())
    assert written["runs"][0]["metrics"]["negative_elbo"] == evaluated["metrics"]["negative_elbo"]
    assert written["runs"][1]["metrics"]["kl"] == {"absent": "no likelihood"}
    rows = {(row["run"], row["metric"]): row for row in csv.DictReader(table.splitlines())}
    assert float(rows["vae <i>|", "kl"]["value"]) == evaluated["metrics"]["kl"]["value"]
    assert rows["rae", "kl"]["absent"] == "no likelihood"
    assert rows["rae", "squared_error"]["difference_interval"] == "paired, bootstrap, 13 examples"
    assert rows["pixelcnn", "nll"]["difference_absent"] == "a bound only"

    found = Page(page)
    assert not {"link", "i"} & set(found.tags)
    assert found.tags.count("script") == 1
    assert "vae <i>|" in found.text
    assert "http" not in page
    assert found.tags.count("table") == 2
    # squared_error is the one validation metric that two of these runs share; all three have pictures of samples or
    # reconstructions, two of each.
    assert "valid_squared_error over steps" in found.text
    assert [title for title in ("Curves", "Samples", "Reconstructions", "Latent") if title in found.text] == [
        "Curves",
        "Samples",
        "Reconstructions",
        "Latent",
    ]
    assert found.tags.count("img") == 2 + 3 * 2


def test_a_terminal_gets_as_many_columns_as_it_holds(families):
    table = tabulate(comparison.compare(families))[0]
    parts = as_rich(table, 100)
    assert len(parts) > 3
    assert [column.header for part in parts for column in part.columns if column.header != "run"] == table.header
    assert len(as_rich(table, 10_000)) == 1


def test_the_reference_is_chosen(families):
    by_name = comparison.compare(families, reference="rae")
    by_path = comparison.compare(families, reference=families[1])
    assert by_name.labels == by_path.labels == ["rae", "vae <i>|", "pixelcnn"]
    back, there = (found.differences[1]["squared_error"].value for found in (by_name, comparison.compare(families)))
    assert back == pytest.approx(-there)


def test_metrics_are_chosen_by_name(families, capsys):
    assert call(*families, "--metrics", "bits_per_dim", "parameters") == 0
    assert (
        capsys.readouterr().out.splitlines()[2] == "| run | steps | settings that differ | bits_per_dim | parameters |"
    )


def test_costs_have_no_differences(families, capsys):
    assert call(*families, "--metrics", "parameters") == 0
    assert "Differences" not in capsys.readouterr().out


def test_what_is_wrong_is_said_in_one_line(families, tmp_path, capsys):
    first = str(make_run(tmp_path / "first", {"nll": estimate(1.0)}))
    second = str(make_run(tmp_path / "second", {"cost": estimate(1.0)}))
    unevaluated = make_run(tmp_path / "runs" / "new", {})
    (unevaluated / "evaluation.json").unlink()
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.md").mkdir()
    damaged = make_run(tmp_path / "damaged", {})
    (damaged / "evaluation.json").write_text("[]")
    for arguments, said in (
        ([], "expected at least one run"),
        ([first, "nowhere"], "nowhere is no run"),
        ([unevaluated], f"expected a run after `python -m train evaluate {unevaluated}`"),
        ([damaged], f"expected the output of `python -m train evaluate {damaged}`"),
        ([tmp_path / "empty"], "empty: expected a run, or a folder of runs; it holds none"),
        ([tmp_path / "runs"], f"runs: expected evaluated runs; `python -m train evaluate {unevaluated}` evaluates one"),
        ([first, second], "expected runs with a metric in common"),
        ([first, "--metrics", "fid"], "--metrics fid: expected one of nll"),
        ([first, "--reference", "third"], "--reference third: expected one of the runs, first"),
        ([first, "--out", tmp_path / "table.xyz"], "expected a file ending in one of .md, .csv, .json, .html"),
        ([first, "--out", tmp_path / "none" / "table.md"], "in an existing directory"),
        ([first, "--out", tmp_path / "folder.md"], "in an existing directory"),
    ):
        assert call(*arguments) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert said in line


def test_a_run_that_is_not_evaluated_is_left_out_of_its_folder(tmp_path, capsys):
    make_run(tmp_path / "a", {"nll": estimate(1.0)})
    (make_run(tmp_path / "b", {}) / "evaluation.json").unlink()
    assert call(tmp_path) == 0
    said = capsys.readouterr()
    assert "| a |" in said.out
    assert f"`python -m train evaluate {tmp_path / 'b'}` evaluates it" in said.err


def test_evaluations_of_before_are_read(tmp_path):
    run = make_run(tmp_path / "a", {"nll": estimate(1.0)})
    (run / "evaluation.json").write_text(json.dumps({"step": 100, "metrics": {"nll": estimate(1.0)}}))
    found = comparison.compare([str(run), str(make_run(tmp_path / "b", {"nll": estimate(1.0), "kl": estimate(2.0)}))])
    assert found.runs[0].get("kl") == "not measured"
    assert found.runs[0].steps == (100, None)
