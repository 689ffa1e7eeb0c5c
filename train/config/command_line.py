"""Reading a command line into a dataclass by the types of its fields: what cannot be read is one line."""

import collections
import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Callable, Collection, Sequence
from typing import Annotated, Any, Literal

import tyro

from train.errors import InputError
from train.experiment import Bounds

_POSITIONAL = typing.get_args(tyro.conf.Positional[str])[1]


def parse(options: Callable, arguments: Sequence[str], **described: str | None) -> Any:
    """The options of a command line; its help is tyro's."""
    if {"-h", "--help"} & {*arguments}:
        tyro.cli(options, args=["--help"], **described)  # type: ignore[call-overload]
    return options(**_read(options, collections.deque(arguments)))


def _read(options: Any, pending: collections.deque[str]) -> dict[str, Any]:
    hints, fields = typing.get_type_hints(options, include_extras=True), dataclasses.fields(options)
    positional = [field.name for field in fields if _POSITIONAL in getattr(hints[field.name], "__metadata__", ())]
    names = {field.name.replace("_", "-"): field.name for field in fields if field.name not in positional}
    values: dict[str, Any] = {}
    words: collections.deque[str] = collections.deque()
    while pending:
        word = pending.popleft()
        if not _is_option(word):
            words.append(word)
            continue
        name, equals, attached = word.partition("=")
        name = name.removeprefix("--").replace("_", "-")
        flag = name.removeprefix("no-") if name not in names else name
        if flag in names and _bare(hints[names[flag]]) is bool:
            if equals:
                raise InputError(f"{_short(word)}: expected --{flag} or --no-{flag}, without a value")
            values[names[flag]] = flag == name
        elif name in names:
            kind = hints[names[name]]
            texts = [attached] if equals else _take(pending, kind)
            values[names[name]] = _convert(f"--{name}", texts, kind)
        else:
            raise InputError(f"{_short(word.partition('=')[0])}: no such option; {_suggestion(name, names)}")
    for name in positional:
        texts = _take(words, hints[name])
        if texts:
            values[name] = _convert(name.upper(), texts, hints[name])
    if words:
        raise InputError(f"{_short(words[0])}: expected an option, which begins with --; --help lists them")
    for field in fields:
        if {field.default, field.default_factory} == {dataclasses.MISSING} and field.name not in values:
            shown = field.name.upper() if field.name in positional else f"--{field.name.replace('_', '-')}"
            raise InputError(f"expected {shown}, {_expected(hints[field.name])}")
    return values


def _is_option(word: str) -> bool:
    return word.startswith("-") and not re.match(r"-[\d.]|-inf$|-$", word)


def _take(words: collections.deque[str], kind: Any) -> list[str]:
    """As many of the next words as values of this type take."""
    found: list[str] = []
    while words and not _is_option(words[0]) and len(found) < _most(kind) and found != ["None"]:
        found.append(words.popleft())
    return found


def _bare(kind: Any) -> Any:
    while typing.get_origin(kind) is Annotated:
        kind = typing.get_args(kind)[0]
    return kind


def _members(kind: Any) -> tuple:
    """The types of a union, and of another type itself."""
    kind = _bare(kind)
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


def _most(kind: Any) -> float:
    """How many words a value takes."""
    for member in map(_bare, _members(kind)):
        if (typing.get_origin(member) or member) in (tuple, list):
            arguments = typing.get_args(member)
            return len(arguments) if arguments and Ellipsis not in arguments and member is not list else float("inf")
    return 1


def _convert(shown: str, texts: list[str], kind: Any) -> Any:
    """The value of these words; InputError for words that are no value of this type."""
    for member in map(_bare, _members(kind)):
        try:
            if member is types.NoneType and texts == ["None"]:
                return None
            if (typing.get_origin(member) or member) in (tuple, list):
                return _sequence(texts, member)
            if member is not types.NoneType:
                (text,) = texts
                return _scalar(text, member)
        except (KeyError, ValueError, TypeError):
            continue
    given = _short(" ".join(texts)) if any(texts) else '""' if texts else ""
    raise InputError(f"{shown}{' ' * bool(given)}{given}: expected {_expected(kind)}")


def _sequence(texts: list[str], kind: Any) -> tuple | list:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    each = arguments if origin is tuple and Ellipsis not in arguments else arguments[:1] * len(texts)
    values = (_scalar(text, _bare(one)) for text, one in zip(texts, each, strict=True))
    return list(values) if origin is list else tuple(values)


def _scalar(text: str, kind: Any) -> Any:
    """One value; KeyError, ValueError or TypeError where there is none."""
    choices = (True, False) if kind is bool else typing.get_args(kind) if typing.get_origin(kind) is Literal else ()
    if choices:
        return {str(value): value for value in choices}[text]
    if kind is int:
        return _whole(text)
    if kind is str and not text:
        raise ValueError
    return kind(text)


def _whole(text: str) -> int:
    """A whole number, also written as 1e4."""
    try:
        return int(text)
    except ValueError:
        value = float(text)
        if not value.is_integer() or abs(value) > 2**53:  # beyond, a float is no exact number
            raise
        return int(value)


def _expected(kind: Any) -> str:
    """What words a type takes, for a person."""
    bounds = [one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Bounds)]
    if bounds:
        return bounds[0].expected
    kinds = [member for member in _members(kind) if member is not types.NoneType]
    member = _bare(kinds[0])
    if (typing.get_origin(member) or member) in (tuple, list):
        most, each = _most(member), _expected(typing.get_args(member)[0])
        return f"{'' if most == float('inf') else f'{most} '}values with blanks between them, each {each}"
    if typing.get_origin(member) is Literal:
        return f"one of {', '.join(map(str, typing.get_args(member)))}"
    if member is not kinds[0] or member is not _bare(kind):
        return _expected(kinds[0])
    return {int: "a whole number", float: "a number", bool: "True or False", str: "a text"}.get(
        member, f"a {getattr(member, '__name__', member)}"
    )


def _suggestion(name: str, names: Collection[str]) -> str:
    """What a misspelt option may mean: an abbreviation by initials, or the nearest name."""
    initials = [known for known in names if "-" in known and "".join(part[0] for part in known.split("-")) == name]
    near = initials or difflib.get_close_matches(name[:100], names, n=1)
    return f"perhaps you meant {' or '.join(f'--{known}' for known in near)}" if near else "--help lists them"


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}..."
