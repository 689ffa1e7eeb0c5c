"""The options of a config: binding a command line to its signature, building its experiment."""

import dataclasses
import inspect
import os
import shlex
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import tyro

from jaxgen.preprocess import Preparation
from train.config.command_line import parse
from train.config.every_run import FIELDS, RunOptions
from train.config.find import Config
from train.errors import InputError, one_line
from train.experiment import ADDED, IDENTITY, Bounds, Experiment, fits


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
    given["data"] = _with_absolute_path(given["data"])
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


def _with_absolute_path(data: str) -> str:
    """npz:PATH as it is found from any working directory; other data as it is."""
    scheme, colon, path = data.partition(":")
    return f"npz:{os.path.abspath(os.path.expanduser(path))}" if scheme + colon == "npz:" else data


def _options(config: Config) -> type:
    """The options of a run of this config: its hyper-parameters, the experiment's fields and `RunOptions`."""
    hints, defaults = config.hints(), build(config, {})
    fields = typing.get_type_hints(Experiment, include_extras=True)
    own = [(name, hints[name], parameter.default) for name, parameter in config.parameters.items()]
    others = [
        (name, Annotated[fields[name], tyro.conf.arg(help=text)], getattr(defaults, name))
        for name, text in FIELDS.items()
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
        raise InputError(f"{config.recorded_path()}: {one_line(error)}") from error
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
    unknown = values.keys() - config.parameters.keys() - FIELDS.keys()
    if unknown:
        raise InputError(f"{config.recorded_path()} no longer has the options {', '.join(sorted(unknown))}")
    hints = typing.get_type_hints(Experiment, include_extras=True) | config.hints()
    for name, value in values.items():
        if not fits(value, hints[name]):
            raise InputError(f"{config.recorded_path()} cannot have been trained with {name} {str(value)[:100]}")
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return build(config, {**{name: value for name, value in ADDED.items() if name not in config.parameters}, **given})
