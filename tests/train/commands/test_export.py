"""The model of a run in one file: its bits, its facts, and what cannot be exported."""

import importlib.util

import jax
import numpy as np
import pytest
from run_files import call

import jaxgen
from jaxgen import exported
from train import runs


def test_the_file_computes_what_the_run_s_model_does(rae, tmp_path, capsys):
    assert call("export", str(rae), str(tmp_path / "model.zip")) == 0
    said = capsys.readouterr().out
    run, loaded = runs.load(str(rae)), exported.load((tmp_path / "model.zip").read_bytes())

    assert "encode, decode, prepare, to_unit; step 20 of 20" in said
    assert loaded.meta["values"]["latent_dim"] == 2
    assert loaded.meta["jaxgen"] == jaxgen.__version__
    assert loaded.meta["data"] == "tiny.npz"
    assert str(rae.parent) not in str(loaded.meta)
    x = loaded.prepare(jax.random.key(0), run.dataset.test["x"])
    codes = loaded.encode(x)
    np.testing.assert_array_equal(codes, jax.jit(run.recipe.encode)(run.models[0], x))
    np.testing.assert_array_equal(loaded.decode(codes), jax.jit(run.recipe.decode)(run.models[0], codes))
    np.testing.assert_array_equal(loaded.to_unit(x), x)
    np.testing.assert_allclose(x, run.dataset.test["x"] / np.float32(255), rtol=2e-7)  # one rounding of either


@pytest.mark.parametrize(
    ("file", "said"),
    [("missing/model.zip", "expected a file in an existing directory"), (".", "expected a file in an existing")],
)
def test_a_file_that_cannot_be_written_is_one_line(rae, tmp_path, capsys, file, said):
    assert call("export", str(rae), str(tmp_path / file)) == 2
    assert said in capsys.readouterr().err


def test_a_missing_package_is_one_line(rae, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert call("export", str(rae), str(tmp_path / "model.zip")) == 2
    assert capsys.readouterr().err == (
        "error: the package flatbuffers is not installed; expected: pip install -e .[export]\n"
    )
    assert list(tmp_path.iterdir()) == []
