"""Walks through the latent space of a run: their options, checked and turned into a start and a direction."""

import dataclasses
import zlib
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from train import runs
from train.errors import InputError
from train.experiment import Count


@dataclasses.dataclass(kw_only=True)
class Options(runs.Reading):
    """Which run, and which walk."""

    source: Count | None = None
    """Class at which the direction starts."""
    target: Count | None = None
    """Class at which the direction ends."""
    source_rows: tuple[Count, ...] = ()
    """Rows of test examples at which the direction starts, instead of a class."""
    target_rows: tuple[Count, ...] = ()
    """Rows of test examples at which the direction ends, instead of a class."""
    start: Count | None = None
    """Class whose center is the start of the walk; None: the source."""
    example: Count | None = None
    """Row of the test example that is the start of the walk, instead of a center."""
    center: Literal["mean", "median"] = "mean"
    """Center of the start class: the mean of its codes, or the median of each dimension."""
    alphas: tuple[float, float, int] | None = None
    """First alpha, last alpha and their number; None: 0 1 20 for pairs, -3 3 20 for a walk."""
    classifier: str | None = None
    """Run of a classifier for the class probabilities along a walk; None: one-vs-rest logistic regression, trained on
    the same data and kept in the run."""


class Walk(NamedTuple):
    """A walk before decoding."""

    name: str  # of its files
    title: str
    start: jax.Array  # [Z]
    direction: jax.Array  # [Z]
    y: int | None  # class for a conditional decoder


def check_options(options: Options) -> bool:
    """True for a walk, False for all pairs of classes; InputError for options that exclude each other."""
    for one, other in (("source", "source_rows"), ("target", "target_rows"), ("start", "example")):
        first, second = getattr(options, one), getattr(options, other)
        if first is not None and second not in (None, ()):
            raise InputError(f"--{one} and --{other.replace('_', '-')} exclude each other; expected one of them")
    if options.alphas is not None and options.alphas[2] < 1:
        raise InputError(
            f"--alphas {options.alphas[2]}: expected a number of at least 1 after the first and the last alpha"
        )
    if options.alphas is not None and not np.isfinite(options.alphas).all():
        raise InputError(f"--alphas {options.alphas[0]:g} {options.alphas[1]:g}: expected finite numbers")
    ends = (options.source, options.target, options.start, options.example, options.classifier)
    return any(end is not None for end in ends) or bool(options.source_rows or options.target_rows)


def plan_walk(options: Options, z: np.ndarray, y: np.ndarray | None) -> Walk:
    """The walk that the options describe, among codes z [N, Z] with labels y [N]; InputError for an impossible one."""
    source = find_center(z, y, options.source, options.source_rows, "--source", "mean")
    target = find_center(z, y, options.target, options.target_rows, "--target", "mean")
    if source is None or target is None:
        missing = "source" if source is None else "target"
        raise InputError(f"expected --{missing} or --{missing}-rows as well, for a walk")
    if options.example is not None:
        check_rows((options.example,), z, "--example")
        start, origin = z[options.example], f"example {options.example}"
        label = None if y is None else int(y[options.example])
    else:
        label, rows = (options.source, options.source_rows) if options.start is None else (options.start, ())
        found = find_center(z, y, label, rows, "--start", options.center)
        assert found is not None
        start, origin = found, f"{options.center} {describe_end(label, rows)}"
    ends = describe_end(options.source, options.source_rows), describe_end(options.target, options.target_rows)
    title = f"{origin} along {ends[0]} to {ends[1]}"
    name = title.replace(" ", "_")
    if len(name) > 100:  # file names have a limited length
        name = f"{name[:80]}_{zlib.crc32(name.encode()):08x}"
    return Walk(name, title, jnp.asarray(start), jnp.asarray(target - source), label)


def describe_end(label: int | None, rows: tuple[int, ...]) -> str:
    """Name a class by its number, examples by their rows."""
    return str(label) if not rows else f"rows {' '.join(map(str, rows))}"


def find_center(
    z: np.ndarray, y: np.ndarray | None, label: int | None, rows: tuple[int, ...], option: str, center: str
) -> np.ndarray | None:
    """The mean or median code of a class or of rows; None where neither is given."""
    if rows:
        check_rows(rows, z, f"{option}-rows")
        chosen = z[list(rows)]
    elif label is None:
        return None
    elif y is None:
        raise InputError(f"{option} {label}: this data has no labels; expected --source-rows and --target-rows")
    else:
        chosen = z[y == label]
        if not len(chosen):
            raise InputError(f"{option} {label}: expected a class with test examples")
    return chosen.mean(axis=0) if center == "mean" else np.median(chosen, axis=0)


def check_rows(rows: tuple[int, ...], z: np.ndarray, option: str) -> None:
    """InputError unless all rows exist."""
    if max(rows) >= len(z):
        raise InputError(f"{option} {max(rows)}: expected rows of the {len(z)} test examples, from 0 on")
