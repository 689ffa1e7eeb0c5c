"""Sphinx configuration: the design, the results and the reference, from the sources of this directory."""

import jaxgen

project = "jaxgen"
version = release = jaxgen.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "alabaster"
exclude_patterns = ["_build"]
autodoc_typehints = "description"
suppress_warnings = ["ref.python"]
