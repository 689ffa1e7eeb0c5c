"""The switches under which every test runs, set before jax starts."""

import importlib.metadata
import os
import pathlib

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Most of a test's time is compilation: code of which LLVM optimizes nothing compiles in half of it, and without the
# emitters of fused kernels, which newer versions cannot do without, in half of that.
os.environ["XLA_FLAGS"] = (
    f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"
    f"{' --xla_cpu_use_fusion_emitters=false' if importlib.metadata.version('jaxlib').startswith('0.10.') else ''}"
)
os.environ["NPROC"] = "8"  # with fewer threads than devices, collectives of jax 0.10 can wait for each other for ever
os.environ["JAX_DEBUG_KEY_REUSE"] = "1"
# Of the workers and of the processes that tests start.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR",
    os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "jaxgen-tests"),
)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"

import jax
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    return ROOT
