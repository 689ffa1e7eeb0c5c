"""How unevenly a run's training set is weighted, seen in its codes, and which part of it is better.

    python -m train rebalance RUN [--size 2000] [--against uniform] [--judge-seeds 5]

Writes into a folder of the run, `rebalance/` and a name made of the options: weights.npz (the weight of each training
example, and the rows of the chosen subset), rebalanced.npz and chance.npz, data sets to train on (the subset, and one
of equal size drawn without weights, each with the validation and test data). With --judge-seeds N classifiers are
trained on the whole set and on N draws of either subset.
"""

import dataclasses
import pathlib
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen import metrics
from train import config as configs
from train import runs
from train.engine.compile import over_examples, prepare_examples
from train.errors import InputError
from train.evaluation import code_density, estimates
from train.evaluation.samples import draw
from train.experiment import Count, Rate, Seed, Size, Weight
from train.run import train_beside
from train.runs import Run

_CLASSIFIER = "configs/classifier_mnist.py"


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
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
    """Draws of either subset, each judged by a classifier with a seed of its own; 0: none is."""
    seed: Seed = 0
    """Of the first draw."""


def check(options: Options, run: Run) -> None:
    """InputError for a run or options that cannot be, before anything is written."""
    num, spec = len(run.dataset.train["x"]), run.dataset.spec
    if run.recipe.encode is None:
        raise InputError(f"{options.run} is of a family that does not encode; expected one with a latent space")
    if options.against == "generated" and run.recipe.sample is None:
        raise InputError("--against generated: expected a family that samples")
    if options.size >= num:
        raise InputError(f"--size {options.size}: expected less than the {num} training examples")
    if options.judge_seeds and (spec.num_classes is None or len(spec.shape) != 3):
        raise InputError(f"--judge-seeds {options.judge_seeds}: expected a run on images with labels")


def weigh(run: Run, options: Options) -> np.ndarray:
    """The weight of each training example by the densities of posterior means: [N], mean 1."""
    model, train = run.models[0], run.dataset.train
    key_codes, key_draw, key_drawn = jax.random.split(jax.random.fold_in(run.keys[0].compare, 1), 3)
    z = code_density.encode(run, model, key_codes, train["x"], train.get("y"))
    bandwidth = options.bandwidth or len(z) ** (-1 / (z.shape[1] + 4)) * float(z.std(axis=0).mean())
    references = None
    if options.against == "generated":
        x = draw(run, model, key_draw, options.generated)
        try:
            references = jnp.asarray(code_density.encode(run, model, key_drawn, x, None))
        except ValueError as error:  # an encoder that is conditional on a class
            raise InputError(f"--against generated: {error}") from error
    return np.asarray(metrics.density_weights(jnp.asarray(z), references, bandwidth=bandwidth, power=options.power))


def choose(weights: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Rows drawn without replacement, the more probable the heavier (Efraimidis & Spirakis 2006): [size], sorted."""
    uniform = np.random.default_rng(seed).uniform(size=len(weights))
    with np.errstate(divide="ignore"):
        return np.sort(np.argsort(np.log(uniform) / weights)[-size:])


def write_subset(path: pathlib.Path, run: Run, rows: np.ndarray) -> None:
    """A data set of these training examples, with the validation and test data of the run."""
    subset = {leaf: array[rows] for leaf, array in run.dataset.train.items()}
    parts = {"train": subset, "valid": run.dataset.valid, "test": run.dataset.test}
    arrays: dict[str, Any] = {
        f"{leaf}_{part}": array for part, examples in parts.items() for leaf, array in examples.items()
    }
    np.savez_compressed(path, **arrays)


def recalls(judge: Run) -> np.ndarray:
    """Values [N] of test examples whose mean is balanced accuracy: the mean over classes of the share recognised."""
    test, keys = judge.dataset.test, judge.keys[0]
    share = np.bincount(test["y"])[test["y"]] * len(np.unique(test["y"])) / len(test["y"])
    prepared = prepare_examples(judge.prepare, keys.evaluate, test)
    right = over_examples(judge.recipe.evaluate, batch_size=500)(keys.validate, judge.models[0], prepared)["accuracy"]
    return right / share  # an example of a large class counts less


def judge_all(folder: pathlib.Path, run: Run, weights: np.ndarray, options: Options) -> list[str]:
    """Balanced accuracy of classifiers on the whole set, on weighted and on unweighted subsets: lines to print."""
    config, lines = configs.load(_CLASSIFIER), []
    arms = {"whole set": None, "rebalanced": weights, "chance": np.ones(len(weights))}
    for name, of_arm in arms.items():
        values = []
        for seed in range(options.seed, options.seed + options.judge_seeds):
            path = folder / f"judge_{name.replace(' ', '_')}_{seed}"
            data = run.experiment.data
            if of_arm is not None:
                file = folder / f"{name}_{seed}.npz"
                write_subset(file, run, choose(of_arm, options.size, seed))
                data = f"npz:{file}"
            values.append(recalls(train_beside(run, config, path, data, "--seed", str(seed))))
        lines.append(f"{name}: {estimates.line('balanced_accuracy', estimates.estimate('of 1', values))}")
    return lines


def rebalance(options: Options, run: Run) -> list[str]:
    """Weigh, choose, write and judge: the lines to print."""
    check(options, run)
    named = ("size", "against", "generated", "bandwidth", "power", "seed")
    folder = run.path / "rebalance" / "_".join(str(getattr(options, name)) for name in named)
    weights = weigh(run, options)
    if np.count_nonzero(weights) < options.size:
        raise InputError(
            f"--size {options.size}: only {np.count_nonzero(weights)} examples weigh more than 0; expected a larger "
            "--bandwidth or a smaller --power"
        )
    folder.mkdir(parents=True, exist_ok=True)
    chosen = {
        "rebalanced": choose(weights, options.size, options.seed),
        "chance": choose(np.ones(len(weights)), options.size, options.seed),
    }
    np.savez_compressed(folder / "weights.npz", weights=weights, rows=chosen["rebalanced"])
    for name, rows in chosen.items():
        write_subset(folder / f"{name}.npz", run, rows)
    effective = weights.sum() ** 2 / np.square(weights).sum()
    lines = [str(folder / "weights.npz"), f"effective number of examples {effective:.0f} of {len(weights)}"]
    y = run.dataset.train.get("y")
    if y is not None:
        for name, rows in {"whole set": np.arange(len(weights)), **chosen}.items():
            lines.append(f"{name}: examples of each class {np.bincount(y[rows]).tolist()}")
    return lines + (judge_all(folder, run, weights, options) if options.judge_seeds else [])


def main(arguments: list[str]) -> None:
    """The command line."""
    options = runs.bind(Options, arguments, prog="python -m train rebalance", description=__doc__)
    print(*rebalance(options, runs.open_run(options)), sep="\n")
