"""Categories matched to classes."""

import numpy as np

from train.evaluation.evaluators.matching import match


def test_each_category_has_the_class_under_which_most_are_right():
    # By rows: the second category would win the first class if each chose for itself, and one category is left over.
    counts = np.array([[9, 8, 0], [10, 0, 1], [0, 1, 7], [1, 0, 0]])
    np.testing.assert_array_equal(match(counts), [1, 0, 2, -1])
    np.testing.assert_array_equal(match(counts[:1]), [0])
