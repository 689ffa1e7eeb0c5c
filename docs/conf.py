"""Sphinx configuration: the design, the results and the reference, from the sources of this directory."""

import contextlib
import io
import os
import pathlib
import re

from sphinx.application import Sphinx

import jaxgen

# For the page whose blocks are run, before JAX starts: enough threads that no collective waits for another for ever.
os.environ.update(JAX_PLATFORMS="cpu", XLA_FLAGS="--xla_force_host_platform_device_count=8", NPROC="8")

project = "jaxgen"
version = release = jaxgen.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "alabaster"
exclude_patterns = ["_build"]
autodoc_typehints = "description"
# A row's link may lead to a folder of records, which is no page.
suppress_warnings = ["ref.python", "myst.xref_missing"]


def _escape(app: object, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Let |x| be a norm or a determinant, and no substitution."""
    lines[:] = [line.replace("|", r"\|") for line in lines]


def _run_blocks(app: Sphinx) -> None:
    """Run the blocks of elsewhere.md, one after the other; an error ends the build."""
    names: dict[str, object] = {}
    page = pathlib.Path(app.srcdir) / "elsewhere.md"
    for block in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(block, str(page), "exec"), names)


def setup(app: Sphinx) -> None:
    """Connect what changes docstrings, and what runs a page."""
    app.connect("autodoc-process-docstring", _escape)
    app.connect("builder-inited", _run_blocks)
