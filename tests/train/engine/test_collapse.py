"""The warning of a game that has gone wrong: after a while, once, and of the right seed."""

import numpy as np
import pytest

from train.engine.collapse import CollapseWatch

WELL = {"discriminator_accuracy": 0.8, "diversity": 0.9}


def said(capsys) -> list[str]:
    return capsys.readouterr().err.splitlines()


def watch_to(last, metrics, *, first=0, watch=None):
    watch = watch or CollapseWatch(first)
    for step in range(first + 50, last + 1, 50):
        watch(step, {name: np.asarray(value) for name, value in metrics.items()})
    return watch


@pytest.mark.parametrize(("name", "value"), [("discriminator_accuracy", 1.0), ("diversity", 0.0)])
def test_a_sign_that_lasts_is_told_once(name, value, capsys):
    watch = watch_to(950, WELL | {name: value})
    assert said(capsys) == []

    watch_to(3000, WELL | {name: value}, first=950, watch=watch)
    lines = said(capsys)
    assert len(lines) == 1
    assert f"step 1000: {name}" in lines[0]
    assert "collapsed" in lines[0]


def test_a_sign_that_passes_is_not_told(capsys):
    watch = watch_to(950, WELL | {"diversity": 0.0})
    watch_to(1000, WELL, first=950, watch=watch)
    watch_to(1950, WELL | {"diversity": 0.0}, first=1000, watch=watch)
    assert said(capsys) == []


def test_each_seed_is_named(capsys):
    watch = watch_to(2000, {"diversity": [0.9, 0.0, 0.9]})
    assert "seed number 2)" in said(capsys)[0]

    watch_to(4000, {"diversity": [0.9, 0.0, 0.0]}, first=2000, watch=watch)
    lines = said(capsys)
    assert len(lines) == 1
    assert "seed number 3)" in lines[0]


def test_other_families_are_none_of_its_business(capsys):
    watch_to(3000, {"loss": 0.0, "kl": 0.0})
    assert said(capsys) == []
