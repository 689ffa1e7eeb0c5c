"""The settings of JAX and XLA that a run's bits depend on: its configuration and the environment."""

import enum
import os
import re
from collections.abc import Mapping
from typing import Any

import jax

_VARIABLES = re.compile(r"(JAX|XLA)_.*|NPROC|.*_NUM_THREADS")

# What changes no number, by how its name begins.
_WITHOUT_EFFECT = (
    # the cache of compiled programs, which holds what would be compiled
    "jax_compilation_cache", "jax_enable_compilation_cache", "jax_explain_cache", "jax_persistent_cache",
    "jax_raise_persistent_cache",
    # logs, tracebacks and dumps
    "jax_captured_constants", "jax_compiler_detailed_logging", "jax_dump_ir", "jax_hlo_source_file", "jax_include_",
    "jax_log_", "jax_logging_", "jax_pprint", "jax_source_url", "jax_traceback", "jax_tracer_error",
    # debugging, which stops a program or lets it be
    "jax_check_", "jax_debug_", "jax_distributed_debug", "jax_enable_checks", "jax_thread_guard", "jax_transfer_guard",
    # which device is chosen: the one that was is recorded by itself
    "jax_platform_name", "jax_platforms",
)  # fmt: skip


def read() -> dict[str, dict[str, Any]]:
    """All of JAX's configuration, and the variables of the environment by which XLA and its threads are configured."""
    configuration = jax.config.values  # type: ignore[attr-defined]
    return {
        "jax_config": {name: _as_json(value) for name, value in sorted(configuration.items())},
        "environment": {name: value for name, value in sorted(os.environ.items()) if _VARIABLES.fullmatch(name)},
    }


def with_effect(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The settings that can change a number, by name; a variable that sets JAX's configuration is not named twice."""
    configuration = settings["jax_config"]
    variables = {name: value for name, value in settings["environment"].items() if name.lower() not in configuration}
    return {
        name: value
        for name, value in {**configuration, **variables}.items()
        if not name.lower().startswith(_WITHOUT_EFFECT)
    }


def differences(before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The settings that can change a number and differ, a line each, but those that one version of JAX lacks."""
    ours, theirs = with_effect(now), with_effect(before)
    unknown = now["jax_config"].keys() ^ before["jax_config"].keys()
    return [
        f"{name} was {_shown(theirs.get(name))} and is now {_shown(ours.get(name))}"
        for name in sorted((ours.keys() | theirs.keys()) - unknown)
        if theirs.get(name) != ours.get(name)
    ]


def _as_json(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.name
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _shown(value: Any) -> Any:
    return "not set" if value is None else value
