"""Evaluate a run on its test set with every applicable evaluator, and write evaluation.json."""

import datetime

from train.engine import files, run_directory
from train.engine.record import provenance
from train.errors import warn
from train.evaluation import features, samples
from train.evaluation.estimates import UNITS, Estimate, Measured, over_seeds
from train.evaluation.evaluators import EVALUATORS
from train.evaluation.subject import Options, Subject
from train.runs import Run


def evaluate_run(run: Run, num_samples: int, given_features: str | None) -> dict[str, Estimate]:
    """Estimates by name, in the order of printing: metrics of test examples, then of samples and codes."""
    recipe = run.recipe
    generates = recipe.sample is not None or (recipe.encode is not None and recipe.decode is not None)
    feature_space = features.choose(run, given_features) if generates else None
    options = Options(num_samples, None if feature_space is None else samples.references(run, feature_space))
    measured: dict[str, list[Measured]] = {}
    for keys, model in zip(run.keys, run.models, strict=True):
        for name, found in _measure(Subject(run, model, keys, options)).items():
            measured.setdefault(name, []).append(found)
    if recipe.log_prob is not None and recipe.levels == 2 and "bits_per_dim" not in measured:
        warn("the test data is not binary: a Bernoulli NLL is then a cross-entropy, not comparable with a likelihood")
    rank = {name: number for number, name in enumerate(UNITS)}
    ordered = sorted(measured, key=lambda name: rank.get(name, len(rank)))
    return {name: over_seeds(measured[name]) for name in ordered}


def _measure(subject: Subject) -> dict[str, Measured]:
    """What all evaluators that apply measure of one seed; each name is measured by one of them."""
    found: dict[str, Measured] = {}
    for evaluator in EVALUATORS:
        if evaluator.applies(subject):
            more = evaluator.measure(subject)
            assert not more.keys() & found.keys()
            found |= more
    return found


def write(run: Run, num_samples: int, given_features: str | None, part: str = "test") -> dict[str, Estimate]:
    """Evaluate and write evaluation.json, with the hyper-parameters and provenance of the numbers.

    Where the run's test set is its `part` "valid", the file is evaluation_valid.json.
    """
    found = evaluate_run(run, num_samples, given_features)
    latest = run_directory.read_sessions(run.path)[-1:]
    result = {
        "config": run.record["config"],
        "values": run.record["values"],
        "step": run.step,
        "selected_by": run.selected_by,
        "trained": run.trained,
        "part": part,
        "test_examples": len(run.dataset.test["x"]),
        "num_samples": num_samples,
        "metrics": {name: estimate._asdict() for name, estimate in found.items()},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "provenance": next(map(provenance.shown, latest), {}),
    }
    name = "evaluation.json" if part == "test" else f"evaluation_{part}.json"
    files.write_json(run.path / name, result)
    return found
