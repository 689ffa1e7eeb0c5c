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
    "jaxgen.recipes jaxgen.models jaxgen.optimize jaxgen.preprocess jaxgen.likelihood jaxgen.recipe",
    "train.engine.loop": "jax numpy train jaxgen.recipe",
    "train.engine.compile": "jax numpy train jaxgen.optimize jaxgen.preprocess jaxgen.recipe jaxgen.sampling",
    "train.engine.checkpoint.stored": "jax numpy orbax train jaxgen.recipe",
    "train.engine.checkpoint.series": "jax numpy train jaxgen.recipe",
    "jaxgen": "",
    "jaxgen.adversarial": "jax flax optax jaxgen.losses jaxgen.optimize jaxgen.recipe jaxgen.sampling",
    "jaxgen.annealed": "jax jaxgen.losses",
    "jaxgen._checks": "jax",
    "jaxgen._microbatches": "jax",
    "jaxgen.exported": "jax numpy jaxgen.exported jaxgen.preprocess jaxgen.recipe jaxgen.sampling",
    "jaxgen.labels": "jax jaxgen._checks",
    "jaxgen.latent": "jax jaxgen._checks",
    "jaxgen.likelihood": "jax jaxgen.losses jaxgen.optimize",
    "jaxgen.losses": "jax jaxgen._checks jaxgen.losses",
    "jaxgen.metrics": "jax jaxgen._checks jaxgen.losses jaxgen.metrics",
    "jaxgen.models": "jax flax jaxgen._checks jaxgen.models",
    "jaxgen.optimize": "jax optax jaxgen._microbatches jaxgen.recipe",
    "jaxgen.preprocess": "jax",
    "jaxgen.recipe": "jax",
    "jaxgen.recipes.__init__": "jaxgen.recipes",  # the facade; the recipes themselves do not import each other
    "jaxgen.recipes": "jax flax optax "
    "jaxgen._checks jaxgen.recipe jaxgen.losses jaxgen.metrics jaxgen.models jaxgen.sampling jaxgen.latent "
    "jaxgen.likelihood jaxgen.adversarial jaxgen.labels jaxgen.optimize",
    "jaxgen.recipes.autoregressive": "jax optax jaxgen.recipe jaxgen.labels jaxgen.likelihood jaxgen.metrics "
    "jaxgen.models jaxgen.optimize jaxgen.sampling jaxgen.recipes.autoregressive",
    "jaxgen.sampling": "jax",
}
FORBIDDEN_EVERYWHERE = "tensorflow pickle"

# The rooms of the application, from the ground up: a module imports its own room and those below it.
LAYERS = (
    "train.errors train.experiment train.guard",
    "train.config",
    "train.data",
    "train.engine",
    "train.runs",
    "train.preflight",
    "train.run",
    "train.evaluation",
    "train.report",
    "train.studies",
    "train.commands",
    "train.__main__",
)
ROOMS = {room: floor for floor, rooms in enumerate(LAYERS) for room in rooms.split()}


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


def room_of(name):
    return ".".join(name.split(".")[:2])


def climbs(module, source):
    """Imports of rooms that do not lie below the module's own, one line each."""
    own, found = room_of(module), []
    for name in imports(ast.parse(source)):
        other = room_of(name)
        if other in ROOMS and other != own and ROOMS[other] >= ROOMS[own]:
            found.append(f"{module} imports {name}")
    return found


