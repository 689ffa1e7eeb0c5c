"""The subject of an evaluation, one seed of a run: its test set and samples are computed once for all evaluators."""

import functools
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.recipe import PyTree
from train.data import Dataset, spread
from train.engine.compile import over_examples
from train.engine.keys import Keys
from train.engine.validation import BATCH_SIZE, Examples, prepare_set
from train.evaluation.samples import References, draw
from train.runs import Run


class Extra(NamedTuple):
    """What is measured only where it is asked for."""

    annealed: int | None = None  # test examples of annealed importance sampling
    annealed_steps: int = 1000  # of its chains
    against: Dataset | None = None  # data whose test examples are out-of-distribution
    part: str = "test"  # of the data that stands in the run as its test set
    probes: int | None = None  # training examples on which classifiers of its codes are trained


class Options(NamedTuple):
    """Options of an evaluation."""

    num_samples: int  # importance samples per test example
    references: References | None  # None: samples are not compared with data
    extra: Extra = Extra()


class Subject:
    """One seed of a run; nothing is computed before an evaluator asks for it."""

    def __init__(self, run: Run, model: PyTree, keys: Keys, options: Options) -> None:
        """Keep the model and split its keys."""
        self.run, self.model, self.options = run, model, options
        self._keys = keys
        self._key_samples, self.key_codes = jax.random.split(keys.compare)

    @functools.cached_property
    def test(self) -> Examples:
        """The prepared test set, and the key for measuring on it."""
        return prepare_set(self._keys.evaluate, self.run.prepare, self.run.dataset.test)

    @functools.cached_property
    def valid(self) -> Examples:
        """The prepared validation set, by which choices are made."""
        return prepare_set(jax.random.fold_in(self._keys.evaluate, 1), self.run.prepare, self.run.dataset.valid)

    def train(self, most: int) -> Examples:
        """At most so many training examples, evenly spaced and prepared."""
        train = self.run.dataset.train
        rows = spread(len(train["x"]), most)
        key = jax.random.fold_in(self._keys.evaluate, 2)
        return prepare_set(key, self.run.prepare, {name: array[rows] for name, array in train.items()})

    @functools.cached_property
    def example_metrics(self) -> dict[str, np.ndarray]:
        """The recipe's own metrics of the test examples, [N] each."""
        evaluate = over_examples(self.run.recipe.evaluate, batch_size=BATCH_SIZE)
        return evaluate(self.key(0), self.model, self.test.prepared)

    @functools.cached_property
    def samples(self) -> np.ndarray:
        """As many samples as there are test examples, images in [0, 1]."""
        return draw(self.run, self.model, self._key_samples, len(self.run.dataset.test["x"]))

    def key(self, number: int) -> jax.Array:
        """The key of an evaluator of test examples, by its number."""
        return jax.random.fold_in(self.test.key, number)
