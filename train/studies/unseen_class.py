"""An unseen class: classifiers and class densities trained on cats and birds, tested on dogs and everything else.

    python -m train study unseen_class [--data cifar10_4k] [--known 3 2]

A classifier of cats and birds calls every image a cat or a bird. Whether it may say "neither" is asked of two scores:
1 minus its largest probability, and -log p(x) of the density of both classes. Images are averaged over blocks of 4 x 4
pixels; classifiers are logistic regression and a random forest, discriminative, and the linear discriminant, Gaussians
of one covariance (train/studies/classifiers/other_classifiers.py), which has both p(y | x) and p(x).
"""

import dataclasses
import datetime
import time

import jax
import numpy as np
from scipy.special import log_softmax

from train import runs
from train.data import Dataset, are_images, open_data
from train.data.order import epoch_order
from train.engine import files, run_directory
from train.engine.record import provenance
from train.errors import InputError
from train.experiment import Count, Seed, Size
from train.studies.classifiers import curves
from train.studies.classifiers import other_classifiers as others

_BLOCK = 4  # pixels
_FALSE_POSITIVES = 0.05

Array = np.ndarray


@dataclasses.dataclass(kw_only=True)
class Options:
    """Data and classes, repeats and destination."""

    data: str = "cifar10_4k"
    """Images with labels."""
    data_dir: str | None = None
    """Directory of data sets by name; None: JAXGEN_DATA, else where `data fetch` writes."""
    known: tuple[Count, Count] = (3, 2)
    """The two classes that are trained on; of CIFAR-10 cat and bird."""
    repeats: Size = 10
    """Random divisions of the known classes into two thirds for training and one third for testing."""
    seed: Seed = 0
    """Seed of the divisions and of the forest."""
    out: str = "runs/unseen_class"
    """Directory of the results."""


def average_blocks(x: Array) -> Array:
    """Images [N, H, W, C] of bytes as vectors in [0, 1]: means of blocks, [N, D]."""
    num, height, width, channels = x.shape
    rows, columns = height // _BLOCK, width // _BLOCK
    cut = x[:, : rows * _BLOCK, : columns * _BLOCK].astype(np.float64) / 255
    return cut.reshape(num, rows, _BLOCK, columns, _BLOCK, channels).mean(axis=(2, 4)).reshape(num, -1)


def fit(x: Array, y: Array, seed: int) -> tuple[others.Discriminant, dict[str, others.Classifier]]:
    """The density of both classes, and classifiers by name: x [N, D] -> log p(y | x) [N, K]."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    model = others.fit_discriminant(x, y)
    regression = LogisticRegression(max_iter=5000).fit(x, y)
    forest = RandomForestClassifier(random_state=seed).fit(x, y)
    return model, {
        "linear discriminant": lambda x: log_softmax(others.log_joint(model, x), axis=1),
        "logistic regression": regression.predict_log_proba,
        "random forest": lambda x: np.log(np.maximum(forest.predict_proba(x), 1e-9)),
    }


def detection(known: Array, unseen: Array) -> dict[str, float]:
    """AUROC of a score, and the share of unseen examples rejected where 5 % of the known are: [N], [M]."""
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([0, 1], [len(known), len(unseen)])
    threshold = np.quantile(known, 1 - _FALSE_POSITIVES)
    rejected = float(np.mean(unseen > threshold))
    return {"auroc": float(roc_auc_score(truth, np.concatenate([known, unseen]))), "rejected": rejected}


def measure(x: Array, y: Array, known: tuple[int, int], seed: int, repeat: int) -> dict[str, float]:
    """All numbers of one division of the known classes, by "class: score: number"."""
    rows = np.flatnonzero(np.isin(y, known))
    rows = rows[epoch_order(seed, repeat, len(rows))]
    train, test = np.split(rows, [2 * len(rows) // 3])
    density, classifiers = fit(x[train], y[train], seed)
    unseen = {label: x[y == label] for label in np.unique(y) if label not in known}
    found = {}

    def compare(score: str, scores: dict[int, Array], known_scores: Array) -> None:
        for label, values in scores.items():
            for name, value in detection(known_scores, values).items():
                found[f"{label}: {score}: {name}"] = value

    for name, classify in classifiers.items():
        on_test, first = classify(x[test]), min(known)
        found[f"known: {name}: accuracy"] = float(np.mean(np.array(sorted(known))[on_test.argmax(1)] == y[test]))
        found[f"known: {name}: confidence"] = float(np.exp(on_test).max(1).mean())
        on_unseen = {label: classify(images) for label, images in unseen.items()}
        for label, log_p in on_unseen.items():
            found[f"{label}: {name}: confidence"] = float(np.exp(log_p).max(1).mean())
            found[f"{label}: {name}: called {first}"] = float(np.mean(log_p.argmax(1) == 0))
        compare(name, {label: -log_p.max(1) for label, log_p in on_unseen.items()}, -on_test.max(1))
    densities = {label: -others.log_density(density, images) for label, images in unseen.items()}
    compare("-log p(x)", densities, -others.log_density(density, x[test]))
    return found


def open_inputs(options: Options) -> Dataset:
    """Open the data; InputError for data or classes that cannot be used."""
    dataset = open_data(options.data, options.data_dir)
    labels = dataset.spec.num_classes
    if labels is None or not are_images(dataset.train["x"]) or dataset.train["x"].dtype != np.uint8:
        raise InputError(f"--data {options.data}: expected images of bytes with labels")
    if len(set(options.known)) < 2 or max(options.known) >= labels or labels < 3:
        raise InputError(f"--known {options.known}: expected two of the classes 0 to {labels - 1}, and one more")
    return dataset


def main(arguments: list[str]) -> None:
    """Run the command line."""
    started = time.perf_counter()
    options = runs.bind(Options, arguments, prog="python -m train study unseen_class", description=__doc__)
    dataset = open_inputs(options)
    out = run_directory.make_directory("--out", options.out)
    origin = provenance.origin(["study", "unseen_class", *arguments], jax.local_devices())
    parts = dataset.train, dataset.valid, dataset.test
    x, y = (np.concatenate([part[name] for part in parts]) for name in ("x", "y"))
    x = average_blocks(x)
    repeats = [measure(x, y, options.known, options.seed, repeat) for repeat in range(options.repeats)]
    found = {name: curves.mean(np.array([each[name] for each in repeats])) for name in repeats[0]}
    result = {
        "values": {name: value for name, value in vars(options).items() if name not in ("data_dir", "out")},
        "data_fingerprint": dataset.fingerprint,
        "results": {name: estimate._asdict() for name, estimate in found.items()},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "provenance": origin | {"seconds": round(time.perf_counter() - started, 1)},
    }
    for name, estimate in found.items():
        interval = "" if estimate.low is None else f" [{estimate.low:.4f}, {estimate.high:.4f}]"
        print(f"{name} {estimate.value:.4f}{interval}")
    files.write_json(out / "unseen_class.json", result)
    print(out / "unseen_class.json")
