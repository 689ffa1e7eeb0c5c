"""The evaluation of a run on its test set.

    python -m train.evaluate RUN [--num-samples 500] [--features RUN]

Per example first, then averaged once over exactly the examples there are; an interval stands beside each mean.
"""

import dataclasses
import datetime
import functools
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import losses, preprocess
from jaxgen.recipe import PyTree, Recipe
from train import estimates, features, latent_metrics, run_directory, sample_metrics, trained
from train.estimates import Estimate
from train.experiment import Size
from train.failures import one_line_failures, warn
from train.parallel import Prepare, over_examples, prepare_batch, prepare_examples
from train.trained import Trained

# 100 examples times the recipe's chunk of samples bound the memory of importance sampling.
_BATCH_SIZE = 500
_LIKELIHOOD_BATCH_SIZE = 100


class Examples(NamedTuple):
    """What one seed is measured on: a set prepared under its key, and the key for the measuring."""

    key: jax.Array
    prepared: dict[str, np.ndarray]


def examples_of(key: jax.Array, prepare: Prepare, examples: Mapping[str, np.ndarray]) -> Examples:
    """Prepare a set once, so that every metric, and every evaluation of the run, sees the same draw of it."""
    key_prepare, key_measure = jax.random.split(key)
    return Examples(key_measure, prepare_examples(prepare, key_prepare, examples))


def compile_validation(recipe: Recipe, valid: list[Examples]) -> Callable[[list[PyTree]], dict[str, np.ndarray]]:
    """(models), one a seed -> mean of each metric on the validation set, [] or [S]."""
    evaluate = over_examples(recipe.evaluate, batch_size=_BATCH_SIZE)

    def validate(models: list[PyTree]) -> dict[str, np.ndarray]:
        values = [evaluate(key, model, seen) for model, (key, seen) in zip(models, valid, strict=True)]
        means = {name: np.array([value[name].mean(dtype=np.float64) for value in values]) for name in values[0]}
        return means if len(models) > 1 else {name: mean[0] for name, mean in means.items()}

    return validate


def evaluate_run(run: Trained, num_samples: int, given_features: str | None) -> dict[str, Estimate]:
    """Every metric that the run's recipe can give, of test examples and of samples, in the order of printing."""
    measures = _of_examples(run, num_samples)
    has_codes = run.recipe.encode is not None and run.recipe.decode is not None
    look = features.choose(run, given_features) if run.recipe.sample is not None or has_codes else None
    against = None if look is None else sample_metrics.references(run, look)
    values: dict[str, list[np.ndarray]] = {}
    of_sets: dict[str, list[sample_metrics.Measured]] = {}
    for keys, model in zip(run.keys, run.models, strict=True):
        key, test = examples_of(keys.evaluate, run.experiment.prepare, run.dataset.test)
        found: dict[str, np.ndarray] = {}
        for measure, key_measure in zip(measures, jax.random.split(key, len(measures)), strict=True):
            found |= measure(key_measure, model, test)
        shift = discrete_shift(run.recipe, run.experiment.prepare, test["x"])
        nll = found.get("nll", found.get("importance_weighted_nll"))
        if nll is not None and shift is not None:
            found["bits_per_dim"] = shift + np.asarray(losses.bits_per_dim(jnp.asarray(nll), test["x"][0].size))
        for name, value in found.items():
            values.setdefault(name, []).append(value)
        for name, measured in ({} if against is None else _of_sets(run, model, keys.compare, against)).items():
            of_sets.setdefault(name, []).append(measured)
    if run.recipe.levels == 2 and "bits_per_dim" not in values:
        warn("the test data is not binary: a Bernoulli nll of it is a cross-entropy, which compares with no likelihood")
    ordered = [name for name in estimates.UNITS if name in values] + sorted(values.keys() - estimates.UNITS.keys())
    of_examples = {name: estimates.estimate(estimates.UNITS.get(name, "nats"), values[name]) for name in ordered}
    return of_examples | {name: _of_seeds(measured) for name, measured in of_sets.items()}


