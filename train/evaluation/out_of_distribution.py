"""What a run, and others beside it, say of its test examples and of others, and how well that tells them apart."""

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
from train.engine.validation import examples_of
from train.errors import RunFailedError, warn
from train.evaluation import intervals
from train.evaluation.estimates import Estimate
from train.evaluation.evaluators.likelihood import measure_nll, to_discrete
from train.runs import Run

_BATCH_SIZE = 100


class Opened(NamedTuple):
    """A run whose recipe has log_prob, the data it is held against, and who else is asked."""

    run: Run
    against: Dataset
    background: Run | None
    classifier: Run | None


class Score(NamedTuple):
    """A value of each example, the higher the less it belongs."""

    meaning: str  # and unit
    inliers: np.ndarray  # [N]
    outliers: np.ndarray  # [M]


def confidence(unsure: Score) -> dict[str, dict[str, float]]:
    """The mean and the median of the largest class probability, from 1 less it."""
    sides = {"inliers": unsure.inliers, "outliers": unsure.outliers}
    return {
        side: {"mean": float(1 - values.mean()), "median": float(1 - np.median(values))}
        for side, values in sides.items()
    }


def seen_by(reader: Run, opened: Opened, num: int) -> np.ndarray:
    """Inliers, then outliers, at most `num` of either, from all over the sets, as this run takes them: [N + M, ...].

    The inliers that `opened.run` takes are those of its evaluation, in the same draw.
    """
    sets = (reader.keys[0].evaluate, opened.run.dataset.test), (reader.keys[0].compare, opened.against.test)
    prepared = [examples_of(key, reader.prepare, {"x": test["x"]}).prepared["x"] for key, test in sets]
    return np.concatenate([x[spread(len(x), num)] for x in prepared])


def negative_log_likelihoods(reader: Run, x: np.ndarray, num_samples: int) -> np.ndarray:
    """-log p(x) of prepared examples, whatever their class, or an upper bound on it: [N, ...] -> nats [N]."""
    measure = over_examples(measure_nll(reader.recipe, num_samples), batch_size=_BATCH_SIZE)
    (nll,) = measure(reader.keys[0].validate, reader.models[0], {"x": x}).values()
    return nll


def png_bits(x: np.ndarray) -> np.ndarray:
    """Bits of images as PNG files: [N, H, W, C] in [0, 1], of one colour or three, -> [N]."""

    def bits(image: np.ndarray) -> int:
        file = io.BytesIO()
        Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(file, "PNG", optimize=True)
        return 8 * file.tell()

    # Of 256 bins the one that a value lies in is the integer that it was, whether that was scaled or dequantized.
    return np.array([bits(image) for image in np.clip(256 * x, 0, 255).astype(np.uint8)])


def measure_largest(judge: Run) -> Callable[[jax.Array, PyTree, dict], jax.Array]:
    """(key, model, batch) -> the log-probability of the most probable class [B]."""
    classify = judge.recipe.classify
    assert classify is not None
    return lambda key, model, batch: classify(key, model, batch["x"]).max(axis=1)


def score_all(opened: Opened, num: int, num_samples: int) -> dict[str, Score]:
    """Every score that can be had; RunFailedError where one is not finite."""
    run, _, background, judge = opened
    x = seen_by(run, opened, num)
    nll = negative_log_likelihoods(run, x, num_samples)
    bounded = any(reader is not None and reader.recipe.log_prob_is != "exact" for reader in (run, background))
    bound = f", by a lower bound on log p(x) of {num_samples} samples" if bounded else ""
    found = {"likelihood": (f"-log p(x), nats{bound}", nll)}

    nats = to_discrete(run.recipe, run.prepare, x)
    if run.recipe.levels is not None and nats is None:
        warn("not all values are of those that log p(x) is a mass of: it is a cross-entropy, and no length of a code")
    elif are_images(x):
        length = (nll if nats is None else nll + nats) / np.log(2)
        unit = "bits, up to a constant" if nats is None else "bits"
        meaning = f"-log2 p(x) less the size of x as a PNG, {unit}{bound}"
        found["complexity"] = meaning, length - png_bits(runs.in_unit_interval(run, x))
    if background is not None:
        ratio = nll - negative_log_likelihoods(background, x, num_samples)
        found["likelihood ratio"] = f"log p(x) of the background less log p(x), nats{bound}", ratio
    if judge is not None:
        measure = over_examples(measure_largest(judge), batch_size=_BATCH_SIZE)
        largest = measure(judge.keys[0].validate, judge.models[0], {"x": seen_by(judge, opened, num)})
        # So 1 - p keeps its digits where p is nearly 1; rounding may take log p above 0.
        found["classifier"] = "1 - the largest class probability", -np.expm1(np.minimum(largest, 0))

    for name, (_, values) in found.items():
        if not np.isfinite(values).all():
            raise RunFailedError(f"{name}: {np.sum(~np.isfinite(values))} of {len(values)} scores are not finite")
    first_outlier = min(num, len(run.dataset.test["x"]))
    return {name: Score(meaning, *np.split(values, [first_outlier])) for name, (meaning, values) in found.items()}


def threshold_at(inliers: np.ndarray, false_alarm: float) -> float:
    """The lowest score of an inlier above which at most this share of inliers [N] lies."""
    above = np.arange(len(inliers))[::-1] / len(inliers)
    return float(np.sort(inliers)[np.argmax(above <= false_alarm)])


class Verdict(NamedTuple):
    """How well a score tells outliers from inliers."""

    meaning: str  # of the score, and its unit
    auroc: Estimate
    threshold: float
    inliers_rejected: float  # share above the threshold, at most the false alarm that was asked for
    outliers_rejected: float


def judge(score: Score, false_alarm: float) -> Verdict:
    """The score's AUROC with its interval over examples, and what a threshold at this false alarm rejects."""
    auroc = jax.jit(metrics.auroc)
    value = float(auroc(score.inliers, score.outliers))
    interval = intervals.bootstrap_of_two(auroc, score.inliers, score.outliers)
    low, high = interval or (None, None)
    examples = f"{len(score.inliers)} inliers and {len(score.outliers)} outliers"
    of = f"bootstrap, {examples}" if interval else f"of {examples}"
    estimate = Estimate(value, "of 1", low, high, of, [value])
    threshold = threshold_at(score.inliers, false_alarm)
    shares = [float((values > threshold).mean()) for values in (score.inliers, score.outliers)]
    return Verdict(score.meaning, estimate, threshold, *shares)
