"""The order of the data is a pure function of (seed, epoch)."""

import numpy as np
import pytest

from train.data import batch_rows, steps_per_epoch
from train.data.order import epoch_order
from train.errors import InputError


@pytest.mark.parametrize("num_examples", [1, 2, 97, 1000])
def test_an_epoch_visits_every_example_once(num_examples):
    order = epoch_order(3, 1, num_examples)
    assert order.dtype == np.int32
    np.testing.assert_array_equal(np.sort(order), np.arange(num_examples))


def test_golden_values():
    # A change of these changes every recorded run; the last line sorts the same stream in plain Python.
    assert epoch_order(0, 0, 10).tolist() == [3, 2, 1, 8, 6, 0, 7, 4, 5, 9]
    assert epoch_order(1, 2, 10).tolist() == [5, 6, 9, 3, 2, 1, 0, 8, 4, 7]
    bits = np.random.PCG64(np.random.SeedSequence([0, 0])).random_raw(10).tolist()
    assert epoch_order(0, 0, 10).tolist() == sorted(range(10), key=bits.__getitem__)


def test_the_cached_order_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        epoch_order(0, 0, 10)[0] = 1
    rows = batch_rows(0, 10, 5, 1, 0, 2).whole
    rows[:] = 0
    assert batch_rows(0, 10, 5, 1, 0, 2).whole.any()


def test_seeds_and_epochs_differ():
    orders = {epoch_order(seed, epoch, 50).tobytes() for seed in range(5) for epoch in range(5)}
    assert len(orders) == 25


def test_every_place_of_an_epoch_is_uniform():
    # 2,000 epochs, 8 places, 8 examples: each count is binomial(2000, 1/8), of mean 250 and standard deviation 14.8.
    orders = np.stack([epoch_order(0, epoch, 8) for epoch in range(2000)])
    counts = np.stack([np.bincount(place, minlength=8) for place in orders.T])
    assert abs(counts - 250).max() < 5 * 14.8


def test_the_tail_of_an_epoch_is_dropped():
    assert steps_per_epoch(23, 5, 1) == 4
    rows = batch_rows(7, 23, 5, 1, 0, 8).whole
    np.testing.assert_array_equal(rows[:4].ravel(), epoch_order(7, 0, 23)[:20])
    np.testing.assert_array_equal(rows[4:].ravel(), epoch_order(7, 1, 23)[:20])


@pytest.mark.parametrize("draws", [1, 3])
def test_an_epoch_that_keeps_its_tail_visits_every_example_once(draws):
    assert steps_per_epoch(51, 5 * 3 // draws, draws, drop_last=False) == 4
    for epoch in range(2):
        rows = batch_rows(7, 51, 5 * 3 // draws, draws, 4 * epoch, 4, drop_last=False)
        assert (len(rows.whole), rows.short.shape) == (3, (6,) if draws == 1 else (3, 2))
        visited = np.concatenate([rows.whole.ravel(), rows.short.ravel()])
        np.testing.assert_array_equal(visited, epoch_order(7, epoch, 51))
    with pytest.raises(ValueError, match="inhomogeneous"):
        batch_rows(7, 51, 15, 1, 3, 2, drop_last=False)


def test_without_a_tail_nothing_is_short():
    assert steps_per_epoch(20, 5, 1, drop_last=False) == 4
    assert batch_rows(0, 20, 5, 1, 2, 2, drop_last=False).short is None


@pytest.mark.parametrize("draws", [1, 3])
def test_a_long_call_is_the_single_calls_in_turn(draws):
    whole = batch_rows(2, 50, 4, draws, 0, 40).whole
    assert whole.dtype == np.int32
    assert whole.shape == ((40, 4) if draws == 1 else (40, 3, 4))
    for first, count in ((0, 1), (11, 1), (5, 17), (39, 1), (40, 0)):
        np.testing.assert_array_equal(batch_rows(2, 50, 4, draws, first, count).whole, whole[first : first + count])


def test_draws_are_consecutive_batches():
    assert steps_per_epoch(50, 4, 3) == 4
    drawn = batch_rows(2, 50, 4, 3, 0, 4).whole
    np.testing.assert_array_equal(drawn.reshape(12, 4), batch_rows(2, 50, 4, 1, 0, 12).whole)


def test_a_far_step_needs_no_steps_before_it():
    rows = batch_rows(0, 20, 10, 1, 2 * 10**9 + 1, 1).whole
    np.testing.assert_array_equal(rows[0], epoch_order(0, 10**9, 20)[10:])


@pytest.mark.parametrize(
    ("batch_size", "draws", "message"),
    [
        (11, 1, "--batch-size 11: a step takes a batch of 11, the training data has 10 examples; expected at most 10"),
        (4, 3, "--batch-size 4: a step takes 3 batches of 4, the training data has 10 examples; expected at most 3"),
    ],
)
def test_a_batch_larger_than_the_data_is_refused(batch_size, draws, message):
    for refused in (steps_per_epoch, lambda *sizes: batch_rows(0, *sizes, 0, 1)):
        with pytest.raises(InputError) as caught:
            refused(10, batch_size, draws)
        assert str(caught.value) == message
    assert steps_per_epoch(10, 10 // draws, draws) == 1
