"""Out-of-distribution detection with a trained model.

    python -m train detect RUN --against fashion_mnist [--background RUN] [--classifier RUN]
                           [--false-positive-rate 0.05]

Test examples of the run's data are in-distribution, those of the other data set out-of-distribution. Scores, higher
for examples that look less like the training data:

- -log p(x);
- -log2 p(x) minus the size of x as a PNG in bits (Serra et al. 2020);
- with --background, a run trained on mutated pixels of the same data, the likelihood ratio (Ren et al. 2019);
- with --classifier, 1 - the largest class probability (Hendrycks & Gimpel 2017).

Writes detection.json into a subfolder of the run, `detect/NAME`, named after the options, figures/detect_NAME.png and
results/detect.json. With several seeds the first seed's model is used.
"""

import dataclasses
import pathlib
import re
import zlib
from collections.abc import Callable, Mapping

import jax

from jaxgen.recipe import PyTree
from train import runs
from train.data import Dataset, find_data_directory, open_data
from train.engine import files
from train.engine.compile import prepare_batch
from train.engine.record import provenance
from train.errors import InputError, first_line, warn
from train.evaluation import estimates
from train.evaluation.evaluators.likelihood import describe_units, measure_nll
from train.evaluation.out_of_distribution import (
    Detection,
    Opened,
    Score,
    confidence,
    evaluate_score,
    max_log_probability,
    score_all,
)
from train.experiment import Share, Size
from train.report import added, html, results
from train.report.drawing import charts
from train.runs import Run

