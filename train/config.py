"""Config files: finding one, binding a command line to its signature, building its experiment."""

import contextlib
import dataclasses
import difflib
import functools
import inspect
import io
import os
import pathlib
import re
import runpy
import typing
from collections.abc import Callable, Mapping, Sequence

import tyro

from train.errors import InputError
from train.experiment import Bound, Experiment

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass(kw_only=True)
class RunOptions:
    """Where and how a run happens: nothing that changes what is learnt."""

    run_dir: str | None = None
    """Directory of the run, resumed where it exists; None: runs/<config name>."""
    data_dir: str | None = None
    """Directory of data sets by name; None: the environment variable JAXGEN_DATA, for tfds:NAME TFDS_DATA_DIR."""
    evaluate_every: int | None = None
    """Steps between evaluations on the validation set; None: the config's."""
    checkpoint_every: int | None = None
    """Steps between checkpoints; None: the config's."""
    steps_per_call: int | None = None
    """Steps in one compiled call; None: the config's, else chosen for the device."""
    num_samples: int = 500
    """Importance samples for each test example in the last evaluation."""
    features: str | None = None
    """Run of a classifier in whose features samples are compared with data, "x" for x itself, or "none" not to compare
    them; None: a classifier of images with labels, trained once for a data set."""
    devices: int | None = None
    """Devices to train on; None: all that this process has."""
    platform: str | None = None
    """cpu, gpu or tpu; None: the best there is."""
    compilation_cache: str | None = None
    """Directory of compiled programs, or "off"; None: jaxgen in the user's cache directory."""


class Config(typing.NamedTuple):
    """A config file's function, and the file."""

    path: pathlib.Path
    description: str
    function: Callable[..., Experiment]

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The hyper-parameters and their defaults."""
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
    file = next((base / named for base in (pathlib.Path.cwd(), ROOT) if (base / named).is_file()), None)
    if file is None or file.suffix != ".py":
        there = sorted(file.stem for file in (ROOT / "configs").glob("*.py"))
        near = ", ".join(
            f"configs/{name}.py" for name in difflib.get_close_matches(pathlib.Path(path).stem, there) or there
        )
        raise InputError(f"no such config: {path}; expected a Python file such as {near}")
    try:
        module = runpy.run_path(str(file))  # unlike an import, it leaves no compiled file beside the config
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
    config = Config(file.resolve(), inspect.cleandoc(module["__doc__"] or ""), function)
    missing = config.parameters.keys() - config.hints().keys()
    if missing:
        raise InputError(f"{path} is no config: expected annotations of {', '.join(sorted(missing))}")
    return config


def bind(config: Config, arguments: Sequence[str]) -> tuple[dict, RunOptions]:
    """The hyper-parameters and run options that a command line gives; InputError in one line for a wrong one."""
    hints = config.hints()
    options = dataclasses.make_dataclass(
        config.name,
        [(name, hints[name], parameter.default) for name, parameter in config.parameters.items()],
        bases=(RunOptions,),
        kw_only=True,
    )
    prog = f"python -m train {config.recorded_path()}"
    about = inspect.getdoc(config.function) if inspect.isfunction(config.function) else None
    bound = parse(options, arguments, prog=prog, description="\n\n".join(filter(None, (config.description, about))))
    values = {name: getattr(bound, name) for name in config.parameters}
    run_options = RunOptions(**{field.name: getattr(bound, field.name) for field in dataclasses.fields(RunOptions)})
    check_bounds(values, hints)
    for name in ("evaluate_every", "checkpoint_every", "steps_per_call", "num_samples", "devices"):
        value = getattr(run_options, name)
        if value is not None and value < 1:
            raise InputError(f"--{name.replace('_', '-')} {value}: expected a whole number of at least 1")
    return values, run_options


def parse(options: Callable, arguments: Sequence[str], **described: str | None) -> typing.Any:
    """`tyro.cli` whose complaint is one line."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(options, args=list(arguments), **described)  # type: ignore[call-overload]
    except SystemExit as stop:
        if not stop.code:
            raise
    _, _, boxed = complaint.getvalue().partition("\n")  # the first line is the box's title
    said = re.sub(r"[│╭╮╰╯─|+]+|-{3,}", " ", boxed).replace("Perhaps you meant:", "; perhaps you meant")
    said = re.sub(r"For full helptext,? (run|see)", "; see", said)
    said = re.sub(r"Argument helptext:", "; expected", said)
    raise InputError(re.sub(r"\s+", " ", said).replace(" ;", ";").strip())


def check_bounds(values: Mapping[str, typing.Any], hints: Mapping[str, typing.Any]) -> None:
    """Hold every hyper-parameter to the bound its annotation states (`train.experiment.Size`, `Rate`, ...)."""
    for name, hint in hints.items():
        inner = [hint, *typing.get_args(hint)]
        bounds = [bound for part in inner for bound in getattr(part, "__metadata__", ()) if isinstance(bound, Bound)]
        given = values.get(name)
        numbers = given if isinstance(given, tuple) else (given,)
        for bound in bounds:
            if any(number is not None and not bound.accepts(number) for number in numbers):
                raise InputError(f"--{name.replace('_', '-')} {given}: expected {bound.expected}")


def build(config: Config, values: Mapping[str, typing.Any]) -> Experiment:
    """The experiment of a config under these hyper-parameters."""
    try:
        found = config.function(**values)
    except (ValueError, TypeError) as error:
        raise InputError(f"{config.recorded_path()}: {_one_line(error)}") from error
    if not isinstance(found, Experiment):
        raise InputError(f"{config.recorded_path()} is no config: `experiment` gave {found!r}, expected an Experiment")
    for name in ("steps", "batch_size", "seeds", "evaluate_every", "checkpoint_every"):
        if getattr(found, name) < 1:
            raise InputError(f"{config.recorded_path()}: {name} is {getattr(found, name)}; expected at least 1")
    return found


def default_run_dir(config: Config) -> str:
    """runs/<config name>, under the working directory."""
    return os.path.join("runs", config.name)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
