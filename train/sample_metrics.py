"""What samples of a model are worth beside data: every metric of sets that the run's data allows."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import metrics, preprocess
from jaxgen.recipe import PyTree
from train import trained
from train.data import MIXTURES, spread
from train.features import Features
from train.trained import Trained

# Examples on either side; what compares all pairs takes time with their square, and with the number of features.
_MOST = 10_000
_MOST_OF_MANY_FEATURES = 2500
_MANY_FEATURES = 512
_NEIGHBOURS = 5
_PER_CALL = 500
_STDS = np.logspace(-1, 0, 10)  # of the Parzen window, those of Goodfellow et al. 2014 and Breuleux et al. 2011


class Measured(NamedTuple):
    """A value of the whole set [1], or one for each of its members [N]."""

    values: np.ndarray
    unit: str
    is_p_value: bool = False  # of which several seeds have a median, and no mean


def draw(run: Trained, model: PyTree, key: jax.Array, num: int) -> np.ndarray:
    """`num` samples [num, ...], images in [0, 1]; some at a time, so that any number of them fits."""
    assert run.recipe.sample is not None
    sample = jax.jit(run.recipe.sample, static_argnums=2)
    size = min(_PER_CALL, num)
    calls = [sample(jax.random.fold_in(key, call), model, size) for call in range(-(-num // size))]
    return trained.in_unit_interval(run, np.concatenate([np.asarray(part) for part in calls])[:num])


def stored(x: np.ndarray) -> np.ndarray:
    """Examples of a data set as float32, images in [0, 1]."""
    return np.asarray(preprocess.scale(jax.random.key(0), jnp.asarray(x)))


class References(NamedTuple):
    """What the samples of every seed are held against, looked at once."""

    features: Features
    real: np.ndarray  # features of test examples [N, F], of all or from all over the set
    train: np.ndarray  # features of as many training examples


def references(run: Trained, features: Features) -> References:
    """Test and training examples as they were stored: not binarized.

    At most 10,000 of either, or 2,500 where there are more than 512 features.
    """
    test, train = run.dataset.test["x"], run.dataset.train["x"]
    num_features = features.embed(stored(test[:1])).shape[1]
    num = min(len(test), _MOST if num_features <= _MANY_FEATURES else _MOST_OF_MANY_FEATURES)
    return References(
        features,
        features.embed(stored(test[spread(len(test), num)])),
        features.embed(stored(train[spread(len(train), num)])),
    )


def measure(run: Trained, model: PyTree, key: jax.Array, against: References) -> dict[str, Measured]:
    """All of them: of as many samples as there are test examples, or as there are of those in `against`."""
    features, test = against.features, run.dataset.test["x"]
    samples = draw(run, model, key, len(test))
    found = _modes(run, samples) | _classes(run, samples, features)
    if len(test) <= _NEIGHBOURS:
        return found
    found |= _distances(against.real, features.embed(samples[: len(against.real)]), against.train, features.name)
    if run.recipe.log_prob is None and run.dataset.spec.unit_interval:
        valid = run.dataset.valid["x"]
        sets = stored(test[spread(len(test), _MOST)]), stored(valid[spread(len(valid), 1000)]), samples[:_MOST]
        found |= _parzen(*(jnp.asarray(x.reshape(len(x), -1)) for x in sets))
    return found


def _modes(run: Trained, samples: np.ndarray) -> dict[str, Measured]:
    """Modes of a mixture, as Lin et al. 2018 and Srivastava et al. 2017 count them."""
    if run.dataset.source not in MIXTURES:
        return {}
    centers, std = MIXTURES[run.dataset.source]
    found = jax.jit(metrics.modes_covered)(samples, jnp.asarray(centers, jnp.float32), std)
    return {
        "modes": value(found.modes, f"of {len(centers)}"),
        "high_quality": value(found.high_quality, "of 1"),
        "mode_reverse_kl": value(found.reverse_kl, "nats"),
    }


def _classes(run: Trained, samples: np.ndarray, features: Features) -> dict[str, Measured]:
    """Which classes a classifier sees in samples, and KL(samples || training data) over them."""
    num_classes = run.dataset.spec.num_classes
    if features.classify is None or num_classes is None:
        return {}
    of_samples = np.bincount(features.classify(samples), minlength=num_classes) / len(samples)
    of_data = np.bincount(run.dataset.train["y"], minlength=num_classes) / len(run.dataset.train["y"])
    seen = of_samples > 0
    with np.errstate(divide="ignore"):
        reverse_kl = np.sum(of_samples[seen] * np.log(of_samples[seen] / of_data[seen]))
    return {
        "classes": value(seen.sum(), f"of {num_classes}, {features.name}"),
        "class_reverse_kl": value(reverse_kl, "nats"),
    }


def _distances(real: np.ndarray, fake: np.ndarray, train: np.ndarray, name: str) -> dict[str, Measured]:
    """How far samples are from test data, with that of training data beside it; and whether they are copies.

    The classifier has seen the training data, and so thinks it a little further from the test data than fresh data is.
    Copies are looked for among as many training examples as there are test examples: those of others do not show.
    """
    frechet = jax.jit(metrics.frechet_distance)
    found = {
        "frechet_distance": value(frechet(real, fake), name),
        "frechet_distance_of_training_data": value(frechet(real, train), name),
        "kernel_distance": value(jax.jit(metrics.kernel_distance)(real, fake), name),
    }
    prdc = jax.jit(metrics.precision_recall_density_coverage, static_argnames="k")(real, fake, k=_NEIGHBOURS)
    found |= {quantity: value(found_one, name) for quantity, found_one in prdc._asdict().items()}
    nearest = jax.jit(metrics.nearest_neighbour_distances)
    return found | {
        "nearest_training_example": Measured(np.asarray(nearest(fake, train)), f"of {len(train)}, {name}"),
        "nearest_test_example": Measured(np.asarray(nearest(fake, real)), f"of {len(real)}, {name}"),
    }


def _parzen(test: jax.Array, valid: jax.Array, samples: jax.Array) -> dict[str, Measured]:
    """The window's width is chosen on validation data."""
    window = jax.jit(metrics.parzen_log_likelihood)
    means = [window(valid, samples, std=jnp.float32(std)).mean() for std in _STDS]
    std = _STDS[int(np.argmax(means))]
    found = window(test, samples, std=jnp.float32(std))
    return {
        "parzen_log_likelihood": Measured(np.asarray(found), "nats, a poor measure"),
        "parzen_window": value(std, "of a pixel's range"),
    }


def value(found: jax.typing.ArrayLike, unit: str) -> Measured:
    """A value of the whole set."""
    return Measured(np.asarray(found, np.float64).reshape(1), unit)
