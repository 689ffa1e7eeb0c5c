"""Sphinx configuration: the design, the results and the reference, from the sources of this directory."""

from sphinx.application import Sphinx

import jaxgen

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


def setup(app: Sphinx) -> None:
    """Connect what changes docstrings."""
    app.connect("autodoc-process-docstring", _escape)
