"""Config files: finding one, binding a command line to its signature, building its experiment."""

import dataclasses
import difflib
import functools
import inspect
import os
import pathlib
import re
import shlex
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated

import tyro

from jaxgen.preprocess import Preparation
from train.config import source
from train.config.command_line import parse
from train.config.source import ROOT
from train.errors import InputError
from train.experiment import ADDED, IDENTITY, Bounds, Experiment, Size, fits


@dataclasses.dataclass(kw_only=True)
class RunOptions:
    """Where a run happens, and how it is evaluated: nothing that changes what is learnt."""

    run_dir: str | None = None
    """Directory of the run, resumed where it exists; None: runs/<config name>."""
    data_dir: str | None = None
    """Directory of data sets by name; None: the environment variable JAXGEN_DATA, for tfds:NAME TFDS_DATA_DIR."""
    num_samples: Size = 500
    """Importance samples for each test example in the last evaluation."""
    layout: typing.Literal["hwc"] | None = None
    """hwc: images whose first axis is 1, 3 or 4 are [H, W, C] all the same; None: they are refused."""
    features: str | None = None
    """Run of a classifier in whose features samples are compared with data, "x" for x itself, or "none" not to compare
    them; None: a classifier of images with labels, trained once for a data set."""
    devices: Size | None = None
    """Devices to train on; None: all that this process has."""
    platform: str | None = None
    """cpu, gpu or tpu; None: the best there is."""
    compilation_cache: str | None = None
    """Directory of compiled programs, or "off"; None: jaxgen in the user's cache directory."""
    trust: bool = False
    """Where the config of the run that --features names has changed or is gone, execute the source that it keeps."""


#: The fields of an experiment that are options of every run, and their help.
_FIELDS = {
    "data": "Data set: digits, blobs, ring, grid, npz:PATH, tfds:NAME, or NAME for NAME.npz in --data-dir.",
    "batch_size": "Examples in a step, over all devices.",
    "steps": "Optimizer steps, or epochs with --unit epoch.",
    "seed": "The first seed.",
    "seeds": "Seeds that are trained in one compile.",
    "valid_rows": "First row, and end, of the training data that validates where the data has no validation part.",
    "evaluate_every": "Steps (epochs) between evaluations on the validation set.",
    "checkpoint_every": "Steps (epochs) between checkpoints.",
    "unit": "Unit of --steps, --evaluate-every and --checkpoint-every.",
    "order": "Order of the training data in each epoch: shuffled anew, or that of the file.",
    "select": "Validation metric, such as nll, by which each seed's best model is kept; None: the last model is used.",
    "patience": "Evaluations without improvement after which a seed stops; None: never.",
    "steps_per_call": "Steps in one compiled call; None: chosen for the device.",
}


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
            raise InputError(f"{self.path} is no config: its annotations: {_one_line(error)}") from error

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
        raise InputError(f"{path} is no config: {type(error).__name__}: {_one_line(error)}") from error
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


class Bound(typing.NamedTuple):
    """What a command line asks for."""

    experiment: Experiment
    values: dict  # the config's hyper-parameters and the identity's fields, by name
    defaults: dict  # of the same names, as the config has them: what an older run that lacks one was trained with
    options: RunOptions


def bind(config: Config, arguments: Sequence[str]) -> Bound:
    """Bind a command line to a config; InputError in one line for a wrong one."""
    options = _options(config)
    about = inspect.getdoc(config.function) if inspect.isfunction(config.function) else None
    described = "\n\n".join(filter(None, (config.description, about)))
    prog = f"python -m train {shlex.quote(config.recorded_path())}"
    bound = parse(options, arguments, prog=prog, description=described)
    check_bounds(vars(bound), typing.get_type_hints(options, include_extras=True))
    run_options = {field.name for field in dataclasses.fields(RunOptions)}
    given = {name: value for name, value in vars(bound).items() if name not in run_options}
    fields = IDENTITY if given["select"] is None else (*IDENTITY, "evaluate_every")
    identity = [name for name in fields if name not in config.parameters]
    by_default = build(config, {name: given[name] for name in config.parameters})
    return Bound(
        build(config, given),
        {name: given[name] for name in (*config.parameters, *identity)},
        {name: parameter.default for name, parameter in config.parameters.items()}
        | {name: ADDED.get(name, getattr(by_default, name)) for name in identity},
        RunOptions(**{name: getattr(bound, name) for name in run_options}),
    )