def hidden(source):
    """Our own modules that are imported inside a function."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return {name for node in functions for name in imports(node) if within(name, ("train", "jaxgen", "configs"))}


def circles(graph):
    """Modules that import each other in a circle: graph {module: modules it imports} -> those on one."""
    reached = {name: set(others) for name, others in graph.items()}
    for through in graph:
        for others in reached.values():
            if through in others:
                others |= reached[through]
    return sorted(name for name, others in reached.items() if name in others)


def import_graph():
    modules = {param.values[0]: param.values[1].read_text() for param in sources()}
    graph = {}
    for module, source in modules.items():
        names = imports(ast.parse(source))
        # `from module import function` is of the module.
        found = {name if name in modules else name.rpartition(".")[0] for name in names}
        graph[module] = found & modules.keys() - {module}
    return graph


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


@pytest.mark.parametrize(("module", "path"), [param for param in sources() if room_of(param.values[0]) in ROOMS])
def test_rooms_import_only_what_lies_below(module, path):
    assert climbs(module, path.read_text()) == []


def test_every_module_of_the_application_lies_in_a_room():
    rooms = {room_of(param.values[0]) for param in sources() if param.values[0].startswith("train.")}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize(("module", "path"), list(sources()))
def test_our_own_modules_are_imported_at_the_top(module, path):
    # The dispatch imports the one command that was asked for, and help imports nothing.
    allowed = (
        {f"train.errors.{name}" for name in ("InputError", "LenientStream", "one_line_failures")}
        if module == "train.__main__"
        else set()
    )
    assert hidden(path.read_text()) <= allowed


def test_no_modules_import_each_other_in_a_circle():
    assert circles(import_graph()) == []


def test_a_circle_a_climb_and_a_hidden_import_would_be_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]
    assert circles({"a": {"b"}, "b": set()}) == []
    assert climbs("train.engine.loop", "from train.report import html")
    assert climbs("train.errors", "from train.experiment import Experiment")
    assert not climbs("train.report.html", "from train.report.drawing import charts\nfrom train import runs")
    assert hidden("def f():\n    from train import runs")
    assert not hidden("from train import runs\ndef f():\n    import scipy")
    assert len(import_graph()["train.run"]) > 5


def test_every_module_of_the_library_has_a_rule_of_its_own():
    modules = {path.stem for path in (ROOT / "jaxgen").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert {f"jaxgen.{name}" for name in modules if not name.startswith("_")} <= set(ALLOWED)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("configs.x", "from train.engine import loop"),
        ("configs.x", "from jaxgen import losses"),
        ("configs.x", "import flax"),
        ("configs.x", "import numpy as np"),
        ("train.engine.loop", "from jaxgen import models"),
        ("train.engine.loop", "import optax"),
        ("train.engine.loop", "from jaxgen.sampling import example_keys"),
        ("train.engine.compile", "from flax import linen"),
        ("train.engine.compile", "import jaxgen.losses"),
        ("train.engine.checkpoint.stored", "def save():\n    import optax"),
        ("jaxgen", "import jax"),
        ("jaxgen.adversarial", "from jaxgen import models"),
        ("jaxgen.annealed", "from jaxgen import recipes"),
        ("jaxgen.exported.reading", "from jaxgen import recipes"),
        ("jaxgen.exported.reading", "import flax"),
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
        ("from jaxgen import losses", "chex flax optax tensorflow orbax"),
        ("from jaxgen import metrics", "chex flax optax tensorflow orbax scipy.linalg sklearn"),
        ("from jaxgen import exported, preprocess, sampling", "chex flax optax tensorflow orbax train jaxgen.recipes"),
    ],
)
def test_imports_are_light(statement, absent):
    program = f"import sys\n{statement}\nprint(*(name for name in {absent.split()} if name in sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


@pytest.mark.parametrize(
    "folder",
    [ROOT / "train", ROOT / "jaxgen", *(ROOT / "train").glob("[!_]*/"), *(ROOT / "jaxgen").glob("[!_]*/")],
    ids=lambda folder: folder.name,
)
def test_a_folder_is_taken_in_at_a_glance(folder):
    members = {"configs", "models", "recipes", "commands", "evaluators"}  # lists, which may be longer
    entries = [entry for entry in folder.iterdir() if entry.name[0] != "_" and entry.name != "py.typed"]
    most = {ROOT / "train": 13, ROOT / "jaxgen": 14}.get(folder, 12)
    assert folder.name in members or len(entries) <= most, entries
