"""Every config: its docstring, its options, its networks on data of its shape, and two steps of a small one."""

import pathlib
import re

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from train import config as configs
from train import runs
from train.__main__ import is_command, main
from train.experiment import IDENTITY

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.py"))

# Configs that another one differs from in numbers alone: what they do is done there, and their defaults are traced.
SAME_AS_ANOTHER = {
    "bernoulli_mixture",  # trained, evaluated and reported as gaussian_mnist is
    "vae_mnist", "vae_mnist_static", "vae_fashion", "pythae_vae_mnist_static", "vampprior_vae_mnist_static",
    "n_vae_mnist", "seed_vae_mnist", "gaussian_made_mnist", "made_500_mnist_static", "naive_bayes_mnist", "wae_faces",
    "dcgan_fashion", "gan_mnist", "wae_mmd_digits", "maf_mnist", "glow_mnist", "points_vae",
    "superres_mnist", "pixelcnnpp_fashion",  # but for their networks and conditions, which have tests of their own
}  # fmt: skip

# Configs that other tests of the application train, evaluate and report, and one whose network pixelcnn_digits has.
TRAINED_ELSEWHERE = {
    "vae_digits", "wae_mmd_mnist", "gan_ring", "naive_bayes_blobs", "classifier_mnist",
    "pixelcnn_mnist_static",
}  # fmt: skip

# Configs that are traced as their variants, since a trace of their networks takes up to nine seconds.
TRACED_AS_VARIANT = {"superres_mnist", "pixelcnnpp_fashion"}
OF_COLOUR = {"colorize_cifar"}  # which take images of three channels alone

pytestmark = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def write_images(folder: pathlib.Path, *shape: int) -> str:
    x = np.random.default_rng(0).integers(0, 256, (90, *shape), dtype=np.uint8)
    y = np.arange(90) % 3
    np.savez(folder / "images.npz", x_train=x, y_train=y, x_valid=x[:9], y_valid=y[:9], x_test=x[:7], y_test=y[:7])
    return f"npz:{folder / 'images.npz'}"


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> str:
    return write_images(tmp_path_factory.mktemp("data"), 28, 28)


@pytest.fixture(scope="module")
def colour_images(tmp_path_factory) -> str:
    return write_images(tmp_path_factory.mktemp("data"), 8, 8, 3)


@pytest.fixture(scope="module")
def small_images(tmp_path_factory) -> str:
    return write_images(tmp_path_factory.mktemp("data"), 8, 8)


def test_it_takes_the_options_that_every_config_has(path):
    config = configs.load(str(path))
    parameters, bound = config.parameters, configs.bind(config, [])

    selecting = {"evaluate_every"} if bound.experiment.select else set()
    assert set(IDENTITY) | parameters.keys() | selecting == bound.values.keys()
    variant = "from configs." in path.read_text()  # which has the options of another, with other defaults
    assert ("learning_rate" in parameters) == (variant or re.search("optax|optimizer", path.read_text()) is not None)
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters.values())


def test_its_name_is_no_command(path):
    assert not is_command(path.stem)


def test_the_options_of_every_run_override_its_own(path):
    config = configs.load(str(path))
    given = {"data": "digits", "batch_size": 24, "steps": 60, "seed": 3, "seeds": 2, "evaluate_every": 30,
             "checkpoint_every": 60, "steps_per_call": 30}  # fmt: skip
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    bound = configs.bind(config, [*arguments, "--valid-rows", "5", "10"])

    assert bound.experiment._asdict().items() >= (given | {"valid_rows": (5, 10)}).items()
    identity = {name: value for name, value in given.items() if name in IDENTITY}
    assert bound.values.items() >= (identity | {"valid_rows": (5, 10)}).items()
    assert not bound.values.keys() & {"checkpoint_every", "steps_per_call"}
    assert ("evaluate_every" in bound.values) == (bound.experiment.select is not None)


def test_its_docstring_has_its_command(path):
    assert f"python -m train configs/{path.name}" in configs.load(str(path)).description


def is_trained(path, config) -> bool:
    """By the test of small ones; a variant of a config is not."""
    return not hasattr(config.function, "__wrapped__") and path.stem not in SAME_AS_ANOTHER | TRAINED_ELSEWHERE


def test_its_defaults_fit_together(path, images, colour_images):
    """The layers do, as `init` is traced; a step is traced where none is taken below."""
    if path.stem in TRACED_AS_VARIANT:
        return
    config = configs.load(str(path))
    data = colour_images if path.stem in OF_COLOUR else images
    experiment = configs.bind(config, ["--data", data, "--batch-size", "16"]).experiment
    dataset = runs.open_experiment_data(experiment, None)
    recipe, prepare, state = runs.make_recipe(config, experiment, dataset)
    if is_trained(path, config):
        return
    shape = (*([] if recipe.draws == 1 else [recipe.draws]), 16, *dataset.spec.shape)
    batch = {"x": jnp.zeros(shape), "y": jnp.zeros(shape[:-3], int)}
    if prepare.condition is not None:
        condition = prepare.condition
        for _ in shape[:-3]:
            condition = jax.vmap(condition)
        batch["y"] = jax.eval_shape(condition, jax.random.split(jax.random.key(0), shape[:-3]), batch["x"])
    after, metrics = jax.eval_shape(recipe.step, jax.random.key(0), state, batch)

    chex.assert_trees_all_equal_shapes_and_dtypes(state, after)
    assert "loss" in metrics


def test_a_small_one_is_trained_and_reported(path, small_images, tmp_path, capsys):
    config = configs.load(str(path))
    if not is_trained(path, config):
        return
    small = []
    sizes = {"hidden": "8", "channels": "8", "discriminator_hidden": "8", "blocks": "1", "head": "8",
             "num_layers": "1", "num_bins": "2"}  # fmt: skip
    for name, size in sizes.items():
        if name in config.parameters and config.parameters[name].default != ():  # () is without such layers
            small += [f"--{name.replace('_', '-')}", size]
    main(
        [str(path), "--data", small_images, "--run-dir", str(tmp_path / "run"), "--steps=2", "--steps-per-call=1",
         "--evaluate-every=2", "--checkpoint-every=2", "--num-samples=2", "--devices=1", "--batch-size=16",
         "--features=none", *small]
    )  # fmt: skip

    said = capsys.readouterr().out
    assert any(name in said for name in ("negative_elbo", "accuracy", "squared_error", "real_logit", "nll"))
    assert (tmp_path / "run" / "report.html").exists()
