"""Families of generative models: losses, networks and an optimizer wired into a `Recipe`, one family a file."""

from jaxgen.recipes.ema import (
    with_ema,
)
from jaxgen.recipes.vae import (
    iwae,
    vae,
)

__all__ = [
    "iwae",
    "vae",
    "with_ema",
]
