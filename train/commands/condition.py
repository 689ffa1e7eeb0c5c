"""Sample a class from an unconditional model and a classifier, by Bayes' rule: p(x | y) = p(y | x) p(x) / p(y).

    python -m train condition RUN --classifier RUN --y 3 5 [--pool 2000] [--num 64]

Sampling-importance-resampling (Rubin 1988): draw a pool x_1 ... x_N from p(x) and resample n of it with weights
w_i = p(y | x_i). Resampling is systematic (Kitagawa 1996): x_i is drawn n w_i / sum w times, rounded up or down. As N
grows the result converges to draws from p(x | y), as good as the model and the classifier are; an unsure classifier
hardly selects. The effective sample size is (sum w)^2 / sum w^2. The mean weight estimates p(y), and is compared with
the share of y in the classifier's training data.

Writes figures/condition_<y>.png, condition/<y>.npz and results/condition.json into the run. Prints the effective sample
size of each class and, with intervals, the share of selected samples that a second classifier, that of --features,
assigns to y. With several seeds the first seed's model is used.
"""

import dataclasses
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from train import runs
from train.engine import files
from train.engine.compile import over_examples, prepare_examples
from train.errors import InputError
from train.evaluation import estimates, features, samples
from train.evaluation.estimates import Estimate
from train.experiment import Count, Seed, Size
from train.report import added, html, results
from train.report.drawing import images
from train.runs import Run

