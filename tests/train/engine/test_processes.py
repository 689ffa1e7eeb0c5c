"""Joining other processes: what is refused before any is waited for. The rest is in tests/processes."""

import pytest
from run_files import call

from train.data import open_data
from train.engine.devices import processes
from train.errors import InputError
from train.evaluation import features


def test_a_part_of_what_names_a_process_is_refused():
    with pytest.raises(InputError, match="^expected --num-processes and --process-id too, beside --coordinator$"):
        processes.join("localhost:1", None, None)
    with pytest.raises(InputError, match="^expected --coordinator too, beside --num-processes and --process-id$"):
        processes.join(None, 2, 0)


def test_a_process_outside_their_number_is_refused():
    with pytest.raises(InputError, match="^--process-id 2: expected less than --num-processes 2$"):
        processes.join("localhost:1", 2, 2)
    with pytest.raises(InputError, match="^--coordinator localhost: expected HOST:PORT$"):
        processes.join("localhost", 2, 1)


def test_several_processes_open_no_browser(capsys):
    assert call("vae_digits", "--distributed", "--open") == 2
    assert "--open: expected of a process that trains alone" in capsys.readouterr().err


def test_several_processes_train_no_classifier_of_features(monkeypatch):
    monkeypatch.setattr(processes, "are_joined", lambda: True)
    with pytest.raises(InputError, match="^--features: expected x, none or the run of a classifier"):
        features.check(None, open_data("digits", None), trust=False)
