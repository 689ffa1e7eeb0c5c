"""Naive Bayes against logistic regression over the number of training examples (Ng & Jordan 2002).

    python -m train study crossing [--data mnist] [--sizes 10 100 1000] [--repeats 10] [--pixels drawn]

Both classifiers are fitted to the same random subsets of the training data, with binarized pixels, so that both are
linear (train/studies/classifiers/linear_pair.py). The claims of Ng & Jordan 2002, for D features:

1. With many examples the error of logistic regression is lower or equal (proposition 1).
2. Naive Bayes approaches its asymptotic error after O(log D) examples (corollary 6), logistic regression after O(D)
   (proposition 2). So naive Bayes may be ahead when examples are few.

`--pixels drawn` is the control: each image is redrawn, given its label, from naive Bayes fitted to the training data.
Then its assumption holds, the Bayes error is known, and both classifiers approach it.

`--others` fits an SVM, a tree, a forest and a linear discriminant to the same subsets, and draws images from the last
(train/studies/classifiers/other_classifiers.py).
"""

import dataclasses
import datetime
import pathlib
import time
from typing import Literal, NamedTuple

import jax
import numpy as np

from train import runs
from train.data import Dataset, are_images, open_data
from train.data.order import epoch_order
from train.engine import files, run_directory
from train.engine.record import provenance
from train.errors import InputError, warn
from train.evaluation.estimates import Estimate
from train.experiment import Rate, Seed, Size
from train.report import results
from train.report.drawing import charts, images
from train.studies.classifiers import curves, linear_pair, other_classifiers

_SIZES = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


class Row(NamedTuple):
    """Measurements at one number of training examples."""

    m: int
    naive_bayes: Estimate  # test error
    logistic_regression: Estimate
    difference: (
        Estimate  # naive Bayes - logistic regression on the same subsets: positive where the regression is ahead
    )
    steps: list[int]  # L-BFGS steps of the regression
    gradient_norm: list[float]  # at the end of each fit, nats
    others: dict[str, Estimate]  # test errors of further classifiers


@dataclasses.dataclass(kw_only=True)
class Options:
    """Data, sizes and repeats, hyper-parameters and destination."""

    data: str = "mnist"
    """Images with labels, or vectors in [0, 1]."""
    data_dir: str | None = None
    """Directory of data sets by name; None: JAXGEN_DATA, for tfds:NAME TFDS_DATA_DIR, or where `data fetch` writes."""
    sizes: tuple[Size, ...] = ()
    """Numbers of training examples; none: 10, 20, 50, 100, ... up to 10,000 or all."""
    repeats: Size = 10
    """Subsets of each size."""
    subsets: Literal["random", "balanced"] = "random"
    """Random subsets, or subsets with equally many examples of each class."""
    pixels: Literal["binarized", "drawn"] = "binarized"
    """Pixels of the data, or redrawn from naive Bayes, so that its assumption holds."""
    smoothing: Rate = 1.0
    """Pseudo-count of each value of a pixel in each class, for naive Bayes; 1 is Laplace smoothing."""
    l2: Rate = 1e-4
    """L2 penalty of logistic regression: l2 / 2 times the sum of squared weights is added to the mean NLL in nats."""
    others: bool = False
    """Fit further classifiers too."""
    seed: Seed = 0
    """Seed of the subsets, of redrawn pixels and of further classifiers."""
    out: str = "runs/crossing"
    """Directory of the results and the plot."""


