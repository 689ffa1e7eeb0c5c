"""Features in which samples are compared with data: those of a classifier, or raw values."""

import functools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.recipe import PyTree
from train import runs
from train.data import Dataset, split_stacked
from train.engine.compile import over_examples, prepare_examples
from train.engine.devices import processes
from train.errors import InputError
from train.evaluation.features import classifier
from train.runs import Run

_BATCH_SIZE = 500


class Features(NamedTuple):
    """A feature space; its name is part of the unit of every number measured in it."""

    name: str
    embed: Callable[[np.ndarray], np.ndarray]  # x [N, ...], images in [0, 1] -> [N, F]
    classify: Callable[[np.ndarray], np.ndarray] | None  # x -> labels [N]; None where there is no classifier


def check(given: str | None, dataset: Dataset, *, trust: bool) -> None:
    """InputError unless `given` is "x", "none", or the run of a classifier that takes this data.

    For None, where a classifier is trained and cached, the cache must be writable, and this process alone: of several
    none can save what it trains alone.
    """
    if given is None and _has_labelled_images(dataset):
        if processes.are_joined():
            raise InputError(
                "--features: expected x, none or the run of a classifier, which several processes do not train"
            )
        classifier.make_cache()
    elif given not in ("x", "none", None):
        _open(given, dataset, trust=trust)


def choose(run: Run, given: str | None) -> Features | None:
    """Features for the samples of a run; None where `given` is "none".

    `given` is the run of a classifier, "x" for raw values, or None: for images with labels a classifier that is trained
    once per data set and cached, for all other data raw values. InputError where the classifier does not take this
    data.
    """
    if given == "none":
        return None
    if given == "x" or (given is None and not _has_labelled_images(run.dataset)):
        name = "on pixels" if len(run.dataset.spec.shape) == 3 else "on x"
        return Features(name, lambda x: x.reshape(len(x), -1), None)
    stacked = run.dataset.source == "stacked_mnist"
    if given is None:
        trained = classifier.load_or_train("mnist" if stacked else run.experiment.data, run)
    else:
        trained = _open(given, run.dataset, trust=run.trust)
    return _stacked_features(trained) if stacked else _classifier_features(trained)


def _has_labelled_images(dataset: Dataset) -> bool:
    return len(dataset.spec.shape) == 3 and dataset.spec.num_classes is not None


def _classifier_features(trained: Run) -> Features:
    both = _compile(trained)
    return Features(_name(trained), lambda x: both(x)[0], lambda x: both(x)[1])


def _stacked_features(trained: Run) -> Features:
    """Features of stacked digits: a classifier of single digits, applied to each colour channel."""
    both = _compile(trained)

    def embed(x: np.ndarray) -> np.ndarray:
        return np.concatenate([both(colour)[0] for colour in split_stacked(x)], axis=1)

    def classify(x: np.ndarray) -> np.ndarray:
        hundreds, tens, ones = (both(colour)[1] for colour in split_stacked(x))
        return 100 * hundreds + 10 * tens + ones

    return Features(f"{_name(trained)} of each colour", embed, classify)


def _name(trained: Run) -> str:
    config = pathlib.Path(trained.record["config"]).stem
    return f"on features of {config} ({trained.dataset.source}, accuracy {classifier.accuracy(trained):.4f})"


def _compile(trained: Run) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Images in [0, 1] -> features [N, F] and labels [N]."""
    features, classify = trained.recipe.features, trained.recipe.classify
    assert features is not None
    assert classify is not None

    def both(key: jax.Array, model: PyTree, batch: dict) -> tuple[jax.Array, jax.Array]:
        return features(model, batch["x"]), classify(key, model, batch["x"]).argmax(axis=1)

    on_batches = over_examples(both, batch_size=_BATCH_SIZE)
    prepare = functools.partial(prepare_examples, trained.prepare, jax.random.key(0))
    return lambda x: on_batches(jax.random.key(0), trained.models[0], prepare({"x": x}))


def _open(given: str, dataset: Dataset, *, trust: bool) -> Run:
    stacked = dataset.source == "stacked_mnist"
    shape = (*dataset.spec.shape[:-1], 1) if stacked else dataset.spec.shape
    trained = runs.load_beside("--features", given, None, shape, trust=trust, dataset=dataset)
    if trained.recipe.features is None or trained.recipe.classify is None:
        raise InputError(f"--features {given}: expected the run of a classifier")
    prepare = trained.prepare
    if prepare.levels is not None or prepare.log_det is not None:
        raise InputError(
            f"--features {given}: expected a classifier of plain images, neither binarized nor dequantized"
        )
    classes = trained.dataset.spec.num_classes
    if dataset.spec.num_classes is not None and classes != (10 if stacked else dataset.spec.num_classes):
        raise InputError(f"--features {given}: expected a classifier of the data's classes, not of {classes}")
    return trained
