"""Autoregressive models: exact log p(x) = sum_i log p(x_i | x_1 ... x_{i-1}) (van den Oord et al. 2016a, eq. 1)."""

from jaxgen.recipes.autoregressive.ensemble import made
from jaxgen.recipes.autoregressive.single import autoregressive

__all__ = ["autoregressive", "made"]