def _options(config: Config) -> type:
    """The options of a run of this config: its hyper-parameters, the experiment's fields and `RunOptions`."""
    hints, defaults = config.hints(), build(config, {})
    fields = typing.get_type_hints(Experiment, include_extras=True)
    own = [(name, hints[name], parameter.default) for name, parameter in config.parameters.items()]
    others = [
        (name, Annotated[fields[name], tyro.conf.arg(help=text)], getattr(defaults, name))
        for name, text in _FIELDS.items()
        if name not in config.parameters
    ]
    return dataclasses.make_dataclass(config.name, own + others, bases=(RunOptions,), kw_only=True)


def check_bounds(values: Mapping[str, typing.Any], hints: Mapping[str, typing.Any]) -> None:
    """Hold every hyper-parameter to the bound its annotation states (`train.experiment.Size`, `Rate`, ...)."""
    for name, hint in hints.items():
        bounds = [
            bound for part in _parts(hint) for bound in getattr(part, "__metadata__", ()) if isinstance(bound, Bounds)
        ]
        given = values.get(name)
        numbers = given if isinstance(given, tuple) else (given,)
        for bound in bounds:
            if any(number is not None and not bound.accepts(number) for number in numbers):
                raise InputError(f"--{name.replace('_', '-')} {given}: expected {bound.expected}")


def _parts(hint: typing.Any) -> Iterator[typing.Any]:
    """A type, and all that it is made of."""
    yield hint
    for part in typing.get_args(hint):
        yield from _parts(part)


def build(config: Config, values: Mapping[str, typing.Any]) -> Experiment:
    """The experiment of a config under these hyper-parameters and fields; what is not given has its default."""
    own = {name: value for name, value in values.items() if name in config.parameters}
    fields = {name: value for name, value in values.items() if name not in own}
    try:
        found = config.function(**own)
    except (ValueError, TypeError) as error:
        raise InputError(f"{config.recorded_path()}: {_one_line(error)}") from error
    if not isinstance(found, Experiment):
        raise InputError(f"{config.recorded_path()} is no config: `experiment` gave {found!r}, expected an Experiment")
    if not (isinstance(found.prepare, Preparation) or inspect.isfunction(found.prepare)):
        raise InputError(
            f"{config.recorded_path()}: prepare is {found.prepare!r}; expected a jaxgen.preprocess.Preparation"
        )
    found = found._replace(**fields)
    for name in ("steps", "batch_size", "seeds", "evaluate_every", "checkpoint_every"):
        if getattr(found, name) < 1:
            raise InputError(f"{config.recorded_path()}: {name} is {getattr(found, name)}; expected at least 1")
    return found


def recorded(config: Config, values: Mapping[str, typing.Any]) -> Experiment:
    """The experiment of recorded values, as JSON has them; InputError for one that the config no longer has."""
    unknown = values.keys() - config.parameters.keys() - _FIELDS.keys()
    if unknown:
        raise InputError(f"{config.recorded_path()} no longer has the options {', '.join(sorted(unknown))}")
    hints = typing.get_type_hints(Experiment, include_extras=True) | config.hints()
    for name, value in values.items():
        if not fits(value, hints[name]):
            raise InputError(f"{config.recorded_path()} cannot have been trained with {name} {str(value)[:100]}")
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return build(config, {**{name: value for name, value in ADDED.items() if name not in config.parameters}, **given})


def default_run_dir(config: Config) -> str:
    """runs/<config name>, under the working directory."""
    return os.path.join("runs", config.name)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
