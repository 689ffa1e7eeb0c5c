"""Out-of-distribution scores of a run and of models beside it, and how well each score detects."""

import io
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image

from jaxgen import metrics
from jaxgen.recipe import PyTree
from train import runs
from train.data import Dataset, are_images, spread
from train.engine.compile import over_examples
from train.engine.validation import prepare_set
from train.errors import RunFailedError, warn
from train.evaluation import intervals
from train.evaluation.estimates import Estimate
from train.evaluation.evaluators.likelihood import measure_nll, to_discrete
from train.runs import Run

_BATCH_SIZE = 100


class Opened(NamedTuple):
    """A run whose recipe has log_prob, the out-of-distribution data, and the models of further scores."""

    run: Run
    against: Dataset
    background: Run | None
    classifier: Run | None


class Score(NamedTuple):
    """A score of each example, higher for examples that look less like the training data."""

    meaning: str  # and unit
    in_distribution: np.ndarray  # [N]
    out_of_distribution: np.ndarray  # [M]


def confidence(score: Score) -> dict[str, dict[str, float]]:
    """Mean and median of the largest class probability, from the classifier's score, which is 1 minus it."""
    sides = {"in_distribution": score.in_distribution, "out_of_distribution": score.out_of_distribution}
    return {
        side: {"mean": float(1 - values.mean()), "median": float(1 - np.median(values))}
        for side, values in sides.items()
    }


def prepare_both_sets(reader: Run, opened: Opened, num: int) -> np.ndarray:
    """In-distribution, then out-of-distribution examples, prepared for a run's model: [N + M, ...].

    At most `num` of each, spread over the test sets. For `opened.run` the in-distribution examples are those of its
    evaluation, with the same noise.
    """
    sets = (reader.keys[0].evaluate, opened.run.dataset.test), (reader.keys[0].compare, opened.against.test)
    prepared = [prepare_set(key, reader.prepare, {"x": test["x"]}).prepared["x"] for key, test in sets]
    return np.concatenate([x[spread(len(x), num)] for x in prepared])


def negative_log_likelihoods(reader: Run, x: np.ndarray, num_samples: int) -> np.ndarray:
    """-log p(x) of prepared examples without labels, or an upper bound on it: [N, ...] -> nats [N]."""
    measure = over_examples(measure_nll(reader.recipe, num_samples), batch_size=_BATCH_SIZE)
    (nll,) = measure(reader.keys[0].validate, reader.models[0], {"x": x}).values()
    return nll


def png_bits(x: np.ndarray) -> np.ndarray:
    """Sizes of images as PNG files, in bits: [N, H, W, C] in [0, 1], C 1 or 3 -> [N]."""

    def bits(image: np.ndarray) -> int:
        file = io.BytesIO()
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(file, "PNG", optimize=True)
        return 8 * file.tell()

    # The bin of a value among 256 is the integer that was stored, whether that was scaled or dequantized.
    return np.array([bits(image) for image in np.clip(256 * x, 0, 255).astype(np.uint8)])


def max_log_probability(classifier: Run) -> Callable[[jax.Array, PyTree, dict], jax.Array]:
    """(key, model, batch) -> log-probability of the most probable class [B]."""
    classify = classifier.recipe.classify
    assert classify is not None
    return lambda key, model, batch: classify(key, model, batch["x"]).max(axis=1)


def score_all(opened: Opened, num: int, num_samples: int) -> dict[str, Score]:
    """All scores that the models allow, by name; RunFailedError where one is not finite."""
    run, _, background, classifier = opened
    x = prepare_both_sets(run, opened, num)
    nll = negative_log_likelihoods(run, x, num_samples)
    bounded = any(reader is not None and reader.recipe.log_prob_is != "exact" for reader in (run, background))
    bound = f", by a lower bound on log p(x) of {num_samples} samples" if bounded else ""
    found = {"likelihood": (f"-log p(x), nats{bound}", nll)}

    nats = to_discrete(run.recipe, run.prepare, x)
    if run.recipe.levels is not None and nats is None:
        warn("some values are outside the support of p(x): -log p(x) is then a cross-entropy and not a code length")
    elif are_images(x):
        length = (nll if nats is None else nll + nats) / np.log(2)
        unit = "bits, up to a constant" if nats is None else "bits"
        meaning = f"-log2 p(x) minus the size of x as a PNG, {unit}{bound}"
        found["complexity"] = meaning, length - png_bits(runs.in_unit_interval(run, x))
    if background is not None:
        ratio = nll - negative_log_likelihoods(background, x, num_samples)
        found["likelihood ratio"] = f"log p(x) of the background minus log p(x), nats{bound}", ratio
    if classifier is not None:
        measure = over_examples(max_log_probability(classifier), batch_size=_BATCH_SIZE)
        both_sets = {"x": prepare_both_sets(classifier, opened, num)}
        largest = measure(classifier.keys[0].validate, classifier.models[0], both_sets)
        # expm1 keeps the digits of 1 - p where p is nearly 1; rounding may take log p above 0.
        found["classifier"] = "1 - the largest class probability", -np.expm1(np.minimum(largest, 0))

    for name, (_, values) in found.items():
        if not np.isfinite(values).all():
            raise RunFailedError(f"{name}: {np.sum(~np.isfinite(values))} of {len(values)} scores are not finite")
    num_in = min(num, len(run.dataset.test["x"]))
    return {name: Score(meaning, *np.split(values, [num_in])) for name, (meaning, values) in found.items()}


def find_threshold(in_distribution: np.ndarray, false_positive_rate: float) -> float:
    """The lowest in-distribution score [N] whose false positive rate, the share above it, is at most this."""
    above = np.arange(len(in_distribution))[::-1] / len(in_distribution)
    return float(np.sort(in_distribution)[np.argmax(above <= false_positive_rate)])


class Detection(NamedTuple):
    """How well a score detects out-of-distribution examples."""

    meaning: str  # of the score, and its unit
    auroc: Estimate
    threshold: float
    false_positive_rate: float  # share of in-distribution scores above the threshold
    true_positive_rate: float  # share of out-of-distribution scores above the threshold


def evaluate_score(score: Score, false_positive_rate: float) -> Detection:
    """AUROC of a score with its interval over examples, and its rates at a given false positive rate."""
    _, known, novel = score
    auroc = jax.jit(metrics.auroc)
    value = float(auroc(known, novel))
    interval = intervals.bootstrap_two_sets(auroc, known, novel)
    low, high = interval or (None, None)
    examples = f"{len(known)} in-distribution and {len(novel)} out-of-distribution examples"
    origin = f"bootstrap, {examples}" if interval else f"of {examples}"
    estimate = Estimate(value, "of 1", low, high, origin, [value])
    threshold = find_threshold(known, false_positive_rate)
    rates = [float((values > threshold).mean()) for values in (known, novel)]
    return Detection(score.meaning, estimate, threshold, *rates)
