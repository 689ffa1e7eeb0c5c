"""Checks of shapes and dtypes whose messages name the function and its argument; they cost nothing under `jit`."""

from typing import Any

import jax.numpy as jnp

_KINDS: dict[str, tuple[Any, str]] = {"float": (jnp.floating, "floating"), "int": (jnp.integer, "integers"),
                                        "bool": (jnp.bool_, "booleans"), "number": (jnp.number, "numbers")}  # fmt: skip


def check(function: str, **arguments: tuple[Any, str]) -> None:
    """Raise AssertionError unless each argument (value, expected) is an array such as "float [B, ..., K]".

    A name stands for one size, at least 1, in all arguments of the call, "..." for any axes, the same in all, and a
    number for itself.
    """
    bound: dict[str, tuple[tuple[int, ...], str]] = {}  # a name's size, and the argument that set it
    for name, (value, expected) in arguments.items():
        (dtype, kind), shape = _KINDS[expected.partition(" ")[0]], expected.partition(" ")[2]
        if not (hasattr(value, "dtype") or isinstance(value, int | float)):
            raise AssertionError(f"{function}: {name} must be an array {shape}, got {type(value).__name__}")
        got = f"got {jnp.result_type(value)} {jnp.shape(value)}"
        if not jnp.issubdtype(jnp.result_type(value), dtype):
            raise AssertionError(f"{function}: {name} must be {kind}, {got}")
        sizes = _match(shape, jnp.shape(value))
        if sizes is None or any(axis.isdigit() and size != (int(axis),) for axis, size in sizes.items()):
            raise AssertionError(f"{function}: {name} must be {shape}, {got}")
        for axis, size in sizes.items():
            if 0 in size:
                raise AssertionError(f"{function}: {name} must not be empty, {got}")
            first_size, first = bound.setdefault(axis, (size, name))
            if size != first_size:
                other = f"{first} is {jnp.shape(arguments[first][0])}"
                raise AssertionError(f"{function}: {name} must be {shape} where {other}, {got}")


def _match(expected: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]] | None:
    """The axes for which each name in "[B, ..., K]" stands; None where the rank differs."""
    names = expected[1:-1].split(", ") if expected != "[]" else []
    if "..." not in names:
        return {name: (size,) for name, size in zip(names, shape, strict=True)} if len(names) == len(shape) else None
    before, after = names.index("..."), len(names) - names.index("...") - 1
    if len(shape) < before + after:
        return None
    end = len(shape) - after
    singles = zip(names[:before] + names[before + 1 :], shape[:before] + shape[end:], strict=True)
    return {**{name: (size,) for name, size in singles}, "...": shape[before:end]}
