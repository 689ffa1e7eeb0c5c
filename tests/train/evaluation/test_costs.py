"""The time of a step, from logs that are written here."""

import pytest

from train.evaluation.costs import time_step


def test_the_time_of_a_step_is_that_between_calls():
    log = [
        {"step": 100, "loss": 1.0, "seconds": 9.0},  # with compiling
        {"step": 200, "loss": 1.0, "seconds": 11.0},
        {"step": 200, "valid_loss": 1.0, "seconds": 16.0},
        {"step": 300, "loss": 1.0, "seconds": 18.0},  # after an evaluation
        {"step": 400, "loss": 1.0, "seconds": 20.0},
        {"step": 500, "loss": 1.0, "seconds": 8.0},  # resumed: another clock
        {"step": 600, "loss": 1.0, "seconds": 10.0},
        {"step": 650, "loss": 1.0, "seconds": 11.0},  # a short call
    ]
    assert time_step(log) == pytest.approx(0.02)
    assert time_step(log[:1]) is None
    assert time_step([{"step": 1, "loss": 0.0}, {"step": 2, "loss": 0.0}]) is None
