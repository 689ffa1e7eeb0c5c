"""What is said of a run while it trains: the best so far, the speed, the time left; and its samples in TensorBoard."""

import io
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgen import preprocess
from train.engine.record import log
from train.engine.record.standing import Standing
from train.run import compile_samples


def seen(*lines, last=1000, select=None):
    standing = Standing(last, select)
    for line in lines:
        standing.see(line)
    return standing


CALLS = [{"step": 100, "seconds": 8.0, "loss": 120.0}, {"step": 200, "seconds": 10.0, "loss": 110.0}]
FIRST = {"step": 200, "seconds": 11.0, "valid_kl": 20.0, "valid_nll": 105.0}
THEN = [{"step": 300, "seconds": 12.0, "loss": 100.0}, {"step": 300, "seconds": 13.0, "valid_nll": 106.0}]


def test_nothing_is_known_of_the_speed_before_the_second_call():
    """The first one is compiled."""
    assert seen().line() == "step 0 of 1000"
    assert seen(CALLS[0]).line() == "step 100 of 1000  loss 120"


def test_a_line_has_all_that_a_person_judges_by():
    assert seen(*CALLS).line() == "step 200 of 1000  loss 110  50 steps/s  0:00:16 left"
    # 100 steps in the 3 s since the first call had ended, validation included; 800 of them are left.
    assert seen(*CALLS, FIRST).line() == (
        "step 200 of 1000  loss 110  valid_nll 105, best 105 so far  33.3 steps/s  0:00:24 left  valid_kl 20"
    )
    assert seen(*CALLS, FIRST, *THEN).line() == (
        "step 300 of 1000  loss 100  valid_nll 106, best 105 at step 200  40 steps/s  0:00:18 left  valid_kl 20"
    )


def test_beside_a_bar_stands_what_fits_there():
    assert seen().short() == ""
    assert seen(*CALLS, FIRST, *THEN).short() == "loss 100  best 105  40 steps/s  0:00:18 left"


def test_the_judge_is_what_selects_and_may_be_better_when_it_is_more():
    lines = [
        {"step": step, "valid_accuracy": value, "valid_nll": 1.0} for step, value in ((1, 0.5), (2, 0.9), (3, 0.8))
    ]
    assert seen(*lines, select="accuracy").best == "best 0.9 at step 2"
    assert seen(*lines).best == "best 1 at step 1"
    assert seen({"step": 1, "valid_real_logit": 3.0}).line() == "step 1 of 1000  valid_real_logit 3"


def test_seeds_are_averaged_and_those_that_have_stopped_are_left_out():
    standing = seen({"step": 1, "loss": [1.0, 3.0]}, {"step": 1, "valid_nll": [2.0, None]})
    assert standing.line() == "step 1 of 1000  loss 2  valid_nll 2, best 2 so far"
    standing.see({"step": 2, "valid_nll": [None, None]})
    assert standing.best == "best 2 at step 1"


def test_the_speed_is_that_of_the_session():
    lines = [{"step": 300, "seconds": 5.0, "loss": 1.0}, {"step": 500, "seconds": 7.0, "loss": 1.0}]
    assert seen(*CALLS, *lines).speed == "100 steps/s  0:00:05 left"
    standing = seen(*CALLS)
    standing.begin()  # whose first call took longer than the whole session before
    standing.see({"step": 300, "seconds": 50.0, "loss": 1.0})
    assert standing.speed == ""


def test_seconds_that_are_damaged_are_left_out():
    assert seen(CALLS[0], {"step": 150, "seconds": None, "loss": 1.0}, CALLS[1]).speed == seen(*CALLS).speed
    assert seen(CALLS[0], {"step": 150, "seconds": [1.0], "loss": 1.0}, CALLS[1]).speed == seen(*CALLS).speed


def test_few_samples_are_shown_in_a_column_that_they_do_not_fill(tmp_path, monkeypatch):
    pytest.importorskip("tensorboardX")
    shown = []
    with log.MetricsLog(tmp_path, 0, 1, lambda step: True, None) as written:
        monkeypatch.setattr(written._events, "add_image", lambda step, name, image: shown.append(image))
        written.show(1, np.ones((3, 2, 5, 1)))
    np.testing.assert_array_equal(shown[0], np.repeat([255, 0], [6, 2])[:, None] * np.ones((1, 5)))


def test_each_evaluation_shows_samples(train_only, tmp_path, monkeypatch):
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")

    x = np.linspace(0, 1, 16 * 16, dtype=np.float32).reshape(16, 4, 4, 1)
    monkeypatch.setattr("train.run.compile_samples", lambda job: lambda model: x)
    train_only(tmp_path / "run", "--steps", "20")

    shown = {}
    (file,) = (tmp_path / "run" / "tensorboard").iterdir()
    content = file.read_bytes()
    while content:  # a record: its length, 8 bytes, a checksum of 4, the event, another checksum
        length = int.from_bytes(content[:8], "little")
        event = event_pb2.Event.FromString(content[12 : 12 + length])
        shown.update((event.step, value.image) for value in event.summary.value if value.tag == "samples")
        content = content[16 + length :]
    assert sorted(shown) == [10, 20]
    pixels = np.asarray(Image.open(io.BytesIO(shown[20].encoded_image_string)))
    assert pixels.shape == (shown[20].height, shown[20].width) == (16, 16)
    np.testing.assert_array_equal(pixels[4:8, 4:8], np.round(255 * x[5, :, :, 0]))


def test_the_samples_of_a_run_are_of_the_same_draws_each_time(tmp_path):
    def sample(key, model, num, *, y):
        return model + jax.random.normal(key, (num, 4, 4, 1)) + y.mean(axis=(1, 2, 3), keepdims=True)

    x = np.full((30, 4, 4, 1), 255, np.uint8)
    job = types.SimpleNamespace(
        recipe=types.SimpleNamespace(sample=sample),
        prepare=preprocess.Preparation(preprocess.scale.apply, lambda x: 10 * x, condition=preprocess.shrink(2)),
        dataset=types.SimpleNamespace(valid={"x": x}),
        experiment=types.SimpleNamespace(seed=3, seeds=2),
        devices=jax.devices()[:1],
    )
    draw = compile_samples(job)
    first, later = draw(jnp.array([0.0, 9.0])), draw(jnp.array([1.0, 9.0]))

    assert first.shape == (16, 4, 4, 1)
    assert 0.4 < first.mean() / 10 < 1.6  # 1, the condition, within 10 standard errors of 256 normal values
    np.testing.assert_allclose(later - first, 10, atol=1e-5)
    job.recipe.sample = None
    assert compile_samples(job) is None


def test_a_log_without_tensorboard_shows_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(log.importlib.util, "find_spec", lambda name: None)
    with log.MetricsLog(tmp_path, 0, 1, lambda step: True, None) as written:
        assert not written.shows_samples
        written.show(1, np.zeros((16, 4, 4, 1)))
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
