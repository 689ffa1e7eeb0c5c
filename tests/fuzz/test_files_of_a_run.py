"""JSON files of a run, with any part of them replaced: what is read has the kinds it should have, or one line says."""

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from train import config as configs
from train.engine import run_directory
from train.engine.record import log
from train.errors import InputError
from train.evaluation import estimates

CONFIG = configs.load("naive_bayes_blobs")
ESTIMATE = {"value": 1.0, "low": 0.5, "high": None, "unit": "nats", "interval": "bootstrap", "seeds": [1.0]}
WHOLE = {
    "config.json": {
        "config": "configs/naive_bayes_blobs.py",
        "values": {"seed": 0, "steps": 100, "data": "blobs", "valid_rows": [0, 10]},
        "data_fingerprint": "0" * 64,
        "steps_per_call": 50,
    },
    "provenance.json": [{"machinery": {"jax": "0.10.2"}, "source": {"a.py": "0"}, "commit": "0", "data_dir": None}],
    "evaluation.json": {"metrics": {"nll": ESTIMATE}, "costs": {}, "step": [10, 20], "steps": 100, "provenance": {}},
    "metrics.jsonl": {"step": 10, "loss": [1.0, None], "seconds": 3.0},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=5), parts, max_size=3),
    max_leaves=5,
)


def opened_config(path: pathlib.Path) -> None:
    record = run_directory.read_config(path)
    experiment = configs.recorded(CONFIG, record["values"])
    assert experiment.steps >= 1
    assert experiment.seeds in range(1, 1025)
    assert record["steps_per_call"] >= 1


def opened_sessions(path: pathlib.Path) -> None:
    assert all(isinstance(session["machinery"], dict) for session in run_directory.read_sessions(path))


def opened_evaluation(path: pathlib.Path) -> None:
    for name, found in estimates.read(path).items():
        assert "\n" not in estimates.line("name", found) or "\n" in name + found.unit + found.interval


def opened_log(path: pathlib.Path) -> None:
    assert all(line["step"] >= 0 for line in log.read(path / "metrics.jsonl"))


READERS: dict[str, Callable[[pathlib.Path], None]] = {
    "config.json": opened_config,
    "provenance.json": opened_sessions,
    "evaluation.json": opened_evaluation,
    "metrics.jsonl": opened_log,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("fuzz")


def replaced(whole: Any, choose: Callable[[Any], Any], value: Any) -> Any:
    """The value with one of its parts, at any depth, replaced."""
    keys = list(whole) if isinstance(whole, dict) else list(range(len(whole))) if isinstance(whole, list) else []
    key = choose(st.sampled_from([None, *keys]))
    if key is None:
        return value
    changed = whole.copy()
    changed[key] = replaced(whole[key], choose, value)
    return changed


@settings(max_examples=150)
@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
def test_parts_of_any_kind(folder, name, data):
    text = json.dumps(replaced(WHOLE[name], data.draw, data.draw(JSON)))
    attempt(folder, name, (text + "\n").encode(errors="surrogatepass"))


@settings(max_examples=75)
@pytest.mark.parametrize("name", READERS)
@given(start=st.integers(0, 1000), content=st.binary(max_size=30), length=st.integers(0, 30))
def test_bytes_of_any_kind(folder, name, start, content, length):
    text = (json.dumps(WHOLE[name]) + "\n").encode()
    attempt(folder, name, text[: start % len(text)] + content + text[start % len(text) + length :])


def attempt(folder: pathlib.Path, name: str, content: bytes) -> None:
    said = ""
    (folder / name).write_bytes(content)
    try:
        READERS[name](folder)
    except InputError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 600
