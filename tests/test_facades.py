"""The public interface: every public name is exported, documented, and stands in the reference."""

import ast
import importlib
import pathlib
import pkgutil
import re

import pytest

import jaxgen

ROOT = pathlib.Path(jaxgen.__file__).parent
MODULES = sorted(module.name for module in pkgutil.iter_modules([str(ROOT)]) if not module.name.startswith("_"))
FACADES = [name for name in MODULES if (ROOT / name / "__init__.py").exists()]
# [B, Z], [K, B], [T + 1], [...], [num_local]
SHAPE = re.compile(r"\[(\.\.\.|[A-Z]( \+ 1)?|num_\w+)(, ?[^\]]*)?\]")
# What the modules of a package share among themselves, and nobody outside needs.
INTERNAL = {
    "exported": "batched file_of",
    "models": "Cached DiagonalBiLSTM Everywhere Gates PixelLSTM RowLSTM advance as_output at_pixels empty_rows "
    "find_reach merge merge_gaussian over_pixels pixel_at rows_above select_colour window write write_value",
    "recipes": "count_labels family init_model",
}
Definition = ast.FunctionDef | ast.ClassDef


def public(path: pathlib.Path) -> list[Definition]:
    """The functions and classes that a module defines under a name without an underscore."""
    tree = ast.parse(path.read_text())
    return [node for node in tree.body if isinstance(node, Definition) and not node.name.startswith("_")]


def submodules(package: str) -> list[pathlib.Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if not path.name.startswith("_"))


def exported(package: str) -> set[str]:
    definitions = [node for path in submodules(package) for node in public(path)]
    if package == "recipes":  # what a recipe's state is made of is its own affair
        definitions = [node for node in definitions if isinstance(node, ast.FunctionDef)]
    return {node.name for node in definitions} - set(INTERNAL.get(package, "").split())


def undocumented_fields(tree: ast.Module, lines: list[str]) -> list[str]:
    """The fields of public tuples that no `#:` line stands above: the reference calls them "Alias for field number"."""
    tuples = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in node.bases)
    ]
    return [
        f"{node.name}.{field.target.id}"
        for node in tuples
        for field in node.body
        if isinstance(field, ast.AnnAssign) and not lines[field.lineno - 2].strip().startswith("#:")
    ]


def in_ruffs_order(names: list[str]) -> list[str]:
    """SCREAMING_CASE, then CamelCase, then the rest (RUF022)."""
    return sorted(names, key=lambda name: (not (name.isupper() and len(name) > 1), not name[0].isupper(), name))


def every_definition():
    for path in sorted(ROOT.rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in public(path):
            yield pytest.param(node, id=f"{module}.{node.name}")


def functions_of_arrays():
    for name in ("annealed", "likelihood", "losses", "metrics", "preprocess", "sampling"):
        paths = submodules(name) if name in FACADES else [ROOT / f"{name}.py"]
        for node in (node for path in paths for node in public(path)):
            if isinstance(node, ast.FunctionDef):
                yield pytest.param(node, id=f"{name}.{node.name}")


def test_the_packages_are_found():
    assert {"losses", "metrics", "models", "recipes"} <= set(FACADES)
    assert {"likelihood", "optimize", "preprocess", "recipe", "sampling"} <= set(MODULES)
    assert {"vae", "iwae"} <= exported("recipes")


@pytest.mark.parametrize("package", FACADES)
def test_facade_exports_every_public_name_in_order(package):
    module = importlib.import_module(f"jaxgen.{package}")
    assert set(module.__all__) == exported(package)
    assert module.__all__ == in_ruffs_order(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)


@pytest.mark.parametrize("package", INTERNAL)
def test_every_internal_name_is_defined(package):
    assert set(INTERNAL[package].split()) <= {node.name for path in submodules(package) for node in public(path)}


def test_the_order_is_ruffs():
    names = ["vae", "Decoder", "VAE", "MLP", "free_bits", "Gaussian"]
    assert in_ruffs_order(names) == ["MLP", "VAE", "Decoder", "Gaussian", "free_bits", "vae"]


@pytest.mark.parametrize("package", FACADES)
def test_names_of_a_facade_are_unique(package):
    of_package = exported(package)
    names = [node.name for path in submodules(package) for node in public(path) if node.name in of_package]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("node", list(every_definition()))
def test_every_public_name_has_a_docstring(node):
    assert ast.get_docstring(node)
    if isinstance(node, ast.ClassDef):
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef) and not part.name.startswith("_")]
        assert [method.name for method in methods if not ast.get_docstring(method)] == []


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_field_of_a_public_tuple_is_documented(path):
    assert undocumented_fields(ast.parse(path.read_text()), path.read_text().splitlines()) == []


def test_a_field_with_another_comment_is_undocumented():
    source = "class A(NamedTuple):\n    #: [B].\n    x: int\n    # [B]\n    y: int\n    z: int  # [B]"
    assert undocumented_fields(ast.parse(source), source.splitlines()) == ["A.y", "A.z"]


def test_recipes_are_built_by_keywords():
    calls = [
        node
        for path in sorted(ROOT.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Recipe"
    ]
    assert len(calls) >= 8
    assert [ast.unparse(call) for call in calls if call.args] == []


@pytest.mark.parametrize("node", list(functions_of_arrays()))
def test_every_function_of_arrays_states_its_shapes(node):
    assert SHAPE.search(ast.get_docstring(node) or "")


@pytest.mark.parametrize(
    ("docstring", "states"),
    [("[B, Z], [B, Z] -> [B].", True), ("-> [num_local] keys.", True), ("[...] -> [...]", True), ("in [0, 1]", False)],
)
def test_a_shape_is_told_from_an_interval(docstring, states):
    assert bool(SHAPE.search(docstring)) is states


@pytest.mark.parametrize("module", MODULES)
def test_every_public_module_stands_in_the_reference(module, root):
    lines = (root / "docs" / "api.md").read_text().splitlines()
    assert any(line.endswith(f"automodule:: jaxgen.{module}") for line in map(str.strip, lines))