_BESIDE = ("background", "classifier")  # further runs


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which run, the other data set, and further models for further scores."""

    against: str
    """Data set whose test examples are out-of-distribution; of the same shape."""
    background: str | None = None
    """Run trained on mutated pixels of the same data (--mutation), for the likelihood ratio."""
    classifier: str | None = None
    """Run of a classifier of examples of this shape, for the largest class probability."""
    false_positive_rate: Share = 0.05
    """Largest share of in-distribution examples that may be rejected."""
    num: Size = 2000
    """Maximum number of examples of each set."""
    num_samples: Size = 500
    """Importance samples per example, for models with a lower bound on log p(x)."""


def open_against(run: Run, source: str, data_dir: str | None) -> Dataset:
    """Open the out-of-distribution data for a run; InputError unless it has log p(x) and takes such examples."""
    shape = run.dataset.spec.shape
    if run.recipe.log_prob is None:
        raise InputError(f"{run.path} is of a family without log p(x); expected one whose recipe has log_prob")
    try:
        against = open_data(source, find_data_directory(source, data_dir) or run.data_dir)
    except InputError as error:
        raise InputError(f"--against: {error}") from error
    if against.spec.shape != shape:
        raise InputError(f"--against {source}: expected examples of shape {shape}, not {against.spec.shape}")
    if run.recipe.levels is not None and not against.spec.unit_interval:
        raise InputError(f"--against {source}: expected values in [0, 1]")
    return against


def open_all(options: Options) -> Opened:
    """Open the runs and the data that the options name; InputError unless they fit together."""
    run = runs.open_run(options)
    against = open_against(run, options.against, options.data_dir)
    check_accepts(options.run, run, measure_nll(run.recipe, options.num_samples), against)

    def load_beside(option: str, path: str) -> Run:
        shape, dataset = run.dataset.spec.shape, run.dataset
        return runs.load_beside(option, path, options.data_dir, shape, trust=options.trust, dataset=dataset)

    background = classifier = None
    if options.background is not None:
        background = load_beside("--background", options.background)
        given = f"--background {options.background}"
        if background.recipe.log_prob is None:
            raise InputError(f"{given}: expected a run of a family whose recipe has log_prob")
        if describe_units(background) != describe_units(run):
            raise InputError(f"{given}: expected a model of {describe_units(run)}, not of {describe_units(background)}")
        check_accepts(given, background, measure_nll(background.recipe, options.num_samples), against)
        if background.dataset.fingerprint != run.dataset.fingerprint:
            warn(f"{given} was trained on other data than {options.run}")

    if options.classifier is not None:
        classifier = load_beside("--classifier", options.classifier)
        given = f"--classifier {options.classifier}"
        if classifier.recipe.classify is None:
            raise InputError(f"{given}: expected a run of a family that classifies")
        check_accepts(given, classifier, max_log_probability(classifier), against)
    return Opened(run, against, background, classifier)


def check_accepts(given: str, reader: Run, function: Callable, against: Dataset) -> None:
    """InputError unless a model takes the other data set, prepared as in its run and without labels."""

    def on_few(key: jax.Array, model: PyTree, x: jax.Array) -> jax.Array:
        return function(key, model, prepare_batch(reader.prepare, key, {"x": x}, None))

    try:
        jax.eval_shape(on_few, reader.keys[0].validate, reader.models[0], against.test["x"][:2])
    except (ValueError, TypeError, AssertionError) as error:
        raise InputError(f"{given} cannot score --against {against.source}: {first_line(error)}") from error


def line(name: str, found: Detection) -> str:
    """`name (meaning): auroc ...`, the threshold and both rates."""
    rates = f"false positives {100 * found.false_positive_rate:.2f} %, "
    rates += f"true positives {100 * found.true_positive_rate:.2f} %"
    auroc = estimates.line("auroc", found.auroc)
    return f"{name} ({found.meaning}): {auroc}; at threshold {found.threshold:.6g} {rates}"


def output_folder(options: Options, run: Run) -> pathlib.Path:
    """A folder for each choice of options, which may contain paths of any length."""
    named = ("against", "background", "classifier", "false_positive_rate", "num", "num_samples")
    described = "_".join(str(getattr(options, name)) for name in named)
    name = re.sub(r"[^\w.-]+", "_", described)
    if name != described or len(name) > 100:
        name = f"{name[:80]}_{zlib.crc32(described.encode()):08x}"
    return run.path / "detect" / name


def write(
    options: Options,
    arguments: list[str],
    opened: Opened,
    scores: Mapping[str, Score],
    found: Mapping[str, Detection],
) -> list[str]:
    """Write detection.json and its picture and update the report if there is one; returns the files."""
    run, against, *others = opened
    folder = output_folder(options, run)
    folder.mkdir(parents=True, exist_ok=True)
    numbers, picture = folder / "detection.json", added.place(run, f"detect_{folder.name}")
    models = {
        name: reader and {key: reader.record[key] for key in ("config", "values", "data_fingerprint")}
        for name, reader in zip(("run", *_BESIDE), (run, *others), strict=True)
    }
    result = {
        "against": {"data": against.source, "data_fingerprint": against.fingerprint},
        "false_positive_rate": options.false_positive_rate,
        "num_samples": options.num_samples,
        "scores": {name: {**each._asdict(), "auroc": each.auroc._asdict()} for name, each in found.items()},
        "confidence": confidence(scores["classifier"]) if "classifier" in scores else None,
    }
    origin = provenance.origin(["detect", *arguments], jax.local_devices())
    files.write_json(numbers, {**models, **result, "provenance": origin})
    record = results.write(run, "detect", options, {**result, **{name: models[name] for name in _BESIDE}})
    panels = [
        (f"{name}: AUROC {each.auroc.value:.3f}", each.meaning, *scores[name][1:], each.threshold)
        for name, each in found.items()
    ]
    charts.save_histograms(picture, panels)
    caption = f"Scores of the test examples of {run.dataset.source} (in-distribution) and of {against.source} "
    caption += "(out-of-distribution); higher means less like the training data. "
    caption += f"The false positive rate at the threshold is at most {100 * options.false_positive_rate:g} %."
    reported = html.add(run, f"Out-of-distribution detection: {options.against}", picture, caption)
    return [str(path) for path in (picture, numbers, record, *reported)]


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train detect", description=__doc__)
    opened = open_all(options)
    scores = score_all(opened, options.num, options.num_samples)
    found = {name: evaluate_score(score, options.false_positive_rate) for name, score in scores.items()}
    print(*(line(name, each) for name, each in found.items()), sep="\n")
    for side, largest in confidence(scores["classifier"]).items() if "classifier" in scores else ():
        name = side.replace("_", "-")
        print(f"largest class probability, {name}: mean {largest['mean']:.4f}, median {largest['median']:.4f}")
    print(*write(options, arguments, opened, scores, found), sep="\n")
