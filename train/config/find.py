"""Config files: finding one, executing it, and what it states."""

import dataclasses
import difflib
import functools
import inspect
import os
import pathlib
import re
import typing
from collections.abc import Callable, Mapping

from train.config import source
from train.config.every_run import RunOptions
from train.config.source import ROOT
from train.errors import InputError, one_line
from train.experiment import Experiment


class Config(typing.NamedTuple):
    """A config file's function, and the file."""

    path: pathlib.Path
    description: str
    function: Callable[..., Experiment]
    files: Mapping[str, bytes]  # the file and what it imports from `configs`, by the names under which a run keeps them

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The config's own hyper-parameters and their defaults."""
        return inspect.signature(self.function).parameters

    def hints(self) -> dict[str, typing.Any]:
        """What each hyper-parameter may be; InputError where an annotation is no type."""
        function = self.function.func if isinstance(self.function, functools.partial) else self.function
        try:
            return typing.get_type_hints(function, include_extras=True)
        except (NameError, TypeError) as error:
            raise InputError(f"{self.path} is no config: its annotations: {one_line(error)}") from error

    def recorded_path(self) -> str:
        """The path as a run directory records it: relative to the checkout where it lies inside."""
        return str(self.path.relative_to(ROOT) if self.path.is_relative_to(ROOT) else self.path)


def load(path: str) -> Config:
    """The config of this name, or in this file, which is looked for in the working directory and in the checkout."""
    named = f"configs/{path}.py" if re.fullmatch(r"\w+", path) else path
    # os.path, unlike pathlib, finds no file where a name is too long for one.
    file = next((base / named for base in (pathlib.Path.cwd(), ROOT) if os.path.isfile(base / named)), None)
    if file is None or file.suffix != ".py":
        there = sorted(file.stem for file in (ROOT / "configs").glob("*.py"))
        near = ", ".join(
            f"configs/{name}.py" for name in difflib.get_close_matches(pathlib.Path(path).stem[:100], there) or there
        )
        shown = path if len(path) <= 100 else f"{path[:100]}..."
        raise InputError(f"no such config: {shown}; expected a Python file such as {near}")
    return load_file(file.resolve(), path)


def load_file(file: pathlib.Path, path: str) -> Config:
    """The config in this file, which a person calls `path`; InputError where it is none."""
    try:
        module, files = source.execute(file)
    except (Exception, SystemExit) as error:
        raise InputError(f"{path} is no config: {type(error).__name__}: {one_line(error)}") from error
    function = module.get("experiment")
    if not (inspect.isfunction(function) or isinstance(function, functools.partial)) or any(
        parameter.default is parameter.empty for parameter in inspect.signature(function).parameters.values()
    ):
        raise InputError(f"{path} is no config: expected a function `experiment` whose parameters all have defaults")
    taken = inspect.signature(function).parameters.keys() & {field.name for field in dataclasses.fields(RunOptions)}
    if taken:
        raise InputError(
            f"{path} is no config: expected other names for {', '.join(sorted(taken))}, options of every run"
        )
    config = Config(file, inspect.cleandoc(module["__doc__"] or ""), function, files)
    missing = config.parameters.keys() - config.hints().keys()
    if missing:
        raise InputError(f"{path} is no config: expected annotations of {', '.join(sorted(missing))}")
    return config


def default_run_dir(config: Config) -> str:
    """runs/<config name>, under the working directory."""
    return os.path.join("runs", config.name)
