"""The devices to train on."""

import os

import jax

from train.engine.devices import processes
from train.errors import InputError


def choose(platform: str | None, num_devices: int | None) -> list[jax.Device]:
    """The devices to train on, so many of each process; InputError where the platform or they are not there.

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
    if not processes.are_joined():
        return devices[:num_devices]
    processes.print_as_one()
    return [device for index in range(jax.process_count()) for device in jax.local_devices(index)[:num_devices]]