def binarize(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Binarize pixels by a threshold at half of their range, the same in every repeat."""
    half = 127.5 if arrays["x"].dtype == np.uint8 else 0.5
    return {"x": (arrays["x"] > half).astype(np.uint8), "y": arrays["y"]}


def orders(y: np.ndarray, repeats: int, seed: int, subsets: str) -> np.ndarray:
    """Orders of the training rows [R, N]; a subset is the first m rows of one, so that subsets are nested."""

    def balance(order: np.ndarray) -> np.ndarray:
        rank = np.empty(len(order), int)  # first of its class, second, ...
        for label in np.unique(y):
            rank[y[order] == label] = np.arange(np.sum(y == label))
        return order[np.argsort(rank, kind="stable")]

    drawn = [epoch_order(seed, repeat, len(y)) for repeat in range(repeats)]
    return np.stack(drawn if subsets == "random" else [balance(order) for order in drawn])


def line(row: Row) -> str:
    """Format both errors and their difference, with intervals."""

    def format_estimate(found: Estimate, digits: str) -> str:
        interval = "" if found.low is None else f" [{found.low:{digits}}, {found.high:{digits}}]"
        return f"{found.value:{digits}}{interval}"

    naive_bayes, regression = (format_estimate(part, ".4f") for part in (row.naive_bayes, row.logistic_regression))
    errors = f"naive Bayes {naive_bayes}, logistic regression {regression}"
    others = "".join(f", {name} {format_estimate(found, '.4f')}" for name, found in row.others.items())
    return f"m {row.m}: error of {errors}, difference {format_estimate(row.difference, '+.4f')}{others}"


def run(options: Options, dataset: Dataset, sizes: list[int]) -> tuple[list[Row], float | None, dict]:
    """Measure and print every size: rows, the Bayes error where it is known, and the first subset of the last size."""
    spec = dataset.spec
    assert spec.num_classes is not None
    pair = linear_pair.make_pair(spec.shape, spec.num_classes, smoothing=options.smoothing, l2=options.l2)
    key_fit, key_draw = jax.random.split(jax.random.key(options.seed))
    train, test = jax.device_put((binarize(dataset.train), binarize(dataset.test)))
    least = None
    if options.pixels == "drawn":
        train, test, least = linear_pair.redraw(pair, key_draw, train, test)
        print(f"error of the naive Bayes that drew the pixels {least:.4f}")
    fitted, tested = (jax.tree.map(np.asarray, part) for part in (train, test))
    rows = orders(dataset.train["y"], options.repeats, options.seed, options.subsets)
    measure = jax.jit(lambda *arrays: linear_pair.measure(pair, key_fit, *arrays))
    table = []
    for size in sizes:
        found = jax.tree.map(np.asarray, measure(train, test, rows[:, :size]))
        generative, regression = (found[name].astype(np.float64) for name in ("naive_bayes", "logistic_regression"))
        others = other_classifiers.measure(fitted, tested, rows[:, :size], options.seed) if options.others else {}
        row = Row(
            size, curves.mean(generative), curves.mean(regression), curves.mean(generative - regression),
            found["steps"].tolist(), found["gradient_norm"].tolist(),
            {name: curves.mean(errors) for name, errors in others.items()},
        )  # fmt: skip
        table.append(row)
        print(line(row), flush=True)
        if stopped := int(np.sum(~(found["gradient_norm"] <= linear_pair.TOLERANCE))):
            warn(f"m {size}: {stopped} of {options.repeats} fits stopped before the gradient vanished")
    return table, least, {name: array[rows[0, : sizes[-1]]] for name, array in fitted.items()}


def open_inputs(options: Options) -> tuple[Dataset, list[int]]:
    """Open the data and check the sizes; InputError for data or sizes that cannot be used."""
    dataset = open_data(options.data, options.data_dir)
    spec = dataset.spec
    if spec.num_classes is None or not spec.unit_interval:
        raise InputError(f"--data {options.data}: expected labels, and values in [0, 1]")
    sizes = sorted(set(options.sizes)) or [size for size in _SIZES if size <= spec.num_train] or [spec.num_train]
    if sizes[-1] > spec.num_train:
        raise InputError(f"--sizes {sizes[-1]}: expected at most the {spec.num_train} training examples")
    return dataset, sizes


def draw_from_discriminant(path: pathlib.Path, x: np.ndarray, y: np.ndarray, seed: int) -> None:
    """A picture of eight images of each class, drawn from the linear discriminant of these examples."""
    model = other_classifiers.fit_discriminant(x.reshape(len(x), -1).astype(np.float64), y)
    drawn = other_classifiers.sample(model, np.tile(model.classes, 8), seed)
    images.save_examples(path, drawn.reshape(-1, *x.shape[1:]), columns=len(model.classes))


def main(arguments: list[str]) -> None:
    """Run the command line."""
    started = time.perf_counter()
    options = runs.bind(Options, arguments, prog="python -m train study crossing", description=__doc__)
    dataset, sizes = open_inputs(options)
    out = run_directory.make_directory("--out", options.out)
    origin = provenance.origin(["study", "crossing", *arguments], jax.local_devices())
    table, least, subset = run(options, dataset, sizes)
    errors = {
        "naive Bayes": [row.naive_bayes for row in table],
        "logistic regression": [row.logistic_regression for row in table],
    }
    found = curves.crossings(sizes, {name: [one.value or 0.0 for one in curve] for name, curve in errors.items()})
    result = {
        "values": {name: value for name, value in vars(options).items() if name not in ("data_dir", "out")},
        "data_fingerprint": dataset.fingerprint,
        "train_examples": dataset.spec.num_train,
        "test_examples": len(dataset.test["x"]),
        "least_error": least,
        "crossings": found,
        "sizes": results.plain(table),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "provenance": origin | {"seconds": round(time.perf_counter() - started, 1)},
    }
    files.write_json(out / "crossing.json", result)
    print("the curves", curves.tell(found))
    further = {name: [row.others[name] for row in table] for name in table[0].others}
    charts.save_crossing(out / "crossing.png", sizes, errors | further, least)
    print(out / "crossing.png")
    if options.others and are_images(dataset.train["x"]):
        draw_from_discriminant(out / "discriminant_samples.png", subset["x"], subset["y"], options.seed)
