"""How unevenly a run's training set is weighted, seen in its codes, and which part of it is better.

    python -m train.rebalance RUN [--size 2000] [--against uniform] [--judge-seeds 5]

Writes `rebalance/` in the run: weights.npz (the weight of each training example, and the rows of the chosen subset),
rebalanced.npz and chance.npz, data sets to train on (the subset, and one of equal size drawn without weights, each with
the whole test set). With --judge-seeds a classifier is trained on the whole set and on either subset.
"""

import dataclasses
import pathlib
import sys
import time
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import metrics
from train import config as configs
from train import estimates, latent_density, trained
from train.estimates import Estimate
from train.experiment import Count, Rate, Seed, Size, Weight
from train.failures import InputError, one_line_failures
from train.parallel import over_examples, prepare_examples
from train.run import complete
from train.sample_metrics import draw
from train.trained import Trained

_CLASSIFIER = "configs/classifier_mnist.py"


@dataclasses.dataclass(kw_only=True)
class Options(trained.Reading):
    """Which run, what its training set is held against, and how much of it is chosen."""

    size: Size = 2000
    """Training examples to choose."""
    against: Literal["uniform", "generated"] = "uniform"
    """What the set is to be spread like: evenly over its codes, or as a large set that the model generates."""
    generated: Size = 20000
    """Size of that set."""
    bandwidth: Rate | None = None
    """Smoothing of the densities, in units of the codes; None: N^(-1 / (Z + 4)) of their mean standard deviation."""
    power: Weight = 1.0
    """Weights are tempered by this exponent; 0 weighs all alike."""
    judge_seeds: Count = 0
    """Seeds of the classifiers that judge the choice; 0: none is trained."""
    seed: Seed = 0
    """Of the choice."""


def weigh(run: Trained, options: Options) -> np.ndarray:
    """The weight of each training example: [N], mean 1."""
    model, train = run.models[0], run.dataset.train
    keys = jax.random.split(run.keys[0].compare, 3)
    z = latent_density.encode(run, model, keys[0], train["x"], train.get("y"))
    bandwidth = options.bandwidth or len(z) ** (-1 / (z.shape[1] + 4)) * float(z.std(axis=0).mean())
    references = None
    if options.against == "generated":
        x = draw(run, model, keys[1], options.generated)
        references = jnp.asarray(latent_density.encode_seen(run, model, x))
    return np.asarray(metrics.density_weights(jnp.asarray(z), references, bandwidth=bandwidth, power=options.power))


def choose(weights: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Rows drawn without replacement, the more probable the heavier (Efraimidis & Spirakis 2006): [size], sorted."""
    uniform = np.random.default_rng(seed).uniform(size=len(weights))
    with np.errstate(divide="ignore"):
        return np.sort(np.argsort(np.log(uniform) / weights)[-size:])


def balanced_accuracy(run: Trained) -> Estimate:
    """The mean over classes of the share of test examples that are recognised, over the run's seeds."""
    assert run.recipe.evaluate is not None
    y = run.dataset.test["y"]
    share = np.bincount(y)[y] * len(np.unique(y)) / len(y)  # an example of a large class counts less
    values = []
    for keys, model in zip(run.keys, run.models, strict=True):
        test = prepare_examples(run.experiment.prepare, keys.evaluate, run.dataset.test)
        right = over_examples(run.recipe.evaluate, batch_size=500)(keys.validate, model, test)["accuracy"]
        values.append(right / share)
    return estimates.estimate("of 1", values)


def judge(path: pathlib.Path, data: str, run: Trained, options: Options) -> Trained:
    """A classifier trained on a data set, in a run of its own."""
    config = configs.load(_CLASSIFIER)
    values, run_options = configs.bind(config, ["--data", data, "--seeds", str(options.judge_seeds)])
    run_options = dataclasses.replace(run_options, run_dir=str(path), data_dir=run.data_dir, devices=1)
    if complete(config, values, run_options, time.perf_counter()) is None:
        raise KeyboardInterrupt
    return trained.load(str(path), run.data_dir)


def rebalance(options: Options, run: Trained) -> list[str]:
    """Weigh, choose, write and judge: the lines to print."""
    train, test = run.dataset.train, run.dataset.test
    if run.recipe.encode is None:
        raise InputError(f"{options.run} is of a family that does not encode; expected one with a latent space")
    if options.against == "generated" and run.recipe.sample is None:
        raise InputError("--against generated: expected a family that samples")
    if options.size >= len(train["x"]):
        raise InputError(f"--size {options.size}: expected less than the {len(train['x'])} training examples")
    if options.judge_seeds and "y" not in train:
        raise InputError(f"--judge-seeds {options.judge_seeds}: expected a run whose data has labels")
    folder = run.path / "rebalance"
    folder.mkdir(exist_ok=True)
    weights = weigh(run, options)
    chosen = {
        "rebalanced": choose(weights, options.size, options.seed),
        "chance": choose(np.ones(len(weights)), options.size, options.seed + 1),
    }
    np.savez_compressed(folder / "weights.npz", weights=weights, rows=chosen["rebalanced"])
    for name, rows in chosen.items():
        parts = {
            "train": {leaf: array[rows] for leaf, array in train.items()},
            "valid": run.dataset.valid,
            "test": test,
        }
        arrays: dict[str, Any] = {
            f"{leaf}_{part}": array for part, examples in parts.items() for leaf, array in examples.items()
        }
        np.savez_compressed(folder / f"{name}.npz", **arrays)
    effective = weights.sum() ** 2 / np.square(weights).sum()
    lines = [str(folder / "weights.npz"), f"effective number of examples {effective:.0f} of {len(weights)}"]
    if "y" in train:
        for name, rows in {"whole set": np.arange(len(weights)), **chosen}.items():
            lines.append(f"{name}: examples of each class {np.bincount(train['y'][rows]).tolist()}")
    if options.judge_seeds:
        sources = {name: f"npz:{folder / name}.npz" for name in chosen}
        for name, data in {"whole": run.experiment.data, **sources}.items():
            found = balanced_accuracy(judge(folder / f"judge_{name}", data, run, options))
            lines.append(f"{name}: {estimates.line('balanced_accuracy', found)}")
    return lines


def main(arguments: list[str]) -> None:
    """The command line."""
    with one_line_failures():
        options = trained.bind(Options, arguments, prog="python -m train.rebalance", description=__doc__)
        print(*rebalance(options, trained.open_run(options)), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
