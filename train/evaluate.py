"""The evaluation of a run on its test set.

    python -m train.evaluate RUN [--num-samples 500]

Per example first, then averaged once over exactly the examples there are; an interval stands beside each mean.
"""

import dataclasses
import datetime
import json
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import numpy as np
import tyro

from jaxgen import losses, preprocess
from jaxgen.recipe import PyTree, Recipe
from train import config, devices, intervals, run_directory, trained
from train.experiment import Experiment, Size
from train.failures import one_line_failures
from train.parallel import over_examples
from train.trained import Trained

# 100 examples times the recipe's chunk of samples bound the memory of importance sampling.
_BATCH_SIZE = 500
_LIKELIHOOD_BATCH_SIZE = 100


# In the order in which they are printed; a compiled function returns its dictionary sorted.
_UNITS = {
    "negative_elbo": "nats",
    "reconstruction": "nats",
    "kl": "nats",
    "nll": "nats",
    "importance_weighted_nll": "nats",
    "bits_per_dim": "bits/dim",
}


class Estimate(NamedTuple):
    """A mean, where it comes from and how far it can be trusted."""

    value: float
    unit: str
    low: float
    high: float
    interval: str  # how low and high were found, at 95 %
    seeds: list[float]  # the mean of each seed


def compile_validation(recipe: Recipe, experiment: Experiment, valid: Mapping[str, np.ndarray]) -> Callable:
    """(keys, models), one of each a seed -> mean of each metric on the validation set, [] or [S]."""
    evaluate = over_examples(recipe.evaluate, experiment.prepare, batch_size=_BATCH_SIZE)

    def validate(keys: list[jax.Array], models: list[PyTree]) -> dict[str, np.ndarray]:
        values = [evaluate(key, model, valid) for key, model in zip(keys, models, strict=True)]
        means = {name: np.array([value[name].mean(dtype=np.float64) for value in values]) for name in values[0]}
        return means if len(models) > 1 else {name: mean[0] for name, mean in means.items()}

    return validate


def evaluate_run(run: Trained, num_samples: int) -> dict[str, Estimate]:
    """Every metric of the test set that the run's recipe can give, in the order in which they are printed."""
    recipe, prepare, test = run.recipe, run.experiment.prepare, run.dataset.test
    evaluate = over_examples(recipe.evaluate, prepare, batch_size=_BATCH_SIZE)
    values: list[dict[str, np.ndarray]] = [
        dict(evaluate(keys.evaluate, model, test)) for keys, model in zip(run.keys, run.models, strict=True)
    ]
    if recipe.log_prob is not None:
        exact = recipe.log_prob_is == "exact"
        name = "nll" if exact else "importance_weighted_nll"
        shift = discrete_shift(run)

        def nll(key: jax.Array, model: PyTree, batch: dict) -> jax.Array:
            options = {} if exact else {"num_samples": num_samples}
            return -recipe.log_prob(key, model, batch["x"], y=batch.get("y"), **options)

        nlls = over_examples(nll, prepare, batch_size=_LIKELIHOOD_BATCH_SIZE)
        for keys, model, metrics in zip(run.keys, run.models, values, strict=True):
            metrics[name] = nlls(jax.random.fold_in(keys.evaluate, 1), model, test)
            if shift is not None:
                metrics["bits_per_dim"] = shift + np.asarray(
                    losses.bits_per_dim(metrics[name], int(np.prod(run.dataset.spec.shape)))
                )
    return {name: estimate(unit, [metrics[name] for metrics in values]) for name, unit in _UNITS.items() if name in values[0]}


def estimate(unit: str, values: list[np.ndarray]) -> Estimate:
    """The mean of [N] values a seed, with Student's t over several seeds or the bootstrap over one seed's examples."""
    means = [float(value.mean(dtype=np.float64)) for value in values]
    if len(means) > 1:
        low, high = intervals.student_t(means)
        return Estimate(float(np.mean(means)), unit, low, high, f"Student t, {len(means)} seeds", means)
    low, high = intervals.bootstrap(values[0])
    return Estimate(means[0], unit, low, high, f"bootstrap, {len(values[0])} examples", means)


def discrete_shift(run: Trained) -> float | None:
    """What to add to a density's bits per dimension to bound those of the data; None where the data is not discrete."""
    if run.experiment.prepare is preprocess.dequantize:
        return 8.0  # the density is of values 256 times as small as the integers
    x = trained.prepared(run, run.dataset.test, 100)["x"]
    return 0.0 if np.isin(x, (0, 1)).all() else None


def write(run: Trained, num_samples: int) -> dict[str, Estimate]:
    """Evaluate and write evaluation.json, with all that a reader needs to judge the numbers."""
    estimates = evaluate_run(run, num_samples)
    latest = run_directory.read_sessions(run.path)[-1:]
    result = {
        "config": run.record["config"],
        "values": run.record["values"],
        "step": run.step,
        "test_examples": len(run.dataset.test["x"]),
        "num_samples": num_samples,
        "metrics": {name: found._asdict() for name, found in estimates.items()},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "provenance": {name: value for session in latest for name, value in session.items() if name != "data_dir"},
    }
    run_directory.write_json(run.path / "evaluation.json", result)
    return estimates


def read(path: pathlib.Path) -> dict[str, Estimate]:
    """The estimates of evaluation.json."""
    return {name: Estimate(**found) for name, found in json.loads((path / "evaluation.json").read_text())["metrics"].items()}


def line(name: str, found: Estimate) -> str:
    """`name value unit`, then the interval."""
    digits = 4 if found.unit == "bits/dim" else 2
    interval = f"95 % [{found.low:.{digits}f}, {found.high:.{digits}f}], {found.interval}"
    return f"{name} {found.value:.{digits}f} {found.unit}  {interval}"


@dataclasses.dataclass(kw_only=True)
class Options:
    """Which run, and how thoroughly."""

    run: tyro.conf.Positional[str]
    """Directory of the run."""
    num_samples: Size = 500
    """Importance samples for each test example."""
    data_dir: str | None = None
    """Directory of data sets by name; None: as in training, else JAXGEN_DATA."""
    platform: str | None = None
    """cpu, gpu or tpu; None: the best there is."""


def main(arguments: list[str]) -> None:
    """The command line."""
    with one_line_failures():
        options = config.parse(Options, arguments, prog="python -m train.evaluate", description=__doc__)
        config.check_bounds({"num_samples": options.num_samples}, {"num_samples": Size})
        devices.choose(options.platform, None)
        devices.use_compilation_cache(None)
        run = trained.load(options.run, options.data_dir)
        for name, found in write(run, options.num_samples).items():
            print(line(name, found))


if __name__ == "__main__":
    main(sys.argv[1:])
