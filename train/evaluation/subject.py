"""One seed of a run under evaluation: what several evaluators look at is prepared or drawn once."""

import functools
from typing import NamedTuple

import jax
import numpy as np

from jaxgen.recipe import PyTree
from train.engine.compile import over_examples
from train.engine.keys import Keys
from train.engine.validation import BATCH_SIZE, Examples, examples_of
from train.evaluation.samples import References, draw
from train.runs import Run


class Options(NamedTuple):
    """How thoroughly a run is evaluated."""

    num_samples: int  # importance samples for each test example
    references: References | None  # None: samples are not compared with data


class Subject:
    """The model of one seed."""

    def __init__(self, run: Run, model: PyTree, keys: Keys, options: Options) -> None:
        """Nothing is computed before an evaluator asks for it."""
        self.run, self.model, self.options = run, model, options
        self._keys = keys
        self._key_samples, self.key_codes = jax.random.split(keys.compare)

    @functools.cached_property
    def test(self) -> Examples:
        """The test set as the model sees it, and the key for measuring on it."""
        return examples_of(self._keys.evaluate, self.run.prepare, self.run.dataset.test)

    @functools.cached_property
    def evaluated(self) -> dict[str, np.ndarray]:
        """The recipe's own metrics of each test example, [N] each."""
        evaluate = over_examples(self.run.recipe.evaluate, batch_size=BATCH_SIZE)
        return evaluate(self.key(0), self.model, self.test.prepared)

    @functools.cached_property
    def samples(self) -> np.ndarray:
        """As many samples as there are test examples, images in [0, 1]."""
        return draw(self.run, self.model, self._key_samples, len(self.run.dataset.test["x"]))

    def key(self, number: int) -> jax.Array:
        """The key of the evaluator of this number, among those that measure test examples."""
        return jax.random.fold_in(self.test.key, number)
