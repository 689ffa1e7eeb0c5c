"""Samples of a class from an unconditional model and a classifier, by Bayes' rule: p(x | y) = p(y | x) p(x) / p(y).

    python -m train condition RUN --classifier RUN --y 3 5 [--pool 2000] [--num 64]

Sampling-importance-resampling (Rubin 1988): of a pool x_1 ... x_N from p(x), some are chosen in proportion to the
weights w_i = p(y | x_i), as evenly as can be (systematic resampling, Kitagawa 1996): of n, x_i is n w_i / sum w,
rounded up or down. As N grows they become draws from p(x | y), which is no better than model and classifier are: one
that is never sure chooses hardly at all. The weights are worth as many samples as their effective size (sum w)^2 / sum
w^2; their mean estimates p(y), which is held against the classifier's training data.

Writes condition/<y>.png and condition/<y>.npz into the run, and prints for each class what the weights are worth and,
with intervals, how many of the chosen another classifier, that of --features, calls y. Of several seeds the first is
used.
"""

import dataclasses
import pathlib
from typing import NamedTuple

import jax
import numpy as np

from train import runs
from train.engine.compile import over_examples, prepare_examples
from train.errors import InputError
from train.evaluation import estimates, features, samples
from train.experiment import Count, Seed, Size
from train.report import html, images
from train.runs import Run

_BATCH_SIZE = 500
_COLUMNS = 16


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which model, which classifier, which classes."""

    classifier: str
    """Run of a classifier of such examples, of any family that has probabilities of classes."""
    y: tuple[Count, ...]
    """Classes to draw, each out of the same pool; a row of the picture for each, where there are several."""
    pool: Size = 2000
    """Samples of the model, of which some are chosen."""
    num: Size = 64
    """Samples to choose, in equal shares of the classes, rounded down."""
    seed: Seed = 0
    """Other seeds give another pool."""
    features: str | None = None
    """Run of another classifier that judges what was chosen, or "none"; None: one of images with labels, trained once
    for a data set."""


class Resampled(NamedTuple):
    """What was chosen of a pool, and what its weights are worth."""

    rows: np.ndarray  # [num]
    effective_size: float


def check(options: Options, run: Run) -> None:
    """InputError for a run or options that cannot be, before anything is drawn."""
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
        raise InputError(f"--features {given}: expected another run than --classifier, whose choices are judged")


def open_classifier(options: Options, run: Run) -> Run:
    """The run of --classifier; InputError unless it classifies examples of this shape into all of --y."""
    shape, given = run.dataset.spec.shape, f"--classifier {options.classifier}"
    judge = runs.load_beside("--classifier", options.classifier, options.data_dir, shape)
    if judge.recipe.classify is None:
        raise InputError(f"{given}: expected the run of a family that classifies")
    if judge.prepare.log_det is not None:
        raise InputError(f"{given}: expected a classifier that takes samples; dequantized data are none")
    num_classes = judge.dataset.spec.num_classes or 0
    for y in options.y:
        if y >= num_classes:
            raise InputError(f"--y {y}: expected classes of the classifier, which has {num_classes}")
    return judge


def log_weights(judge: Run, key: jax.Array, x: np.ndarray) -> np.ndarray:
    """Log p(y | x) of every class, of x as data is stored, images in [0, 1]: float64 [N, K]."""
    classify = judge.recipe.classify
    assert classify is not None
    key_prepare, key_classify = jax.random.split(key)
    # The classifier sees samples as it sees data: scaled, or binarized anew, as its config has it.
    prepared = prepare_examples(judge.prepare, key_prepare, {"x": x})
    on_batches = over_examples(lambda key, model, batch: classify(key, model, batch["x"]), batch_size=_BATCH_SIZE)
    return on_batches(key_classify, judge.models[0], prepared).astype(np.float64)


def resample(log_weights: np.ndarray, num: int, seed: int) -> Resampled:
    """Choose `num` of a pool with these log-weights [N], in any order."""
    random = np.random.default_rng(seed)
    weights = np.exp(log_weights - log_weights.max())
    upto = np.cumsum(weights)
    evenly = (np.arange(num) + random.uniform()) * upto[-1] / num
    rows = random.permutation(np.searchsorted(upto, evenly, side="right"))
    return Resampled(rows, float(weights.sum() ** 2 / np.square(weights).sum()))


def describe(
    label: int, found: Resampled, log_weights: np.ndarray, judge: Run, called: np.ndarray | None, name: str
) -> list[str]:
    """Lines to print of one class; `called` says of every pool member whether another classifier calls it so [N]."""
    train = judge.dataset.train["y"]
    lines = [
        f"y {label}: effective sample size {found.effective_size:.0f} of {len(log_weights)}, "
        f"{len(found.rows)} chosen, {len(np.unique(found.rows))} of them different",
        estimates.line(
            f"y {label}: p(y)",
            estimates.estimate(f"of 1 (training data: {(train == label).mean():.4g})", [np.exp(log_weights)]),
        ),
    ]
    if called is not None:
        for what, rows in (("of the chosen", found.rows), ("of the pool", np.arange(len(called)))):
            share = estimates.estimate(f"of 1, {name}", [called[rows].astype(np.float64)])
            lines.append(estimates.line(f"y {label}: called so {what}", share))
    return lines


def condition(options: Options, run: Run) -> list[str]:
    """Draw, weigh, choose, judge and write: the lines to print."""
    check(options, run)
    judge = open_classifier(options, run)
    look = features.choose(run, options.features)
    key_pool, key_weigh = jax.random.split(jax.random.fold_in(run.keys[0].sample, options.seed))
    pool = samples.draw(run, run.models[0], key_pool, options.pool)
    of_classes = log_weights(judge, key_weigh, pool)
    called = None if look is None or look.classify is None else look.classify(pool)

    lines, chosen = [], []
    for number, label in enumerate(options.y):
        if not np.isfinite(of_classes[:, label].max()):
            raise InputError(f"--y {label}: expected a class that --classifier finds possible for any of the pool")
        found = resample(of_classes[:, label], options.num // len(options.y), options.seed + number)
        is_called = None if called is None else called == label
        lines += describe(label, found, of_classes[:, label], judge, is_called, look.name if look else "")
        chosen.append(found.rows)
    rows = np.stack(chosen)

    folder, name = run.path / "condition", "_".join(map(str, options.y))
    folder.mkdir(exist_ok=True)
    picture, numbers = folder / f"{name}.png", folder / f"{name}.npz"
    np.savez_compressed(numbers, x=pool[rows], y=np.array(options.y), rows=rows, log_weights=of_classes)
    written = [numbers]
    columns = rows.shape[1] if len(rows) > 1 else _COLUMNS
    if images.save_examples(picture, pool[rows.ravel()], columns):
        of = "class" if len(rows) == 1 else "classes, a row each,"
        caption = f"Samples of the {of} {' '.join(map(str, options.y))}, chosen out of {len(pool)} of the model by "
        caption += f"{judge.record['config']}. {'. '.join(lines)}."
        title = f"Samples of class {' '.join(map(str, options.y))} by a classifier"
        written = [picture, numbers, *html.add(run, title, picture, caption)]
    return [*map(str, written), *lines]


def main(arguments: list[str]) -> None:
    """The command line."""
    options = runs.bind(Options, arguments, prog="python -m train condition", description=__doc__)
    print(*condition(options, runs.open_run(options)), sep="\n")
