"""Samples of a trained run, as a picture and as numbers.

python -m train.sample RUN [--num 64]
"""

import dataclasses
import sys

import jax
import numpy as np
import tyro

from train import config, devices, figures, trained
from train.experiment import Count, Size
from train.failures import InputError, one_line_failures


@dataclasses.dataclass(kw_only=True)
class Options:
    """Which run, and how many samples."""

    run: tyro.conf.Positional[str]
    """Directory of the run."""
    num: Size = 64
    """Number of samples."""
    seed: Count = 0
    """Other seeds give other samples."""
    data_dir: str | None = None
    """Directory of data sets by name; None: as in training, else JAXGEN_DATA."""
    platform: str | None = None
    """cpu, gpu or tpu; None: the best there is."""


def main(arguments: list[str]) -> None:
    """The command line."""
    with one_line_failures():
        options = config.parse(Options, arguments, prog="python -m train.sample", description=__doc__)
        config.check_bounds({"num": options.num, "seed": options.seed}, {"num": Size, "seed": Count})
        devices.choose(options.platform, None)
        devices.use_compilation_cache(None)
        run = trained.load(options.run, options.data_dir)
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
