"""Evaluate a run on its test set with every applicable evaluator, and write evaluation.json."""

import datetime
import sys
from typing import NamedTuple

import jax
import numpy as np

from train.engine import files, run_directory
from train.engine.record import provenance
from train.errors import warn
from train.evaluation import absence, costs, features, samples
from train.evaluation.estimates import UNITS, Estimate, Measured, over_seeds
from train.evaluation.evaluators import EVALUATORS
from train.evaluation.evaluators.likelihood import describe_units
from train.evaluation.subject import Extra, Options, Subject
from train.runs import Run


class Evaluation(NamedTuple):
    """All that was measured on a run, by name in the order of printing: test examples, then samples and codes."""

    measured: dict[str, list[Measured]]  # one for each seed
    absent: dict[str, str]  # why metrics of other models were not measured

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Each metric with its interval."""
        return {name: over_seeds(found) for name, found in self.measured.items()}


def evaluate_run(run: Run, num_samples: int, given_features: str | None, extra: Extra) -> Evaluation:
    """Measure every seed of a run with every evaluator that applies."""
    recipe = run.recipe
    generates = recipe.sample is not None or (recipe.encode is not None and recipe.decode is not None)
    feature_space = features.choose(run, given_features) if generates else None
    options = Options(num_samples, None if feature_space is None else samples.references(run, feature_space), extra)
    measured: dict[str, list[Measured]] = {}
    for keys, model in zip(run.keys, run.models, strict=True):
        for name, found in _measure(Subject(run, model, keys, options)).items():
            measured.setdefault(name, []).append(found)
    if recipe.log_prob is not None and recipe.levels == 2 and "bits_per_dim" not in measured:
        warn("the test data is not binary: a Bernoulli NLL is then a cross-entropy, not comparable with a likelihood")
    rank = {name: number for number, name in enumerate(UNITS)}
    ordered = sorted(measured, key=lambda name: rank.get(name, len(rank)))
    return Evaluation({name: measured[name] for name in ordered}, absence.explain(run, options, measured))


def _measure(subject: Subject) -> dict[str, Measured]:
    """What all evaluators that apply measure of one seed; each name is measured by one of them."""
    found: dict[str, Measured] = {}
    for evaluator in EVALUATORS:
        if evaluator.applies(subject):
            more = evaluator.measure(subject)
            assert not more.keys() & found.keys()
            found |= more
    return found


def write(run: Run, num_samples: int, given_features: str | None, extra: Extra) -> dict[str, Estimate]:
    """Evaluate and write evaluation.json, with the hyper-parameters and provenance of the numbers.

    `provenance` is the training's, `evaluated_by` that of the code and the machine that evaluated.
    Where the run's test set is its `part` "valid", the file is evaluation_valid.json. evaluation.npz holds the values
    of each example, [S, N], so that runs can be compared example by example.
    """
    evaluation = evaluate_run(run, num_samples, given_features, extra)
    found, spent = evaluation.estimates, costs.measure(run)
    latest = run_directory.read_sessions(run.path)[-1:]
    result = {
        "config": run.record["config"],
        "values": run.record["values"],
        "step": run.step,
        "selected_by": run.selected_by,
        "trained": run.trained,
        "part": extra.part,
        "annealed_steps": None if extra.annealed is None else extra.annealed_steps,
        "against": None if extra.against is None else extra.against.source,
        "steps": run.experiment.steps,
        "config_steps": run.config_steps,
        "log_prob_of": None if run.recipe.log_prob is None else describe_log_prob(run),
        "test_examples": len(run.dataset.test["x"]),
        "num_samples": num_samples,
        "metrics": {name: estimate._asdict() for name, estimate in found.items()},
        "costs": {name: estimate._asdict() for name, estimate in spent.items()},
        "absent": {name: reason for name, reason in evaluation.absent.items() if name not in spent},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "provenance": next(map(provenance.shown, latest), {}),
        "evaluated_by": provenance.origin(sys.argv[1:], jax.local_devices()),
    }
    name = "evaluation" if extra.part == "test" else f"evaluation_{extra.part}"
    values = {metric: np.stack([seed.values for seed in seeds]) for metric, seeds in evaluation.measured.items()}
    files.write_arrays(
        run.path / f"{name}.npz",
        {metric: array.astype(np.float32) for metric, array in values.items() if array.shape[1] > 1},
    )
    files.write_json(run.path / f"{name}.json", result)
    return found


def describe_log_prob(run: Run) -> str:
    """Describe log p(x) of a run; likelihoods of runs with other words are not comparable."""
    return f"log p({'x | y' if run.recipe.conditional else 'x'}) of {describe_units(run)}"
