"""What a config returns, and the words in which it states its hyper-parameters."""

import math
from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

import numpy as np

from jaxgen.preprocess import Preparation
from jaxgen.recipe import Recipe


class DataSpec(NamedTuple):
    """What is known of the data once it is opened, before any model exists."""

    shape: tuple[int, ...]  # one example: (28, 28, 1), or (2,)
    num_classes: int | None  # None: no labels
    num_train: int
    unit_interval: bool  # every value lies in [0, 1] once uint8 is divided by 255
    train_mean: np.ndarray  # of `shape`, float32, uint8 divided by 255

    def require_unit_interval(self, what: str) -> None:
        """ValueError unless every value lies in [0, 1], which `what` needs."""
        if not self.unit_interval:
            raise ValueError(f"{what} needs data in [0, 1]")


class Experiment(NamedTuple):
    """One configuration of one run; the run's identity is the bound values of the function that returned it."""

    recipe: Callable[[DataSpec], Recipe]  # raises ValueError for data that its model cannot take
    prepare: Preparation  # one of jaxgen.preprocess, or made like them
    data: str
    batch_size: int
    steps: int
    seed: int = 0
    seeds: int = 1
    steps_per_call: int | None = None  # None: chosen for the device, then written to config.json
    evaluate_every: int = 1000  # steps; multiples of steps_per_call
    checkpoint_every: int = 1000
    valid_rows: tuple[int, int] | None = None  # of data with so many rows and no x_valid: those that validate


class Bound(NamedTuple):
    """What a hyper-parameter may be."""

    accepts: Callable[[float], bool]
    expected: str


Size = Annotated[int, Bound(lambda value: value >= 1, "a whole number of at least 1")]
Count = Annotated[int, Bound(lambda value: value >= 0, "a whole number of at least 0")]
Seed = Annotated[int, Bound(lambda value: 0 <= value < 2**31, "a whole number from 0 to 2147483647")]
Fraction = Annotated[float, Bound(lambda value: 0 <= value < 1, "a number from 0 to less than 1")]
Share = Annotated[float, Bound(lambda value: 0 < value < 1, "a number above 0 and less than 1")]
Rate = Annotated[float, Bound(lambda value: 0 < value < math.inf, "a number above 0")]
Weight = Annotated[float, Bound(lambda value: 0 <= value < math.inf, "a number of at least 0")]

# The games of `jaxgen.recipes.gan`.
GameName = Literal["minimax", "non-saturating", "least-squares", "hinge", "wasserstein"]
