"""The options of every command that reads a run."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_type_hints

import tyro

from train import config as configs
from train.engine import devices, run_directory
from train.engine.record import source
from train.errors import InputError, warn
from train.runs.opened import Run, load


@dataclasses.dataclass(kw_only=True)
class Reading:
    """Which run is read, and where."""

    run: tyro.conf.Positional[str]
    """Directory of the run."""
    step: Literal["best", "last"] | None = None
    """The model that was selected on validation data, or the newest; None: best where the run selects."""
    data: str | None = None
    """Where the data of the run is now, such as npz:PATH; None: as in training."""
    data_dir: str | None = None
    """Directory of data sets by name; None: JAXGEN_DATA, for tfds:NAME TFDS_DATA_DIR, else as in training."""
    platform: str | None = None
    """cpu, gpu or tpu; None: the best there is."""
    compilation_cache: str | None = None
    """Directory of compiled programs, or "off"; None: jaxgen in the user's cache directory."""
    config: str | None = None
    """The run's config; None: the file that it was trained with, which must not have changed since."""
    trust: bool = False
    """Where a run's config has changed or is gone, execute the source that the run's directory keeps of it."""


def bind(options: Callable, arguments: Sequence[str], **described: str | None) -> Any:
    """The options of a command that reads a run; InputError in one line for a wrong one."""
    bound = configs.parse(options, arguments, **described)
    configs.check_bounds(vars(bound), get_type_hints(options, include_extras=True))
    return bound


def open_run(options: Reading) -> Run:
    """The run that the options name, on the device that they name."""
    devices.choose(options.platform, None)
    devices.use_compilation_cache(options.compilation_cache)
    if pathlib.Path(options.run).is_dir() and not os.access(options.run, os.W_OK):
        raise InputError(f"{options.run}: expected a directory that can be written, for what is found out of the run")
    run_directory.refuse_links_to_directories(options.run, pathlib.Path(options.run))
    config = None if options.config is None else configs.load(options.config)
    found = load(options.run, options.data_dir, options.step, data=options.data, config=config, trust=options.trust)
    for difference in source.differences(found.path, config) if config else ():
        warn(f"{options.run} is read with --config {options.config}: since it was trained, {difference}")
    return found
