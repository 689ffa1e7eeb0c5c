"""The guide is run, block after block, as a reader would, and the glossary says what reports say."""

import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgen import exported, preprocess
from jaxgen.recipe import Recipe
from train import config as configs
from train.data import open_data
from train.evaluation.estimates import UNITS
from train.experiment import DataSpec
from train.report.meanings import MEANINGS

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
LOOP, PICTURES, PAIRS, PREPARATION, NETWORK, CONFIG, EXPORTED = re.findall(
    r"```python\n(.*?)```", (DOCS / "guide.md").read_text(), re.DOTALL
)


@pytest.fixture(scope="module")
def names():
    """What the blocks so far have defined."""
    found: dict = {}
    exec(LOOP, found)
    return found


def test_the_loop_learns(names):
    # Of 16 values without structure, each 1 with the probability 0.3 of their mean, the entropy is 9.8 nats, and a bit
    # at random costs 11.1; in 100 steps of 0.01 the decoder, which starts from 0, moves a part of the way.
    assert 8 < names["value"] < 11


def test_pictures_and_pairs_become_data(names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    for number in range(40):
        Image.new("RGB", (30, 20), (number, number, number)).save(tmp_path / "pictures" / f"{number:02}.png")
    pairs = [(Image.new("L", (8, 8), 6 * number), number % 3) for number in range(40)]
    exec(PICTURES, names)
    exec(PAIRS, names | {"train_set": pairs[:30], "test_set": pairs[30:]})

    assert open_data("npz:pictures.npz", None).spec.shape == (28, 28, 1)
    own = open_data("npz:own.npz", None)
    assert (own.spec.shape, own.spec.num_classes) == ((8, 8, 1), 3)
    np.testing.assert_array_equal(own.test["x"][:, 0, 0, 0], 6 * np.arange(30, 40))


def test_the_preparation_and_the_network_fit_their_contracts(names):
    exec(PREPARATION + NETWORK, names)
    x = jnp.arange(6, dtype=jnp.uint8).reshape(1, 2, 3)
    flipped = {tuple(np.ravel(names["flip"](jax.random.key(seed), x * 51) * 5).round()) for seed in range(20)}
    assert isinstance(names["flip"], preprocess.Preparation)
    assert flipped == {(0, 1, 2, 3, 4, 5), (3, 4, 5, 0, 1, 2)}
    state = jax.eval_shape(names["recipe"].init, jax.random.key(0), {"x": names["x"]})
    jax.eval_shape(names["recipe"].step, jax.random.key(1), state, {"x": names["x"]})


def test_the_config_is_one(tmp_path):
    (tmp_path / "own.py").write_text("import optax\n" + CONFIG)
    config = configs.load(str(tmp_path / "own.py"))
    experiment = configs.build(config, {"latent_dim": 3})
    zeros = np.zeros((8, 8, 1), np.float32)
    spec = DataSpec((8, 8, 1), 10, 1294, unit_interval=True, train_mean=zeros, train_std=zeros)
    assert (list(config.parameters), experiment.steps) == (["latent_dim", "learning_rate"], 2000)
    assert experiment.recipe(spec).sample is not None


def test_the_exported_model_is_read(names, tmp_path, monkeypatch):
    def sample(key, model, num, *, y=None):
        return model + jax.random.uniform(key, (num, 2, 2, 1))

    none = Recipe(init=None, step=None, evaluate=None, sample=sample)
    example = {"x": jax.ShapeDtypeStruct((2, 2, 1), jnp.uint8)}
    (tmp_path / "model.zip").write_bytes(exported.dump(none, jnp.zeros(()), example, prepare=preprocess.scale))
    monkeypatch.chdir(tmp_path)
    exec("import pathlib\n" + EXPORTED, names)
    assert names["images"].shape == (4, 2, 2, 1)


def test_the_glossary_has_every_meaning():
    page = (DOCS / "glossary.md").read_text()
    rows = [
        f"| `{name}` | {UNITS.get(name, '')} | {known.text.replace('|', chr(92) + '|')} | {known.better} |"
        for name, known in MEANINGS.items()
    ]
    assert [line for line in page.splitlines() if line.startswith("| `")] == rows
