"""Argument vectors: bound within their bounds, help, or InputError in one line."""

import contextlib
import dataclasses
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train import config as configs
from train import runs
from train.__main__ import main
from train.commands import evaluate, sample
from train.errors import InputError

WORDS = st.sampled_from(
    ["--steps", "--batch-size", "--seed", "--seeds", "--hidden", "--latent-dim", "--learning-rate", "--unit", "--beta",
     "--valid-rows", "--select", "--patience", "--trust", "--no-trust", "--features", "--num", "--help", "--step",
     "epoch", "best", "none", "None", "nan", "inf", "1e400", "-1", "0", "1", "3", "0.5", "2147483648", "1" * 5000, "",
     "-", "--", "--=", "--steps=3", "x\ny", "\ud800", "\0", "{", "*"]
)  # fmt: skip
VECTORS = st.lists(WORDS | st.text(max_size=8), max_size=6)
CONFIG = configs.load("vae_digits")


def attempt(bind, arguments):
    """What is bound; None for help, or for an error in one line."""
    said: list[object] = []
    try:
        return bind(arguments)
    except (InputError, SystemExit) as error:
        said.append(error)
    assert isinstance(said[0], InputError) or not said[0].code  # help
    assert "\n" not in str(said[0])
    return None


@settings(max_examples=60)
@given(VECTORS)
def test_options_of_a_config(arguments):
    found = attempt(lambda given: configs.bind(CONFIG, given), arguments)
    if found is not None:
        experiment = found.experiment
        assert min(experiment.steps, experiment.batch_size, experiment.seeds, experiment.evaluate_every) >= 1
        assert max(experiment.steps, experiment.batch_size, experiment.seed) < 2**31


@settings(max_examples=50)
@pytest.mark.parametrize("options", [evaluate.Options, sample.Options])
@given(VECTORS)
def test_options_of_a_command(options, arguments):
    found = attempt(lambda given: runs.bind(options, given), arguments)
    assert found is None or dataclasses.is_dataclass(found)


@settings(max_examples=50)
@given(st.text(min_size=1, max_size=20), VECTORS)
def test_words_in_place_of_a_config_or_a_command(name, arguments):
    said = io.StringIO()
    with pytest.raises(SystemExit) as stop, contextlib.redirect_stderr(said):
        main([name, *arguments])
    assert stop.value.code == 2
    assert said.getvalue().count("\n") == 1
