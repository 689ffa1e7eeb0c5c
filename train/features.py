"""The features in which samples are compared with data: those of a classifier trained here, else x itself."""

import hashlib
import json
import pathlib
import tempfile
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

import jaxgen
from jaxgen import preprocess
from jaxgen.recipe import PyTree
from train import config as configs
from train import devices, estimates, run_directory, trained
from train.data import Dataset, digits_of_stacked
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


def check(given: str | None, dataset: Dataset) -> None:
    """InputError unless `given` is "x", "none", None, or the run of a classifier that can look at this data."""
    if given not in ("x", "none", None):
        _open(given, dataset)


def choose(run: Trained, given: str | None) -> Features | None:
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
        judge = _classifier_of("mnist" if stacked else run.experiment.data, run)
    else:
        judge = _open(given, run.dataset)
    return _of_stacked(judge) if stacked else _of_classifier(judge)


def _of_classifier(judge: Trained) -> Features:
    look = _compiled(judge)
    return Features(_name(judge), lambda x: look(x)[0], lambda x: look(x)[1])


def _of_stacked(judge: Trained) -> Features:
    """A classifier of digits looks at each colour of an image of three."""
    look = _compiled(judge)

    def embed(x: np.ndarray) -> np.ndarray:
        return np.concatenate([look(colour)[0] for colour in digits_of_stacked(x)], axis=1)

    def classify(x: np.ndarray) -> np.ndarray:
        hundreds, tens, ones = (look(colour)[1] for colour in digits_of_stacked(x))
        return 100 * hundreds + 10 * tens + ones

    return Features(f"{_name(judge)} of each colour", embed, classify)


def _name(judge: Trained) -> str:
    accuracy = estimates.read(judge.path)["accuracy"].value
    config = pathlib.Path(judge.record["config"]).stem
    return f"on features of {config} ({judge.dataset.source}, accuracy {accuracy:.4f})"


def _compiled(judge: Trained) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Images in [0, 1] -> features [N, F] and labels [N]."""
    features, classify = judge.recipe.features, judge.recipe.classify
    assert features is not None
    assert classify is not None

    def both(key: jax.Array, model: PyTree, batch: dict) -> tuple[jax.Array, jax.Array]:
        return features(model, batch["x"]), classify(key, model, batch["x"]).argmax(axis=1)

    on_batches = over_examples(both, batch_size=_BATCH_SIZE)
    return lambda x: on_batches(jax.random.key(0), judge.models[0], {"x": trained.in_model_units(judge, x)})


def _open(given: str, dataset: Dataset) -> Trained:
    stacked = dataset.source == "stacked_mnist"
    shape = (*dataset.spec.shape[:-1], 1) if stacked else dataset.spec.shape
    judge = trained.load_beside("--features", given, None, shape)
    if judge.recipe.features is None or judge.recipe.classify is None:
        raise InputError(f"--features {given}: expected the run of a classifier")
    if not (judge.path / "evaluation.json").exists():
        raise InputError(f"--features {given}: expected a run that was evaluated; it has no evaluation.json")
    if judge.experiment.prepare not in (preprocess.scale, preprocess.scale_symmetric):
        raise InputError(f"--features {given}: expected a classifier of images as they are, not binarized ones")
    classes = judge.dataset.spec.num_classes
    if dataset.spec.num_classes is not None and classes != (10 if stacked else dataset.spec.num_classes):
        raise InputError(f"--features {given}: expected a classifier of the data's classes, not of {classes}")
    return judge


def _classifier_of(data: str, run: Trained) -> Trained:
    """The classifier of this data in the user's cache, trained now where there is none."""
    from train.run import train_beside  # which evaluates, and so looks at samples, when it has trained

    config = configs.load(_CONFIG)
    dataset = trained.open_data(data, run.data_dir)
    identity = json.dumps([dataset.fingerprint, config.path.read_text(), jaxgen.__version__, jax.__version__])
    kept = devices.cache_directory() / "classifiers" / hashlib.sha256(identity.encode()).hexdigest()[:16]
    if not (kept / "evaluation.json").exists():
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{kept.parent} cannot be made ({error.strerror}); expected --features RUN or x"
            ) from error
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            console.print(f"training {config.name} on {data}, once: samples are compared with data in its features")
            train_beside(run, config, pathlib.Path(folder) / "run", data)
            run_directory.publish(pathlib.Path(folder) / "run", kept)
    return trained.load(str(kept), run.data_dir)
