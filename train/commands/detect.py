"""Whether a run tells the examples of another data set from its own, by what it says of them.

    python -m train detect RUN --against fashion_mnist [--background RUN] [--classifier RUN] [--false-alarm 0.05]

Test examples of the run's data are inliers, those of the other set outliers, and a score is the higher the less an
example belongs: -log p(x); that in bits, less the bits of x as a PNG (Serra et al. 2020); with --background, a run on
mutated pixels of the same data, the likelihood ratio (Ren et al. 2019); with --classifier how unsure that is of its
class (Hendrycks & Gimpel 2017). Writes outliers.json and outliers.png into a folder of the run, `outliers/` and a name
made of the options. Of several seeds the first one's model is asked.
"""

import dataclasses
import pathlib
import re
import zlib
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from jaxgen.recipe import PyTree
from train import runs
from train.data import Dataset, directory_of, open_data
from train.engine import provenance, run_directory
from train.engine.compile import prepare_batch
from train.errors import InputError, first_line, warn
from train.evaluation import estimates
from train.evaluation.evaluators.likelihood import measure_nll
from train.evaluation.out_of_distribution import Opened, Score, Verdict, confidence, judge, measure_largest, score_all
from train.experiment import Share, Size
from train.report import charts, html
from train.runs import Run


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which run, what it is held against, and who else is asked."""

    against: str
    """Data set whose test examples are the outliers, of the same shape."""
    background: str | None = None
    """Run on mutated pixels of the same data (--mutation), for the likelihood ratio."""
    classifier: str | None = None
    """Run of a classifier of examples of this shape, for how sure it is of what it never saw."""
    false_alarm: Share = 0.05
    """Share of inliers that may be rejected."""
    num: Size = 2000
    """Examples of either set, at most."""
    num_samples: Size = 500
    """Importance samples for each example, where log p(x) is bounded from below."""


def open_all(options: Options) -> Opened:
    """Open what the options name; InputError for what cannot be held against the run."""
    run = runs.open_run(options)
    shape = run.dataset.spec.shape
    if run.recipe.log_prob is None:
        raise InputError(f"{options.run} is of a family without log p(x); expected one whose recipe has log_prob")
    try:
        against = open_data(options.against, directory_of(options.against, options.data_dir) or run.data_dir)
    except InputError as error:
        raise InputError(f"--against: {error}") from error
    if against.spec.shape != shape:
        raise InputError(f"--against {options.against}: expected examples of shape {shape}, not {against.spec.shape}")
    if run.recipe.levels is not None and not against.spec.unit_interval:
        raise InputError(f"--against {options.against}: expected values in [0, 1]")
    check_takes(options.run, run, measure_nll(run.recipe, options.num_samples), against)

    background = classifier = None
    if options.background is not None:
        background = runs.load_beside("--background", options.background, options.data_dir, shape)
        given = f"--background {options.background}"
        if background.recipe.log_prob is None:
            raise InputError(f"{given}: expected a run of a family whose recipe has log_prob")
        if range_of(background) != range_of(run):
            raise InputError(f"{given}: expected a model of {range_of(run)}, not of {range_of(background)}")
        check_takes(given, background, measure_nll(background.recipe, options.num_samples), against)
        if background.dataset.fingerprint != run.dataset.fingerprint:
            warn(f"{given} was trained on other data than {options.run}")

    if options.classifier is not None:
        classifier = runs.load_beside("--classifier", options.classifier, options.data_dir, shape)
        given = f"--classifier {options.classifier}"
        if classifier.recipe.classify is None:
            raise InputError(f"{given}: expected a run of a family that classifies")
        check_takes(given, classifier, measure_largest(classifier), against)
    return Opened(run, against, background, classifier)


def range_of(reader: Run) -> str:
    """The values that log p(x) is of: two of them compare where these are the same."""
    black, white = reader.prepare.to_unit(jnp.array([0.0, 1.0]))
    levels = f"{reader.recipe.levels} values" if reader.recipe.levels else "a density"
    return f"{levels} in units whose 0 is the grey value {black:g} and whose 1 is {white:g}"


def check_takes(given: str, reader: Run, function: Callable, against: Dataset) -> None:
    """InputError unless a model can be asked about outliers as its run prepares them, of whatever class they are."""

    def on_few(key: jax.Array, model: PyTree, x: jax.Array) -> jax.Array:
        return function(key, model, prepare_batch(reader.prepare, key, {"x": x}, None))

    try:
        jax.eval_shape(on_few, reader.keys[0].validate, reader.models[0], against.test["x"][:2])
    except (ValueError, TypeError, AssertionError) as error:
        raise InputError(f"{given} cannot be asked about --against {against.source}: {first_line(error)}") from error


def line(name: str, found: Verdict) -> str:
    """`name (meaning): auroc ...`, and what lies above the threshold."""
    shares = f"{100 * found.inliers_rejected:.2f} % of inliers and {100 * found.outliers_rejected:.2f} % of outliers"
    return f"{name} ({found.meaning}): {estimates.line('auroc', found.auroc)}; above {found.threshold:.6g} are {shares}"


def folder_of(options: Options, run: Run) -> pathlib.Path:
    """Another folder for other options; a source or a run may be a path, of any length."""
    named = ("against", "background", "classifier", "false_alarm", "num", "num_samples")
    described = "_".join(str(getattr(options, name)) for name in named)
    name = re.sub(r"[^\w.-]+", "_", described)
    if name != described or len(name) > 100:
        name = f"{name[:80]}_{zlib.crc32(described.encode()):08x}"
    return run.path / "outliers" / name


def write(
    options: Options,
    arguments: list[str],
    opened: Opened,
    scores: Mapping[str, Score],
    verdicts: Mapping[str, Verdict],
) -> list[str]:
    """Write outliers.json and outliers.png, and renew the report where there is one: the files."""
    run, against, *beside = opened
    folder = folder_of(options, run)
    folder.mkdir(parents=True, exist_ok=True)
    numbers, picture = folder / "outliers.json", folder / "outliers.png"
    asked = {
        name: reader and {key: reader.record[key] for key in ("config", "values", "data_fingerprint")}
        for name, reader in zip(("run", "background", "classifier"), (run, *beside), strict=True)
    }
    result = {
        **asked,
        "against": {"data": against.source, "data_fingerprint": against.fingerprint},
        "false_alarm": options.false_alarm,
        "num_samples": options.num_samples,
        "scores": {name: {**found._asdict(), "auroc": found.auroc._asdict()} for name, found in verdicts.items()},
        "confidence": confidence(scores["classifier"]) if "classifier" in scores else None,
        "provenance": provenance.origin(["detect", *arguments], jax.local_devices()),
    }
    run_directory.write_json(numbers, result)
    panels = [
        (f"{name}: AUROC {found.auroc.value:.3f}", found.meaning, *scores[name][1:], found.threshold)
        for name, found in verdicts.items()
    ]
    charts.save_histograms(picture, panels)
    sets = f"{run.dataset.source} (inliers) and of {against.source} (outliers)"
    caption = f"Scores of test examples of {sets}: the higher, the less an example belongs."
    caption += f" At most {100 * options.false_alarm:g} % of inliers lie above the threshold."
    reported = html.add(run, f"Outliers: {options.against}", picture, caption)
    return [str(path) for path in (picture, numbers, *reported)]


def main(arguments: list[str]) -> None:
    """The command line."""
    options = runs.bind(Options, arguments, prog="python -m train detect", description=__doc__)
    opened = open_all(options)
    scores = score_all(opened, options.num, options.num_samples)
    verdicts = {name: judge(score, options.false_alarm) for name, score in scores.items()}
    print(*(line(name, found) for name, found in verdicts.items()), sep="\n")
    for side, sure in confidence(scores["classifier"]).items() if "classifier" in scores else ():
        print(f"largest class probability of {side}: mean {sure['mean']:.4f}, median {sure['median']:.4f}")
    print(*write(options, arguments, opened, scores, verdicts), sep="\n")
