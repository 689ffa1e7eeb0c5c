"""Two processes of two devices compute what one process of four devices does, and one device: in one launch."""

import sys

import jax
import numpy as np
import pytest
from launch import HERE, free_address
from test_recipe_laws import MEMBERS, run

# With noise of each example, batch statistics, a loss of the whole batch, and a batch in parts.
NAMES = ("vae", "dcgan", "wae_mmd", "gated_pixelcnn")


@pytest.fixture(scope="module")
def trained(start, tmp_path_factory):
    """The file that each of two processes wrote."""
    out = tmp_path_factory.mktemp("laws")
    both = start([sys.executable, str(HERE / "worker.py"), free_address()], *([i, str(out), *NAMES] for i in "01"))
    for process in both:
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said
    return [np.load(out / f"{i}.npz") for i in range(2)]


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_are_one(name, trained):
    recipe = MEMBERS[name].recipe
    for together in (run(recipe), run(recipe, devices=4)):
        for number, leaf in enumerate(jax.tree.leaves(jax.device_get(together))):
            for file in trained:
                np.testing.assert_allclose(file[f"{name} {number}"], leaf, rtol=1e-5, atol=1e-5)
