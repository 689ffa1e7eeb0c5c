"""The devices of this process, and the cache of programs compiled for them."""

import os
import pathlib

import jax

from train.config import cache_directory
from train.errors import InputError


def choose(platform: str | None, num_devices: int | None) -> list[jax.Device]:
    """The devices to train on; InputError where the platform or so many of them are not there.

    And where keys are not threefry's: under `vmap` other generators draw everything from the first key, so that noise
    would depend on the batch and on the number of devices.
    """
    generator = jax.config.jax_default_prng_impl  # type: ignore[attr-defined]
    if generator != "threefry2x32":
        raise InputError(f"JAX_DEFAULT_PRNG_IMPL={generator}: expected threefry2x32, whose noise belongs to examples")
    if platform is not None:
        jax.config.update("jax_platforms", {"gpu": "cuda"}.get(platform, platform))
    asked = f"--platform {platform}" if platform else f"JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS', '')}"
    try:
        devices = jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"{asked}: no such accelerator here; expected one that jax can use, such as cpu") from error
    if num_devices is not None and num_devices > len(devices):
        raise InputError(f"--devices {num_devices}: expected at most {len(devices)}, the devices of this process")
    return devices[:num_devices]


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
