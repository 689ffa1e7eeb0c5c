"""The features in which samples are compared with data: those of a classifier trained here, else x itself."""

import functools
import pathlib
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.recipe import PyTree
from train import runs
from train.data import Dataset, digits_of_stacked
from train.engine.compile import over_examples, prepare_examples
from train.errors import InputError
from train.evaluation import classifier
from train.runs import Run

_BATCH_SIZE = 500


class Features(NamedTuple):
    """How examples are looked at. `name` stands beside every number that is measured so."""

    name: str
    embed: Callable[[np.ndarray], np.ndarray]  # x [N, ...], images in [0, 1] -> [N, F]
    classify: Callable[[np.ndarray], np.ndarray] | None  # x -> labels [N]; None where there is no classifier


def check(given: str | None, dataset: Dataset) -> None:
    """InputError unless `given` is "x", "none", None, or the run of a classifier that can look at this data."""
    if given not in ("x", "none", None):
        _open(given, dataset)


def choose(run: Run, given: str | None) -> Features | None:
    """Features for what the run's model samples; None where `given` is "none".

    `given` is the run of a classifier, "x" for x itself, or None: a classifier of images with labels, which is trained
    once for a data set and kept in the user's cache, and x itself for all other data. InputError where the classifier
    takes other examples.
    """
    if given == "none":
        return None
    labelled_images = len(run.dataset.spec.shape) == 3 and run.dataset.spec.num_classes is not None
    if given == "x" or (given is None and not labelled_images):
        name = "on pixels" if len(run.dataset.spec.shape) == 3 else "on x"
        return Features(name, lambda x: x.reshape(len(x), -1), None)
    stacked = run.dataset.source == "stacked_mnist"
    if given is None:
        judge = classifier.of_data("mnist" if stacked else run.experiment.data, run)
    else:
        judge = _open(given, run.dataset)
    return _of_stacked(judge) if stacked else _of_classifier(judge)


def _of_classifier(judge: Run) -> Features:
    look = _compiled(judge)
    return Features(_name(judge), lambda x: look(x)[0], lambda x: look(x)[1])


def _of_stacked(judge: Run) -> Features:
    """A classifier of digits looks at each colour of an image of three."""
    look = _compiled(judge)

    def embed(x: np.ndarray) -> np.ndarray:
        return np.concatenate([look(colour)[0] for colour in digits_of_stacked(x)], axis=1)

    def classify(x: np.ndarray) -> np.ndarray:
        hundreds, tens, ones = (look(colour)[1] for colour in digits_of_stacked(x))
        return 100 * hundreds + 10 * tens + ones

    return Features(f"{_name(judge)} of each colour", embed, classify)


def _name(judge: Run) -> str:
    config = pathlib.Path(judge.record["config"]).stem
    return f"on features of {config} ({judge.dataset.source}, accuracy {classifier.accuracy(judge):.4f})"


def _compiled(judge: Run) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Images in [0, 1] -> features [N, F] and labels [N]."""
    features, classify = judge.recipe.features, judge.recipe.classify
    assert features is not None
    assert classify is not None

    def both(key: jax.Array, model: PyTree, batch: dict) -> tuple[jax.Array, jax.Array]:
        return features(model, batch["x"]), classify(key, model, batch["x"]).argmax(axis=1)

    on_batches = over_examples(both, batch_size=_BATCH_SIZE)
    prepare = functools.partial(prepare_examples, judge.prepare, jax.random.key(0))
    return lambda x: on_batches(jax.random.key(0), judge.models[0], prepare({"x": x}))


def _open(given: str, dataset: Dataset) -> Run:
    stacked = dataset.source == "stacked_mnist"
    shape = (*dataset.spec.shape[:-1], 1) if stacked else dataset.spec.shape
    judge = runs.load_beside("--features", given, None, shape)
    if judge.recipe.features is None or judge.recipe.classify is None:
        raise InputError(f"--features {given}: expected the run of a classifier")
    prepare = judge.prepare
    if prepare.levels is not None or prepare.log_det is not None:
        raise InputError(f"--features {given}: expected a classifier of images as they are, not binarized ones")
    classes = judge.dataset.spec.num_classes
    if dataset.spec.num_classes is not None and classes != (10 if stacked else dataset.spec.num_classes):
        raise InputError(f"--features {given}: expected a classifier of the data's classes, not of {classes}")
    return judge
