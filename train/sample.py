"""Samples of a trained run, as a picture and as numbers.

python -m train.sample RUN [--num 64]
"""

import dataclasses
import sys

import jax
import numpy as np

from train import figures, trained
from train.experiment import Seed, Size
from train.failures import InputError, one_line_failures


@dataclasses.dataclass(kw_only=True)
class Options(trained.Reading):
    """Which run, and how many samples."""

    num: Size = 64
    """Number of samples."""
    seed: Seed = 0
    """Other seeds give other samples."""


def main(arguments: list[str]) -> None:
    """The command line."""
    with one_line_failures():
        options = trained.bind(Options, arguments, prog="python -m train.sample", description=__doc__)
        run = trained.open_run(options)
        if run.recipe.sample is None:
            raise InputError(f"{options.run} is of a family that cannot sample")
        key = jax.random.fold_in(run.keys[0].sample, options.seed)
        x = np.asarray(run.recipe.sample(key, run.models[0], options.num))
        picture, numbers = run.path / "samples.png", run.path / "samples.npz"
        drawn = figures.save_examples(picture, x)
        np.savez_compressed(numbers, x=x)
        print(*([picture] if drawn else []), numbers, sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
