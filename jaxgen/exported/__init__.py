"""Trained models as one file that runs without the code that made them.

A file is a zip of `meta.json`, `parameters.bin` and a function of `jax.export` for each one of
`jaxgen.exported.layout.FUNCTIONS` that the family has. It is compiled where it is read, for cpu, cuda or tpu and for
any number of examples. Writing and reading need the package flatbuffers (`jaxgen[export]`). A file that one version of
jax wrote is read by that version and newer ones.
"""

from jaxgen.exported.reading import Exported, load
from jaxgen.exported.writing import dump

__all__ = [
    "Exported",
    "dump",
    "load",
]
