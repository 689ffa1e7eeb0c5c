"""Steps and intervals in epochs of the data, and the data in the order of its file."""

import pathlib

import numpy as np
from run_files import bits_of, log_of

from train import config as configs
from train import preflight, runs
from train import run as running
from train.engine import run_directory

RACE = str(pathlib.Path(__file__).resolve().parent / "race.py")
IN_EPOCHS = ("--unit=epoch", "--steps=2", "--evaluate-every=1", "--checkpoint-every=2")
NUM_TRAIN, EPOCH = 1294, 80  # of the digits: 80 batches of 16, and 14 examples that are left


def job(path: pathlib.Path, *options: str) -> preflight.Job:
    config = configs.load(RACE)
    return preflight.validate(config, configs.bind(config, ["--devices=1", *options]), path)


def train(path: pathlib.Path, *options: str) -> None:
    found = job(path, *options)
    with run_directory.RunDirectory(path) as directory:
        directory.claim(found.record, found.defaults)
        assert running.train(found, path, None, 0.0)


def test_epochs_are_so_many_steps(tmp_path):
    found = job(tmp_path / "run", "--steps-per-call=1", *IN_EPOCHS).experiment
    assert (found.steps, found.evaluate_every, found.checkpoint_every) == (160, 80, 160)
    halved = job(tmp_path / "run", "--steps-per-call=1", *IN_EPOCHS, "--batch-size=32").experiment
    assert (halved.steps, halved.evaluate_every, halved.checkpoint_every) == (80, 40, 80)


def test_a_run_in_epochs_is_the_run_in_as_many_steps(tmp_path):
    train(tmp_path / "epochs", "--steps-per-call=80", *IN_EPOCHS)
    in_steps = ("--steps=160", "--evaluate-every=80", "--checkpoint-every=160")
    train(tmp_path / "steps", "--steps-per-call=80", *in_steps)

    assert bits_of(tmp_path / "epochs", 160) == bits_of(tmp_path / "steps", 160)
    assert log_of(tmp_path / "epochs") == log_of(tmp_path / "steps")
    run = runs.load(str(tmp_path / "epochs"), None)
    assert (run.step, run.experiment.steps, run.record["values"]["steps"]) == (160, 160, 2)


def test_a_config_knows_the_length_of_an_epoch():
    config = configs.load(RACE)
    experiment, lengths = configs.build(config, {}), []

    def recipe(spec):
        lengths.append((spec.num_train, spec.steps_per_epoch))
        return experiment.recipe(spec)

    dataset = runs.open_experiment_data(experiment, None)
    for batch_size in (16, 100):
        runs.make_recipe(config, experiment._replace(recipe=recipe, batch_size=batch_size), dataset)
    assert lengths == [(NUM_TRAIN, EPOCH), (NUM_TRAIN, 12)]


def test_the_order_of_the_file_is_every_epoch_s_and_every_seed_s(tmp_path):
    found = job(tmp_path / "run", "--order=file", "--seeds=2")
    rows = preflight.training_rows(found.experiment, NUM_TRAIN, 1, 0, 2 * EPOCH)

    expected = np.tile(np.arange(16 * EPOCH).reshape(EPOCH, 16), (2, 1))
    np.testing.assert_array_equal(rows, np.stack([expected, expected]))
    shuffled = preflight.training_rows(found.experiment._replace(order="shuffled"), NUM_TRAIN, 1, 0, 2 * EPOCH)
    assert (shuffled != rows).any()
