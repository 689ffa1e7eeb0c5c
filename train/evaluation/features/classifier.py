"""The classifier in whose features samples are compared with data, trained once per data set and cached."""

import hashlib
import json
import os
import pathlib
import time

import jax

import jaxgen
from train import config as configs
from train import runs
from train.config import Config, cache_directory, source
from train.engine import run_directory
from train.engine.compile import over_examples
from train.engine.record import settings
from train.engine.terminal import console
from train.engine.validation import BATCH_SIZE, prepare_set
from train.errors import InputError
from train.run import train_beside
from train.runs import Run

_CONFIG = "configs/classifier_mnist.py"


def load_or_train(data: str, run: Run) -> Run:
    """Load the classifier of a data set from the user's cache directory, or train it."""
    config = configs.load(str(configs.ROOT / _CONFIG))
    kept = find_kept(config, runs.open_beside(run, data).fingerprint)  # and the data is let go again
    make_cache()
    if not kept.is_dir():
        console.print(f"training {config.name} on {data}, once: its features compare samples with data")
    while not kept.is_dir():
        training = kept.with_name(f"{kept.name}.training")  # where one that was stopped is gone on with
        try:
            train_beside(run, config, training, data)
            run_directory.publish(training, kept)
        except run_directory.InUseError:  # another process trains it
            time.sleep(1)
        except (InputError, OSError):  # another process has published it meanwhile
            if not kept.is_dir():
                raise
    return runs.load(str(kept), run.data_dir, data=runs.open_beside(run, data), config=config)


def make_cache() -> None:
    """Make the directory of classifiers; InputError where it cannot be written."""
    folder = cache_directory() / "classifiers"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be created ({error.strerror}); expected --features RUN or x") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder} cannot be written; expected --features RUN or x")


def find_kept(config: Config, fingerprint: str) -> pathlib.Path:
    """Where the classifier of this data is kept: one for each code and each set of settings that its bits depend on."""
    code = [source.digests(config.files), jaxgen.__version__, jax.__version__]
    identity = json.dumps([fingerprint, *code, settings.with_effect(settings.read())])
    return cache_directory() / "classifiers" / hashlib.sha256(identity.encode()).hexdigest()[:16]


def accuracy(run: Run) -> float:
    """The test accuracy of a classifier's first seed."""
    key, test = prepare_set(run.keys[0].evaluate, run.prepare, run.dataset.test)
    evaluate = over_examples(run.recipe.evaluate, batch_size=BATCH_SIZE)
    return float(evaluate(jax.random.fold_in(key, 0), run.models[0], test)["accuracy"].mean(dtype="float64"))