_BATCH_SIZE = 500
_COLUMNS = 16


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which model, which classifier, which classes."""

    classifier: str
    """Run of a classifier of such examples; any family with class probabilities."""
    y: tuple[Count, ...]
    """Classes to draw, all from the same pool; with several classes, a row of the picture each."""
    pool: Size = 2000
    """Size of the pool of samples from the model."""
    num: Size = 64
    """Samples to select, divided equally among the classes, rounded down."""
    seed: Seed = 0
    """Seed of the pool and of the selection."""
    features: str | None = None
    """Run of the second classifier, or "none"; None: for images with labels, one that is trained once per data set."""


class Resampled(NamedTuple):
    """The selected rows of a pool, and the effective sample size of its weights."""

    rows: np.ndarray  # [num]
    effective_size: float


def check(options: Options, run: Run) -> None:
    """InputError for a run or options that cannot be used, before anything is drawn."""
    if run.recipe.sample is None:
        raise InputError(f"{options.run} is of a family that cannot sample")
    if run.recipe.conditional:
        raise InputError(
            f"{options.run} is conditional on a class and needs no classifier; expected `python -m train sample --y`"
        )
    if not options.y:
        raise InputError("--y: expected at least one class")
    if options.num < len(options.y):
        raise InputError(f"--num {options.num}: expected at least one sample of each of the {len(options.y)} classes")
    given = options.features
    if given not in (None, "x", "none") and pathlib.Path(given).resolve() == pathlib.Path(options.classifier).resolve():
        raise InputError(f"--features {given}: expected another run than --classifier, whose selection it evaluates")


def open_classifier(options: Options, run: Run) -> Run:
    """The run of --classifier; InputError unless it classifies examples of this shape, with all classes of --y."""
    shape, given = run.dataset.spec.shape, f"--classifier {options.classifier}"
    classifier = runs.load_beside(
        "--classifier", options.classifier, options.data_dir, shape, trust=options.trust, dataset=run.dataset
    )
    if classifier.recipe.classify is None:
        raise InputError(f"{given}: expected the run of a family that classifies")
    if classifier.prepare.log_det is not None:
        raise InputError(f"{given}: expected a classifier that takes samples; dequantized data are none")
    num_classes = classifier.dataset.spec.num_classes or 0
    for y in options.y:
        if y >= num_classes:
            raise InputError(f"--y {y}: expected classes of the classifier, which has {num_classes}")
    return classifier


def log_weights(classifier: Run, key: jax.Array, x: np.ndarray) -> np.ndarray:
    """log p(y | x) of every class, for x as stored, images in [0, 1]: float64 [N, K]."""
    classify = classifier.recipe.classify
    assert classify is not None
    key_prepare, key_classify = jax.random.split(key)
    # The classifier sees samples as it sees data: scaled or binarized, as its config has it.
    prepared = prepare_examples(classifier.prepare, key_prepare, {"x": x})
    on_batches = over_examples(lambda key, model, batch: classify(key, model, batch["x"]), batch_size=_BATCH_SIZE)
    return on_batches(key_classify, classifier.models[0], prepared).astype(np.float64)


def resample(log_weights: np.ndarray, num: int, seed: int) -> Resampled:
    """Systematic resampling of `num` members of a pool, in random order: log-weights [N] -> rows [num]."""
    random = np.random.default_rng(seed)
    weights = np.exp(log_weights - log_weights.max())
    cumulative = np.cumsum(weights)
    positions = (np.arange(num) + random.uniform()) * cumulative[-1] / num
    rows = random.permutation(np.searchsorted(cumulative, positions, side="right"))
    return Resampled(rows, float(weights.sum() ** 2 / np.square(weights).sum()))


class Selected(NamedTuple):
    """What is known of the samples of one class."""

    effective_size: float
    pool: int
    selected: int
    distinct: int
    p_y: Estimate
    assigned: dict[str, Estimate]  # shares that the second classifier, if any, assigns to the class


def measure(
    label: int, found: Resampled, log_weights: np.ndarray, classifier: Run, called: np.ndarray | None, name: str
) -> Selected:
    """Measure the samples of one class; `called` [N] says where the second classifier assigns the class."""
    share = (classifier.dataset.train["y"] == label).mean()
    sets = {} if called is None else {"selected": called[found.rows], "pool": called}
    return Selected(
        found.effective_size,
        len(log_weights),
        len(found.rows),
        len(np.unique(found.rows)),
        estimates.estimate(f"of 1 (training data: {share:.4g})", [np.exp(log_weights)]),
        {what: estimates.estimate(f"of 1, {name}", [each.astype(np.float64)], most=1) for what, each in sets.items()},
    )


def describe(label: int, found: Selected) -> list[str]:
    """Lines to print for one class."""
    return [
        f"y {label}: effective sample size {found.effective_size:.0f} of {found.pool}, "
        f"{found.selected} selected, {found.distinct} of them distinct",
        estimates.line(f"y {label}: p(y)", found.p_y),
        *(
            estimates.line(f"y {label}: assigned by the second classifier, {what}", share)
            for what, share in found.assigned.items()
        ),
    ]


def condition(options: Options, run: Run) -> list[str]:
    """Draw, weight, select, evaluate and write; returns the lines to print."""
    check(options, run)
    classifier = open_classifier(options, run)
    second = features.choose(run, options.features)
    key_pool, key_weigh = jax.random.split(jax.random.fold_in(run.keys[0].sample, options.seed))
    pool = samples.draw(run, run.models[0], key_pool, options.pool)
    weights = log_weights(classifier, key_weigh, pool)
    called = None if second is None or second.classify is None else second.classify(pool)

    classes, selected = {}, []
    for number, label in enumerate(options.y):
        if not np.isfinite(weights[:, label].max()):
            raise InputError(f"--y {label}: expected a class with p(y | x) > 0 somewhere in the pool")
        found = resample(weights[:, label], options.num // len(options.y), options.seed + number)
        is_called = None if called is None else called == label
        name = second.name if second else ""
        classes[label] = measure(label, found, weights[:, label], classifier, is_called, name)
        selected.append(found.rows)
    rows = np.stack(selected)
    lines = [line for label, found in classes.items() for line in describe(label, found)]

    folder, name = run.path / "condition", "_".join(map(str, options.y))
    folder.mkdir(exist_ok=True)
    picture, numbers = added.place(run, f"condition_{name}"), folder / f"{name}.npz"
    files.write_arrays(numbers, {"x": pool[rows], "y": np.array(options.y), "rows": rows, "log_weights": weights})
    written = [numbers]
    columns = rows.shape[1] if len(rows) > 1 else _COLUMNS
    if images.save_examples(picture, pool[rows.ravel()], columns):
        which = "class" if len(rows) == 1 else "classes, a row each,"
        caption = f"Samples of the {which} {' '.join(map(str, options.y))}, selected from {len(pool)} samples of the "
        caption += f"model by {classifier.record['config']}. {'. '.join(lines)}."
        title = f"Samples of class {' '.join(map(str, options.y))} by a classifier"
        written = [picture, numbers, *html.add(run, title, picture, caption)]
    of = {key: classifier.record[key] for key in ("config", "values", "data_fingerprint")}
    record = results.write(run, "condition", options, {"classes": classes, "classifier": of})
    return [*map(str, written), str(record), *lines]


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train condition", description=__doc__)
    print(*condition(options, runs.open_run(options)), sep="\n")
