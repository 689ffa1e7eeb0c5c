"""Sample from a trained run, as a picture and as arrays.

python -m train sample RUN [--num 64] [--y 3] [--prior gmm]
"""

import dataclasses
from typing import Literal

import jax
import numpy as np

from train import runs
from train.engine import files
from train.errors import InputError
from train.evaluation import code_density
from train.experiment import Count, Seed, Size
from train.report.drawing import images
from train.runs import Run


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which run, how many samples, and from which prior or classes."""

    num: Size = 64
    """Number of samples."""
    seed: Seed = 0
    """Seed of the samples."""
    prior: Literal["normal", "gaussian", "gmm"] = "normal"
    """Distribution of the latent codes: the model's prior, or a Gaussian or a 10-component Gaussian mixture fitted to
    the training codes."""
    y: tuple[Count, ...] = ()
    """Classes to sample from a conditional model, in equal shares and in this order; none: training frequencies."""


def choose_classes(options: Options, run: Run) -> np.ndarray:
    """Classes of the samples in equal shares, up to one: [num]; InputError for a class that the data does not have."""
    num_classes = run.dataset.spec.num_classes or 0
    for y in options.y:
        if y >= num_classes:
            raise InputError(f"--y {y}: expected classes of the data, which has {num_classes}")
    if options.num < len(options.y):
        raise InputError(f"--num {options.num}: expected at least one sample of each of the {len(options.y)} classes")
    if options.y and not run.recipe.conditional:
        raise InputError(f"--y {options.y[0]}: expected a run whose model is conditional on a class")
    shares = np.arange(options.num) * len(options.y) // options.num
    return np.array(options.y, np.int32)[shares] if options.y else np.zeros(0, np.int32)


def draw(run: Run, options: Options) -> np.ndarray:
    """Draw samples [num, ...], images in [0, 1]."""
    key = jax.random.fold_in(run.keys[0].sample, options.seed)
    y = choose_classes(options, run)
    if options.prior == "normal":
        if run.recipe.sample is None:
            instead = "" if run.recipe.decode is None else "; expected --prior gaussian or gmm"
            raise InputError(f"{options.run} is of a family that cannot sample{instead}")
        x = run.recipe.sample(key, run.models[0], options.num, y=y if options.y else None)
        return runs.in_unit_interval(run, np.asarray(x))
    if run.recipe.encode is None or run.recipe.decode is None:
        raise InputError(f"--prior {options.prior}: expected a run of a family that encodes and decodes")
    codes = code_density.encode_training_data(run, run.models[0], key)
    z, labels = code_density.fit(options.prior, codes)(options.num, options.seed)
    return code_density.decode(run, run.models[0], z, y if options.y else labels)


def main(arguments: list[str]) -> None:
    """Run the command line."""
    options = runs.bind(Options, arguments, prog="python -m train sample", description=__doc__)
    run = runs.open_run(options)
    x = draw(run, options)
    picture, numbers = run.path / "samples.png", run.path / "samples.npz"
    drawn = images.save_examples(picture, x)
    files.write_arrays(numbers, {"x": x})
    print(*([picture] if drawn else []), numbers, sep="\n")
