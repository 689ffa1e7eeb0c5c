"""The features in which samples are compared with data: those of a classifier trained here, else x itself."""

import dataclasses
import hashlib
import json
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from train import config as configs
from train import devices, run_directory, trained
from train.data import digits_of_stacked
from train.failures import InputError
from train.parallel import over_examples
from train.progress import console
from train.trained import Trained

_CONFIG = "configs/classifier_mnist.py"
_BATCH_SIZE = 500


class Features(NamedTuple):
    """How examples are looked at. `name` stands beside every number that is measured so."""

    name: str
    embed: Callable[[np.ndarray], np.ndarray]  # x [N, ...], images in [0, 1] -> [N, F]
    classify: Callable[[np.ndarray], np.ndarray] | None  # x -> labels [N]; None where there is no classifier


def choose(run: Trained, given: str | None) -> Features:
    """Features for what the run's model samples.

    `given` is the run of a classifier, "x" for x itself, or None: a classifier of images with labels, which is trained
    once for a data set and kept in the user's cache, and x itself for all other data. InputError where the classifier
    takes examples of another shape.
    """
    labelled_images = len(run.dataset.spec.shape) == 3 and run.dataset.spec.num_classes is not None
    if given == "x" or (given is None and not labelled_images):
        name = "on pixels" if len(run.dataset.spec.shape) == 3 else "on x"
        return Features(name, lambda x: x.reshape(len(x), -1), None)
    stacked = run.dataset.source == "stacked_mnist"
    judge = _classifier_of("mnist" if stacked else run.experiment.data, run) if given is None else _open(given, run)
    return _of_stacked(judge) if stacked else _of_classifier(judge)


def _of_classifier(judge: Trained) -> Features:
    return Features(_name(judge), lambda x: _apply(judge, x)[0], lambda x: _apply(judge, x)[1])


def _of_stacked(judge: Trained) -> Features:
    """A classifier of digits looks at each colour of an image of three."""

    def each(x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        return [_apply(judge, colour) for colour in digits_of_stacked(x)]

    def embed(x: np.ndarray) -> np.ndarray:
        return np.concatenate([features for features, _ in each(x)], axis=1)

    def classify(x: np.ndarray) -> np.ndarray:
        hundreds, tens, ones = (labels for _, labels in each(x))
        return 100 * hundreds + 10 * tens + ones

    return Features(f"{_name(judge)} of each colour", embed, classify)


def _name(judge: Trained) -> str:
    accuracy = json.loads((judge.path / "evaluation.json").read_text())["metrics"]["accuracy"]["value"]
    config = pathlib.Path(judge.record["config"]).stem
    return f"on features of {config} ({judge.dataset.source}, accuracy {accuracy:.4f})"


def _apply(judge: Trained, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features [N, F] and labels [N] of images in [0, 1]."""
    features, classify = judge.recipe.features, judge.recipe.classify
    assert features is not None
    assert classify is not None

    def both(key: jax.Array, model: object, batch: dict) -> tuple[jax.Array, jax.Array]:
        return features(model, batch["x"]), classify(key, model, batch["x"]).argmax(axis=1)

    return over_examples(both, batch_size=_BATCH_SIZE)(jax.random.key(0), judge.models[0], {"x": x})


def _open(given: str, run: Trained) -> Trained:
    judge = trained.load(given, run.data_dir)
    if judge.recipe.features is None or judge.recipe.classify is None:
        raise InputError(f"--features {given}: expected the run of a classifier")
    *size, colours = run.dataset.spec.shape
    shape = (*size, 1) if run.dataset.source == "stacked_mnist" else (*size, colours)
    if judge.dataset.spec.shape != shape:
        raise InputError(
            f"--features {given}: expected a classifier of examples {shape}, not {judge.dataset.spec.shape}"
        )
    return judge


def _classifier_of(data: str, run: Trained) -> Trained:
    """The classifier of this data in the user's cache, trained now where there is none."""
    from train.run import complete  # which evaluates, and so looks at samples, when it has trained

    config = configs.load(_CONFIG)
    dataset = trained.open_data(data, run.data_dir)
    batch_size = min(128, dataset.spec.num_train)
    values, options = configs.bind(config, ["--data", data, "--batch-size", str(batch_size)])
    identity = json.dumps([dataset.fingerprint, values, jax.__version__])
    kept = devices.cache_directory() / "classifiers" / hashlib.sha256(identity.encode()).hexdigest()[:16]
    if not (kept / "evaluation.json").exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            path = pathlib.Path(folder) / "run"
            options = dataclasses.replace(options, run_dir=str(path), data_dir=run.data_dir, devices=1)
            console.print(f"training {config.name} on {data}, once: samples are compared with data in its features")
            if complete(config, values, options, time.perf_counter()) is None:
                raise KeyboardInterrupt
            run_directory.publish(path, kept)
    return trained.load(str(kept), run.data_dir)
