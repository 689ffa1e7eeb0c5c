"""Steps and intervals in epochs of the data, and the data in the order of its file."""

import functools
import pathlib

import jax
import numpy as np
import pytest
from run_files import bits_of, call, log_of

from jaxgen.models import MADE
from train import config as configs
from train import preflight, runs
from train import run as running
from train.data.order import epoch_order
from train.engine import keys, run_directory
from train.errors import InputError

RACE = str(pathlib.Path(__file__).resolve().parent / "race.py")
IN_EPOCHS = ("--unit=epoch", "--steps=2", "--evaluate-every=1", "--checkpoint-every=2")
KEPT = ("--no-drop-last", "--unit=epoch", "--steps=3", "--evaluate-every=1", "--checkpoint-every=3")
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
    rows = preflight.training_rows(found.experiment, NUM_TRAIN, 1, 0, 2 * EPOCH).whole

    expected = np.tile(np.arange(16 * EPOCH).reshape(EPOCH, 16), (2, 1))
    np.testing.assert_array_equal(rows, np.stack([expected, expected]))
    shuffled = preflight.training_rows(found.experiment._replace(order="shuffled"), NUM_TRAIN, 1, 0, 2 * EPOCH)
    assert (shuffled.whole != rows).any()


def kept(path: pathlib.Path, binary: str, *options: str) -> preflight.Job:
    """A fully visible belief network on 22 examples, three epochs in batches of 8, 8 and 6."""
    config = configs.load("made_uci")
    given = ["--data", binary, "--hidden", "--optimizer=sgd", "--learning-rate=0.5", "--batch-size=8", *KEPT, *options]
    return preflight.validate(config, configs.bind(config, given), path)


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "binary.npz"
    parts = {f"x_{part}": num for part, num in (("train", 22), ("valid", 10), ("test", 10))}
    random = np.random.default_rng(0)
    np.savez(path, **{name: random.integers(0, 2, (num, 7)).astype(np.float32) for name, num in parts.items()})
    return f"npz:{path}"


def steps_taken(job: preflight.Job) -> tuple:
    """(state before, state after nine steps, losses [.., 9])."""
    run_keys, data = keys.make_seed_keys(0, job.experiment.seeds), job.steps.put(job.dataset.train)
    rows = functools.partial(preflight.training_rows, job.experiment, 22, 1)
    state = job.steps.put(job.steps.init(run_keys.init, data, np.zeros((job.experiment.seeds, 8), int).squeeze()))
    before, losses = jax.tree.map(np.array, state.model.params["params"]), []
    for first in range(0, 9, 3):
        state, metrics = job.steps.call(run_keys.steps, state, data, first, rows(first, 3))
        losses.append(metrics["loss"])
    return before, jax.tree.map(np.array, state.model.params["params"]), np.concatenate(losses, axis=-1)


def descend(x: np.ndarray, order: np.ndarray, weights: np.ndarray, bias: np.ndarray, seed: int) -> tuple:
    """Nine steps of logistic regressions on the values before, in float64: weights, bias, losses."""
    weights, bias, losses = weights.astype(float), bias.astype(float), []
    rank = np.argsort(order)
    mask = rank[:, None] < rank[None]
    for epoch in range(3):
        for rows in np.split(epoch_order(seed, epoch, 22), (8, 16)):
            seen = x[rows]
            logits = seen @ (weights * mask) + bias
            losses.append(np.mean(np.sum(np.logaddexp(0, logits) - seen * logits, axis=1)))
            error = (1 / (1 + np.exp(-logits)) - seen) / len(rows)
            weights, bias = weights - 0.5 * mask * (seen.T @ error), bias - 0.5 * error.sum(axis=0)
    return weights, bias, losses


@pytest.mark.parametrize(("devices", "seeds"), [(1, 1), (2, 1), (1, 2)])
def test_a_short_last_batch_is_a_step_of_its_size(tmp_path, binary, devices, seeds):
    job = kept(tmp_path / "run", binary, f"--devices={devices}", f"--seeds={seeds}")
    assert (job.experiment.steps, job.experiment.steps_per_call) == (9, 3)
    before, after, losses = steps_taken(job)
    order = MADE((7,), (), ordering="random", direct=True).order

    for seed in range(seeds):
        one = [jax.tree.map(lambda leaf, seed=seed: leaf[seed], tree) for tree in (before, after, losses)]
        start, end, found = one if seeds > 1 else (before, after, losses)
        # Sums of 7 values of up to 4, in 9 steps: float32 keeps 28 * 6e-8 * 9 = 1.5e-5.
        weights, bias, expected = descend(job.dataset.train["x"], order, start["direct"], start["bias_0"], seed)
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
        np.testing.assert_allclose(end["direct"], weights, rtol=0, atol=2e-5)
        np.testing.assert_allclose(end["bias_0"], bias, rtol=0, atol=2e-5)


def test_a_run_resumes_in_an_epoch_whose_last_batch_is_short(tmp_path, binary):
    def train(name: str, *options: str) -> None:
        arguments = [
            "--data", binary, "--hidden", "--batch-size=6", "--no-drop-last", "--devices=1", "--features=none",
            "--seeds=2", "--evaluate-every=2", "--checkpoint-every=2", *options,
        ]  # fmt: skip
        assert call("made_uci", "--run-dir", str(tmp_path / name), *arguments) == 0

    train("whole", "--steps=12")
    train("parts", "--steps=6")
    train("parts", "--steps=12")

    assert bits_of(tmp_path / "whole", 12) == bits_of(tmp_path / "parts", 12)
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "parts")
    assert runs.load(str(tmp_path / "parts"), None).record["values"]["drop_last"] is False


def test_a_short_batch_that_cannot_be_taken_is_refused(tmp_path, binary):
    with pytest.raises(InputError, match="an epoch has 6 examples, which do not divide over the 4 devices"):
        kept(tmp_path / "run", binary, "--devices=4")
    with pytest.raises(InputError, match="--steps-per-call 9: expected a divisor of the 3 steps in an epoch, whose"):
        kept(tmp_path / "run", binary, "--devices=1", "--evaluate-every=3", "--steps-per-call=9")
    assert kept(tmp_path / "run", binary, "--devices=1", "--drop-last").experiment.steps == 6