def _of_examples(run: Trained, num_samples: int) -> list[Callable[..., dict[str, np.ndarray]]]:
    """What the recipe evaluates, and where that lacks them the likelihood and the accuracy by Bayes' rule."""
    recipe = run.recipe
    few = {name: array[:2] for name, array in run.dataset.test.items()}
    key = run.keys[0].evaluate
    prepared = jax.eval_shape(functools.partial(prepare_batch, run.experiment.prepare, axis_name=None), key, few)
    names = jax.eval_shape(recipe.evaluate, key, run.models[0], prepared).keys()
    measures = [over_examples(recipe.evaluate, batch_size=_BATCH_SIZE)]
    if recipe.log_prob is not None and "nll" not in names:
        measures.append(over_examples(measure_nll(recipe, num_samples), batch_size=_LIKELIHOOD_BATCH_SIZE))
    if recipe.classify is not None and "accuracy" not in names and "y" in few:
        measures.append(over_examples(measure_accuracy(recipe), batch_size=_LIKELIHOOD_BATCH_SIZE))
    return measures


def _of_sets(
    run: Trained, model: PyTree, key: jax.Array, against: sample_metrics.References
) -> dict[str, sample_metrics.Measured]:
    key_samples, key_codes = jax.random.split(key)
    found = {} if run.recipe.sample is None else sample_metrics.measure(run, model, key_samples, against)
    if run.recipe.encode is not None and run.recipe.decode is not None:
        found |= latent_metrics.measure(run, model, key_codes, against)
    return found


def _of_seeds(measured: list[sample_metrics.Measured]) -> Estimate:
    summarize = estimates.median if measured[0].is_p_value else estimates.estimate
    return summarize(measured[0].unit, [found.values for found in measured])


def measure_nll(recipe: Recipe, num_samples: int) -> Callable[[jax.Array, PyTree, dict], dict[str, jax.Array]]:
    """(key, model, batch) -> {"nll": [B]}, or {"importance_weighted_nll": [B]} where log_prob is a lower bound."""
    log_prob = recipe.log_prob
    assert log_prob is not None
    if recipe.log_prob_is == "exact":
        return lambda key, model, batch: {"nll": -log_prob(key, model, batch["x"], y=batch.get("y"))}
    sampled = functools.partial(log_prob, num_samples=num_samples)
    return lambda key, model, batch: {"importance_weighted_nll": -sampled(key, model, batch["x"], y=batch.get("y"))}


def measure_accuracy(recipe: Recipe) -> Callable[[jax.Array, PyTree, dict], dict[str, jax.Array]]:
    """(key, model, batch) -> {"accuracy": [B]}."""
    classify = recipe.classify
    assert classify is not None

    def accuracy(key: jax.Array, model: PyTree, batch: dict) -> dict[str, jax.Array]:
        chosen = jnp.argmax(classify(key, model, batch["x"]), axis=1)
        return {"accuracy": (chosen == batch["y"]).astype(jnp.float32)}

    return accuracy


def discrete_shift(recipe: Recipe, prepare: Prepare, x: np.ndarray) -> float | None:
    """What to add to log_prob's bits per dimension to bound those of the data; None where they are a density's."""
    if recipe.levels is not None:
        index = x * (recipe.levels - 1)
        return 0.0 if np.allclose(index, np.round(index), rtol=0, atol=1e-3) else None
    # A density of values 256 times as small as the integers.
    return 8.0 if prepare is preprocess.dequantize else None


def write(run: Trained, num_samples: int, given_features: str | None) -> dict[str, Estimate]:
    """Evaluate and write evaluation.json, with all that a reader needs to judge the numbers."""
    found = evaluate_run(run, num_samples, given_features)
    latest = run_directory.read_sessions(run.path)[-1:]
    result = {
        "config": run.record["config"],
        "values": run.record["values"],
        "step": run.step,
        "test_examples": len(run.dataset.test["x"]),
        "num_samples": num_samples,
        "metrics": {name: estimate._asdict() for name, estimate in found.items()},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "provenance": {name: value for session in latest for name, value in session.items() if name != "data_dir"},
    }
    run_directory.write_json(run.path / "evaluation.json", result)
    return found


@dataclasses.dataclass(kw_only=True)
class Options(trained.Reading):
    """Which run, and how thoroughly."""

    num_samples: Size = 500
    """Importance samples for each test example."""
    features: str | None = None
    """Run of a classifier in whose features samples are compared with data, "x" for x itself, or "none" not to compare
    them; None: a classifier of images with labels, trained once for a data set."""


def main(arguments: list[str]) -> None:
    """The command line."""
    from train import report  # which reads what stands here

    with one_line_failures():
        options = trained.bind(Options, arguments, prog="python -m train.evaluate", description=__doc__)
        run = trained.open_run(options)
        print(f"{run.path}: step {run.step} of {run.experiment.steps}")
        found = write(run, options.num_samples, options.features)
        report.write(run, found)
        for name, estimate in found.items():
            print(estimates.line(name, estimate))


if __name__ == "__main__":
    main(sys.argv[1:])
