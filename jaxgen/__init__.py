"""Deep generative models in JAX as pure functions.

The package imports nothing by itself: `from jaxgen import losses` loads jax alone.
"""

__version__ = "0.1.0"
