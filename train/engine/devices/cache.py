"""The cache of compiled programs, in the user's cache directory or where it is named."""

import pathlib

import jax

from train.config import cache_directory
from train.errors import InputError


def use_compilation_cache(directory: str | None) -> None:
    """Keep compiled programs in `directory`; None: where JAX_COMPILATION_CACHE_DIR or the user's cache is; "off": not.

    A directory that cannot be written is InputError where it was named, and no cache where it is the default.
    """
    if directory == "off":
        jax.config.update("jax_compilation_cache_dir", None)
        return
    if directory is None and jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
        return
    path = pathlib.Path(directory) if directory else cache_directory()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if directory is None:
            return
        raise InputError(
            f"--compilation-cache {directory}: expected a directory that can be written: {error}"
        ) from error
    jax.config.update("jax_compilation_cache_dir", str(path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
