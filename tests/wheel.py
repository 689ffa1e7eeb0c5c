"""Hold an installed wheel to what the README says of it: python -I tests/wheel.py, in an environment with it alone."""

import importlib
import pathlib
import pkgutil
import re
import sys

import jaxgen
from jaxgen import exported

ROOT = pathlib.Path(__file__).resolve().parent.parent

assert ROOT / "jaxgen" not in pathlib.Path(jaxgen.__file__).parents, jaxgen.__file__
names = {module.name for module in pkgutil.walk_packages(jaxgen.__path__, "jaxgen.")} - {"jaxgen.__main__"}
files = {path.relative_to(ROOT).with_suffix("") for path in (ROOT / "jaxgen").rglob("*.py")}
expected = {".".join(file.parts).removesuffix(".__init__") for file in files} - {"jaxgen", "jaxgen.__main__"}
assert names == expected, names ^ expected
assert (pathlib.Path(jaxgen.__file__).parent / "py.typed").is_file()
for name in sorted(names):
    importlib.import_module(name)
for source in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL):
    if "from train" not in source:
        exec(compile(source, "README.md", "exec"), {})
model = exported.load((ROOT / "tests" / "recipes" / "exported_by_jax_0.10.zip").read_bytes())
assert model.decode is not None
assert model.decode([[1.0, 0.0]]).shape == (1, 3)
print(f"jaxgen {jaxgen.__version__}: {len(names)} modules, Python {sys.version.split()[0]}")
