"""Devices: those to train on, the processes that hold them, and the cache of programs compiled for them."""

from train.engine.devices.cache import use_compilation_cache
from train.engine.devices.choose import choose

__all__ = ["choose", "use_compilation_cache"]
