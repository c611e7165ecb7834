"""Converts Pulumi's property maps to typed records and back.

In a property map every number is a float, `None` is absent, and in a preview any value can be `Unknown`. A resource declares its
arguments as a record (providers/record.py), its state as a subclass with what the vendor adds, and never handles a property map.

Supported field types: str, bool, int, float, Any, Literal, X | None, list[X], dict[str, X] and nested records.
"""

import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeVar, Union

import msgspec
from pulumi.output import Unknown

REPLACES: Final = "replaces"
"""Marks an argument whose change replaces the object: `app: Annotated[Input[str], REPLACES]`. A computed output can be marked too, if
only a replacement can fix it: for example, an expired certificate is replaced because of `expires_at`."""

SECRET: Final = "secret"  # noqa: S105 (a marker, not a password)
"""Marks a computed output to encrypt in the state: `private_key: Annotated[str, SECRET]`."""

KEPT: Final = "kept"
"""Marks an argument that is recorded as it is given: its change alone changes nothing, and it may be unknown in a preview."""

T = TypeVar("T", bound=msgspec.Struct)

_ATOMS = (str, bool, int, float)
"""The types of most values, which are therefore tested first."""


class BadProperties(Exception):
    """A property map does not fit its record; each of `problems` names its property, and never a value."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def decode(kind: type[T], properties: Mapping[str, Any], *, lenient: bool = False) -> T:
    """Convert `properties` to a `kind`: whole floats become ints, unknown values stay `Unknown`, extra keys are ignored.

    `lenient` is for state that an older version of this code may have written: a missing or wrong value becomes None.
    Raises BadProperties with all problems at once.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, field in _fields(kind).items():
        value = properties.get(name)
        if value is None:
            if field.is_required:
                values[name] = None
                if not lenient and not _is_optional(field.type):
                    problems.append(f"{name} is missing")
            continue
        try:
            values[name] = value if type(value) is field.type else _convert(value, field.type, name, lenient)
        except BadProperties as bad:
            values[name] = None
            problems.extend(() if lenient else bad.problems)
    if problems:
        raise BadProperties(problems)
    return kind(**values)


def encode(value: Any) -> Any:
    """The property map of a record, or the wire form of a value in one: dicts without None; other values unchanged."""
    if isinstance(value, _ATOMS):
        return value
    if isinstance(value, msgspec.Struct):
        fields = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: encode(item) for name, item in fields if item is not None}
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def is_known(value: Any) -> bool:
    """Whether no part of `value` is `Unknown`."""
    if isinstance(value, _ATOMS):
        return True
    if isinstance(value, Unknown):
        return False
    if isinstance(value, msgspec.Struct):
        return all(is_known(getattr(value, name)) for name in value.__struct_fields__)
    if isinstance(value, Mapping):
        return all(is_known(item) for item in value.values())
    if isinstance(value, list | tuple):
        return all(is_known(item) for item in value)
    return True


def marked(kind: type[msgspec.Struct], mark: str) -> frozenset[str]:
    """The names of the fields of `kind` that have the marker `mark`."""
    return frozenset(name for name, field in _fields(kind).items() if mark in field.markers)


def holds_records(kind: type[msgspec.Struct], name: str) -> bool:
    """Whether the value of the field `name` of `kind` is a record or contains some."""
    return _holds_records(_fields(kind)[name].type)


def _holds_records(hint: Any) -> bool:
    return isinstance(hint, msgspec.StructMeta) or any(map(_holds_records, typing.get_args(hint)))


class _Field(msgspec.Struct, frozen=True):
    type: Any
    """Without its markers."""
    markers: tuple[str, ...]
    is_required: bool


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> Mapping[str, _Field]:
    """The fields of a record by name. It reads annotations, which cannot be strings here: `msgspec.structs.fields`, which also evaluates
    those, takes fifteen times as long, for every record in every preview."""
    hints: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        hints |= getattr(base, "__annotations__", {})  # Since Python 3.14 they are not in the class's `__dict__`.
    required = len(kind.__struct_fields__) - len(kind.__struct_defaults__)
    defaults = (msgspec.NODEFAULT,) * required + kind.__struct_defaults__
    fields = {}
    for name, default in zip(kind.__struct_fields__, defaults, strict=True):
        markers: tuple[str, ...] = getattr(hints[name], "__metadata__", ())
        fields[name] = _Field(hints[name].__origin__ if markers else hints[name], markers, default is msgspec.NODEFAULT)
    return fields


def _is_optional(hint: Any) -> bool:
    return hint is Any or (typing.get_origin(hint) in (Union, types.UnionType) and type(None) in typing.get_args(hint))


def _convert(value: Any, hint: Any, where: str, lenient: bool) -> Any:  # noqa: C901, PLR0911 (one case per kind of type)
    if type(value) is hint:
        return value
    if hint is Any or isinstance(value, Unknown):
        return _integral(value)
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return _convert_union(value, arguments, where, lenient)
    if origin is Literal:
        if value in arguments:
            return value
        raise BadProperties([f"{where} must be one of {', '.join(map(str, arguments))}"])
    if origin is list and isinstance(value, list | tuple):
        return [_convert(item, arguments[0], f"{where}[{index}]", lenient) for index, item in enumerate(value)]
    if origin is dict and isinstance(value, Mapping):
        return {key: _convert(item, arguments[1], f"{where}.{key}", lenient) for key, item in value.items()}
    if isinstance(hint, msgspec.StructMeta) and isinstance(value, Mapping):
        try:
            return decode(hint, value, lenient=lenient)  # type: ignore[arg-type]  # the metaclass says that it is a struct
        except BadProperties as bad:
            raise BadProperties([f"{where}.{problem}" for problem in bad.problems]) from None
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise BadProperties([f"{where} must be {_describe(hint)}, not {type(value).__name__}"])


def _convert_union(value: Any, members: tuple[Any, ...], where: str, lenient: bool) -> Any:
    problems: list[str] = []
    for member in members:
        if member is type(None):
            continue
        try:
            return _convert(value, member, where, lenient)
        except BadProperties as bad:
            problems.extend(bad.problems)
    raise BadProperties(problems)


def _integral(value: Any) -> Any:
    """A free-form value, such as a machine config, with whole floats as ints."""
    if isinstance(value, _ATOMS):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(value, Mapping):
        return {key: _integral(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_integral(item) for item in value]
    return value


def _describe(hint: Any) -> str:
    names = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}
    if typing.get_origin(hint) is list:
        return "a list"
    if typing.get_origin(hint) is dict or isinstance(hint, msgspec.StructMeta):
        return "an object"
    return names.get(hint, str(hint))
