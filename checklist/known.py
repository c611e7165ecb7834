"""The input of the checklist: known outputs of a stack's resources.

Both sources use the same types: the launch component fills them from the resources of the running program, the report from exported
state. A row does not see raw outputs. It asks for a `Shape`, which names a resource type and the outputs that rows read.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import msgspec

ShapeT = TypeVar("ShapeT", bound="Shape")

_SHAPES: dict[str, type["Shape"]] = {}


class Unreadable(Exception):
    """A resource is not initialised, or has no value for an output that a row reads; the message says which."""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """One resource, from either source. `kind` is its short type: `fly:App`."""

    kind: str
    id: str
    outputs: Mapping[str, Any]
    components: tuple[str, ...] = ()
    """Classes of the components that contain it, outermost first: `Backend`."""
    errors: tuple[str, ...] = ()
    """Why the object exists but is not initialised (Pulumi's init errors); empty if it is initialised."""


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the resource types that rows read, with one field per output. A subclass sets `kind`, such as "fly:App"."""

    kind: ClassVar[str]
    id: str

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.kind in _SHAPES:
            raise TypeError(f"{cls.kind} has a shape already: {_SHAPES[cls.kind].__qualname__}")
        _SHAPES[cls.kind] = cls


class SignOffs(msgspec.Struct, frozen=True, kw_only=True):
    """The smoke test's result: how many sign-offs there are, how many are needed, and a phrase for each that failed or is open."""

    build: str = ""
    """The build that is to be tried, as TestFlight shows it; empty where the stack does not say."""
    image: str = ""
    """The image of the backend that it is to be tried with, by its reference."""
    signed_off: int = 0
    needed: int = 0
    failed: Sequence[str] = ()
    open: Sequence[str] = ("the stack has no smoke test",)

    @classmethod
    def read(cls, summary: Mapping[str, Any] | None) -> "SignOffs":
        """From `smokeTest` in the stack output `reportInput`; None where there is none."""
        if not summary:
            return cls()
        return cls(
            build=summary.get("build", ""),
            image=summary.get("image", ""),
            signed_off=int(summary["signedOff"]),
            needed=int(summary["of"]),
            failed=tuple(summary.get("failed") or ()),
            open=tuple(summary["open"]),
        )


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that rows are evaluated on."""

    resources: Sequence[Observed]
    sign_offs: SignOffs
    label: str
    """The release that is launched: `v0`."""
    now: datetime
    declared_by: str = ""
    """Who declares the launch, if the settings say so."""

    def all(self, shape: type[ShapeT], *, within: str = "") -> Iterator[ShapeT]:
        """The resources of a type, in order; `within` keeps those inside a component of that class. Raises Unreadable."""
        return (
            _read(shape, resource)
            for resource in self.resources
            if resource.kind == shape.kind and (not within or within in resource.components)
        )

    def has_component(self, class_: str) -> bool:
        """Whether the state has a component of that class: an `up` that failed may have left it without its resources."""
        return any(resource.kind.endswith(f":{class_}") for resource in self.resources)

    def first(self, shape: type[ShapeT], *, within: str = "") -> ShapeT | None:
        """The first of `all`; None where there is none."""
        return next(self.all(shape, within=within), None)


def outputs_read(kind: str) -> tuple[str, ...]:
    """The outputs that rows read of a resource type, so that a source can leave out all others, secrets first."""
    shape = _SHAPES.get(kind)
    return tuple(name for name in shape.__struct_fields__ if name != "id") if shape else ()


def kind_of(type_: str) -> str:
    """`pulumi-python:dynamic/fly:App` is `fly:App`, `random:index/randomPet:RandomPet` is `random:RandomPet`."""
    package, _, rest = type_.partition(":")
    module, _, name = rest.rpartition(":")  # A component's type may have two parts only.
    if package == "pulumi-python":
        return f"{module.removeprefix('dynamic/')}:{name}"
    return f"{package}:{name}"


def without_fractions(value: Any) -> Any:
    """The value with its whole numbers as `int`: state and gRPC carry every number as a double."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {key: without_fractions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_fractions(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read(shape: type[ShapeT], resource: Observed) -> ShapeT:
    if resource.errors:
        raise Unreadable("; ".join(resource.errors))
    values: dict[str, Any] = {"id": resource.id}
    for name in shape.__struct_fields__:
        value = resource.outputs.get(name)
        if name not in values and value is not None:
            values[name] = without_fractions(value)
        elif name not in values and name in _required(shape):
            raise Unreadable(f"{shape.kind} {resource.id} has no {name}")
    return shape(**values)


@functools.cache
def _required(shape: type[Shape]) -> frozenset[str]:
    """The fields without a default. `msgspec.structs.fields` takes longer, because it evaluates their types."""
    fields, last = shape.__struct_fields__, shape.__struct_defaults__
    defaults = (msgspec.NODEFAULT,) * (len(fields) - len(last)) + last
    return frozenset(name for name, default in zip(fields, defaults, strict=True) if default is msgspec.NODEFAULT)
