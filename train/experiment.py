"""Experiments, which configs return, and the types and bounds in which configs state their hyper-parameters."""

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Union, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.preprocess import Preparation
from jaxgen.recipe import Recipe


class DataSpec(NamedTuple):
    """What is known of the data once it is opened, before any model exists."""

    shape: tuple[int, ...]  # one example: (28, 28, 1), or (2,)
    num_classes: int | None  # None: no labels
    num_train: int
    unit_interval: bool  # every value lies in [0, 1] once uint8 is divided by 255
    train_mean: np.ndarray  # of `shape`, float32, uint8 divided by 255
    train_std: np.ndarray  # likewise, with the divisor N
    steps_per_epoch: int = 0  # where a step takes one batch: the unit of schedules in epochs
    dtype: jax.typing.DTypeLike = jnp.float32  # of the inner values of networks, whose parameters are float32

    def require_unit_interval(self, what: str) -> None:
        """ValueError unless every value lies in [0, 1], which `what` needs."""
        if not self.unit_interval:
            raise ValueError(f"{what} needs data in [0, 1]")

    def require_images(self, what: str) -> None:
        """ValueError unless the examples are images, which `what` needs."""
        if len(self.shape) != 3:
            raise ValueError(f"{what} needs images of shape [H, W, C], got examples of shape {self.shape}")


class Bounds(NamedTuple):
    """What a hyper-parameter may be."""

    accepts: Callable[[float], bool]
    expected: str


# The most are those of the 32-bit integers in which steps and indices are counted.
Size = Annotated[int, Bounds(lambda value: 1 <= value < 2**31, "a whole number from 1 to 2147483647")]
Count = Annotated[int, Bounds(lambda value: 0 <= value < 2**31, "a whole number from 0 to 2147483647")]
# All seeds are held in the memory of a device at once.
Seeds = Annotated[int, Bounds(lambda value: 1 <= value <= 1024, "a whole number from 1 to 1024")]
Seed = Annotated[int, Bounds(lambda value: 0 <= value < 2**31, "a whole number from 0 to 2147483647")]
Fraction = Annotated[float, Bounds(lambda value: 0 <= value < 1, "a number from 0 to less than 1")]
Share = Annotated[float, Bounds(lambda value: 0 < value < 1, "a number above 0 and less than 1")]
Rate = Annotated[float, Bounds(lambda value: 0 < value < math.inf, "a number above 0")]
Weight = Annotated[float, Bounds(lambda value: 0 <= value < math.inf, "a number of at least 0")]

# The games of `jaxgen.recipes.gan`.
GameName = Literal["minimax", "non-saturating", "least-squares", "hinge", "wasserstein"]


class Experiment(NamedTuple):
    """One configuration of one run. All fields but `recipe`, `prepare` and `condition` are options of every run."""

    #: What trains and is evaluated; raises ValueError for data that its model cannot take.
    recipe: Callable[[DataSpec], Recipe]
    #: One of `jaxgen.preprocess`, or made like them; or a function of the data that gives one.
    prepare: Preparation | Callable[[DataSpec], Preparation]
    data: str
    batch_size: Size
    steps: Size
    seed: Seed = 0
    seeds: Seeds = 1
    #: Rows (first, end) of training data that validate, where the data has no part of its own for it; None: the last
    #: tenth. A convention about one data set: one without so many rows ignores it.
    valid_rows: tuple[Count, Count] | None = None
    evaluate_every: Size = 1000  # multiples of steps_per_call
    checkpoint_every: Size = 1000
    unit: Literal["step", "epoch"] = "step"  # of `steps` and both intervals
    order: Literal["shuffled", "file"] = "shuffled"  # shuffled anew in each epoch
    drop_last: bool = True  # whether an epoch ends with its last whole batch, or with the short one after it
    select: str | None = None  # a validation metric by which the best model is kept; None: the last is the run's
    patience: Size | None = None  # evaluations without improvement after which a seed stops; None: never
    precision: Literal["float32", "bfloat16"] = "float32"  # of the inner values of networks: `DataSpec.dtype`
    accumulate: Size = 1  # microbatches whose gradients add up to a step
    steps_per_call: Size | None = None  # None: chosen for the device, then written to config.json
    #: (key, x) -> y, of a stored example: makes y out of x, such as a smaller picture; None: y is the data's label.
    condition: Callable[[jax.Array, jax.Array], jax.Array] | None = None

    def preparation(self, spec: DataSpec) -> Preparation:
        """The preparation for this data, with the condition folded in."""
        prepare = self.prepare if isinstance(self.prepare, Preparation) else self.prepare(spec)
        return prepare if self.condition is None else dataclasses.replace(prepare, condition=self.condition)


#: Fields of the identity that came later, and what they are for a run whose config.json lacks them.
ADDED = {
    name: Experiment._field_defaults[name]
    for name in ("unit", "order", "drop_last", "select", "patience", "precision", "accumulate")
}

#: The fields that belong to a run's identity, beside its config's own hyper-parameters. Where a model is selected,
#: `evaluate_every` does too: it says among which.
IDENTITY = ("data", "batch_size", "steps", "seed", "seeds", "valid_rows", *ADDED)


def variant(config: Callable[..., Experiment], **values: Any) -> Callable[..., Experiment]:
    """A config with other defaults, of its hyper-parameters or of the experiment's fields."""
    names = inspect.signature(config).parameters
    with_defaults = functools.partial(config, **{name: value for name, value in values.items() if name in names})
    fields = {name: value for name, value in values.items() if name not in names}

    @functools.wraps(config)
    def experiment(**given: Any) -> Experiment:
        return with_defaults(**given)._replace(**fields)

    experiment.__signature__ = inspect.signature(with_defaults)  # type: ignore[attr-defined]
    return experiment


def fits(value: Any, kind: Any) -> bool:
    """Whether a value that was read from JSON is of this type, within its bounds.

    The types are those of hyper-parameters, and TypedDict or NamedTuple for dictionaries; tuples are lists in JSON.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is NotRequired:
        return fits(value, arguments[0])
    if origin is Annotated:
        bounds = (bound for bound in kind.__metadata__ if isinstance(bound, Bounds))
        return fits(value, arguments[0]) and all(value is None or bound.accepts(value) for bound in bounds)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in arguments)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in arguments)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return isinstance(value, list) and len(value) == len(arguments) and all(map(fits, value, arguments))
    if (origin or kind) in (list, tuple):
        return isinstance(value, list) and all(fits(one, arguments[0]) for one in value if arguments)
    if origin is dict:
        return isinstance(value, dict) and all(fits(one, arguments[1]) for one in value.values())
    if isinstance(kind, type) and issubclass(kind, dict | tuple) and kind is not dict:  # a TypedDict or a NamedTuple
        hints, required = (
            get_type_hints(kind, include_extras=True),
            getattr(kind, "__required_keys__", kind.__annotations__.keys()),
        )
        return (
            isinstance(value, dict)
            and required <= value.keys()
            and all(fits(value[name], hint) for name, hint in hints.items() if name in value)
        )
    if kind in (int, float):
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
        return whole or (kind is float and isinstance(value, float))
    return isinstance(value, kind or NoneType) if kind is None or isinstance(kind, type) else True
