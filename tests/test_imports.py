"""Who may import whom, read from the source; and that importing the library is light."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
IMPURE = {"logging", "os", "pathlib", "time"}
PURE = frozenset(sys.stdlib_module_names) - IMPURE
STANDARD = frozenset(sys.stdlib_module_names)

# module, or package with all in it: what it may import beside the standard library. The longest name that fits counts.
ALLOWED = {
    "configs": "jax optax configs train.experiment "
    "jaxgen.recipes jaxgen.models jaxgen.preprocess jaxgen.likelihood jaxgen.recipe",
    "train.loop": "jax numpy train jaxgen.recipe",
    "train.parallel": "jax numpy train jaxgen.recipe jaxgen.sampling",
    "train.checkpoint": "jax numpy orbax train jaxgen.recipe",
    "jaxgen": "",
    "jaxgen.games": "jax jaxgen.losses",
    "jaxgen.importance": "jax jaxgen.losses jaxgen.optimize",
    "jaxgen.labels": "jax chex",
    "jaxgen.latent": "jax chex",
    "jaxgen.likelihood": "jax jaxgen.losses",
    "jaxgen.losses": "jax chex jaxgen.losses",
    "jaxgen.metrics": "jax chex jaxgen.losses jaxgen.metrics",
    "jaxgen.models": "jax flax jaxgen.models",
    "jaxgen.optimize": "jax optax jaxgen.recipe",
    "jaxgen.players": "jax flax jaxgen.recipe",
    "jaxgen.preprocess": "jax chex",
    "jaxgen.recipe": "jax",
    "jaxgen.recipes.__init__": "jaxgen.recipes",  # the facade; the recipes themselves do not import each other
    "jaxgen.recipes": "jax chex flax optax "
    "jaxgen.recipe jaxgen.losses jaxgen.metrics jaxgen.models jaxgen.sampling jaxgen.latent jaxgen.likelihood "
    "jaxgen.games jaxgen.importance jaxgen.labels jaxgen.optimize jaxgen.players",
    "jaxgen.sampling": "jax chex",
}
FORBIDDEN_EVERYWHERE = "tensorflow pickle"


def within(name, packages):
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports(tree):
    """Full names: `from jaxgen import losses` is jaxgen.losses; a relative import keeps its dots, and no rule fits."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def calls(tree):
    """Names of the functions that are called by a bare name."""
    return {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}


def offences(module, source):
    """What the module may not do, one line each."""
    tree = ast.parse(source)
    found = []
    rule = max((name for name in ALLOWED if within(module, [name])), key=len, default=None)
    if rule is not None:
        standard = PURE if within(module, ["jaxgen"]) else STANDARD
        allowed = [*ALLOWED[rule].split(), *standard]
        found += [f"{module} imports {name}" for name in imports(tree) if not within(name, allowed)]
    if within(module, ["jaxgen"]):
        found += [f"{module} calls {name}" for name in sorted(calls(tree) & {"print", "open", "__import__", "input"})]
    found += [f"{module} imports {name}" for name in imports(tree) if within(name, FORBIDDEN_EVERYWHERE.split())]
    return found


def sources():
    for package in ("jaxgen", "train", "configs", "benchmarks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            # jaxgen/__init__.py is jaxgen, but that of the recipes has a rule of its own.
            name = ".".join(parts)
            yield pytest.param(name if name in ALLOWED else name.removesuffix(".__init__"), path, id=name)


@pytest.mark.parametrize(("module", "path"), list(sources()))
def test_directions(module, path):
    assert offences(module, path.read_text()) == []


def test_every_module_of_the_library_has_a_rule_of_its_own():
    modules = {path.stem for path in (ROOT / "jaxgen").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert {f"jaxgen.{name}" for name in modules if not name.startswith("_")} <= set(ALLOWED)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("configs.x", "from train import loop"),
        ("configs.x", "from jaxgen import losses"),
        ("configs.x", "import flax"),
        ("configs.x", "import numpy as np"),
        ("train.loop", "from jaxgen import models"),
        ("train.loop", "import optax"),
        ("train.loop", "from jaxgen.sampling import example_keys"),
        ("train.parallel", "from flax import linen"),
        ("train.parallel", "import jaxgen.losses"),
        ("train.checkpoint", "def save():\n    import optax"),
        ("jaxgen", "import jax"),
        ("jaxgen.latent", "from jaxgen import sampling"),
        ("jaxgen.likelihood", "from jaxgen import models"),
        ("jaxgen.losses.x", "from jaxgen.models import VAE"),
        ("jaxgen.losses.x", "import flax.linen as nn"),
        ("jaxgen.losses.x", "import numpy"),
        ("jaxgen.losses.x", "from . import vae"),
        ("jaxgen.metrics.x", "from jaxgen.models import VAE"),
        ("jaxgen.models.x", "from jaxgen import losses"),
        ("jaxgen.models.x", "import optax"),
        ("jaxgen.models.x", "import jaxgen.recipes.vae"),
        ("jaxgen.optimize", "from jaxgen import recipes"),
        ("jaxgen.preprocess", "from jaxgen import sampling"),
        ("jaxgen.recipe", "import chex"),
        ("jaxgen.recipes.x", "from jaxgen.recipes.vae import vae"),
        ("jaxgen.recipes.x", "from jaxgen import recipes"),
        ("jaxgen.recipes.x", "from jaxgen.preprocess import scale"),
        ("jaxgen.recipes.x", "from train.experiment import Experiment"),
        ("jaxgen.recipes.__init__", "from jaxgen import losses"),
        ("jaxgen.sampling", "from jaxgen.models import VAE"),
        *(
            ("jaxgen.losses.x", f"import {name}")
            for name in ("os.path", "pathlib", "time", "logging", "train", "configs")
        ),
        ("jaxgen.models.x", "print(1)"),
        ("jaxgen.models.x", "def f():\n    return open('x')"),
        ("train.data.sources", "import tensorflow as tf"),
        ("train.data.sources", "from tensorflow.io import gfile"),
        ("benchmarks.x", "import pickle"),
    ],
)
def test_the_check_can_fail(module, source):
    assert offences(module, source)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "configs.x",
            "import math\nimport optax\nfrom jaxgen import models, recipes\nfrom train.experiment import Size",
        ),
        ("jaxgen.losses.x", "import math\nimport jax.numpy as jnp\nfrom jaxgen.losses._reduce import sum_event"),
        ("jaxgen.recipes.x", "from jaxgen import losses\nfrom jaxgen.recipe import Recipe"),
        ("train.data.sources", "import os\nimport tensorflow_datasets"),
    ],
)
def test_the_check_lets_pass_what_is_allowed(module, source):
    assert offences(module, source) == []


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import jaxgen", "jax chex flax optax tensorflow orbax numpy"),
        ("from jaxgen import losses", "flax optax tensorflow orbax"),
        ("from jaxgen import metrics", "flax optax tensorflow orbax scipy.linalg sklearn"),
        ("from jaxgen import preprocess, sampling", "chex flax optax tensorflow orbax"),
    ],
)
def test_imports_are_light(statement, absent):
    program = f"import sys\n{statement}\nprint(*(name for name in {absent.split()} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
