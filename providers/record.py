"""Typed records: how the arguments and the state of a resource are declared, each field once.

    class VolumeArgs(Record):
        app: Annotated[Input[str], REPLACES]
        size_gb: Input[int] = field(default=1)

The program passes plain values or outputs (`VolumeArgs(app=app.name)`), as for any Pulumi resource. The provider gets the same
class with plain values: there `args.app` is a `str`. The type checker accepts both, because it sees `Input` as a descriptor that
is assigned a `pulumi.Input[T]` and returns a `T`.

Records are msgspec structs, because every preview creates their classes in two processes (decision 17). `replace` is that of
`msgspec.structs`.
"""

from typing import TYPE_CHECKING, Any, Generic, TypeVar, dataclass_transform

import msgspec

if TYPE_CHECKING:
    import pulumi

T = TypeVar("T")

if TYPE_CHECKING:

    class Input(Generic[T]):
        """The type of an argument: can be assigned a value or an output, and returns the value."""

        def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

        def __set__(self, instance: object, value: pulumi.Input[T]) -> None: ...

else:

    class Input:
        """At run time the annotation `Input[T]` is just `T`: that is what `decode` checks values against."""

        def __class_getitem__(cls, item: Any) -> Any:
            return item


def field(*, default: Any = msgspec.NODEFAULT, default_factory: Any = msgspec.NODEFAULT) -> Any:
    """The default of an `Input` field. Plain fields take their default directly: `state: str = ""`."""
    if default_factory is not msgspec.NODEFAULT:
        return msgspec.field(default_factory=default_factory)
    return msgspec.field(default=default)


class _RecordType(msgspec.StructMeta):
    """Makes every record immutable, with keyword-only fields. For the type checker they are not immutable, because it accepts
    outputs only for fields that can be assigned."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        return super().__new__(mcs, name, bases, namespace, frozen=True, kw_only=True)


@dataclass_transform(kw_only_default=True, field_specifiers=(field, msgspec.field))
class Record(msgspec.Struct, metaclass=_RecordType):
    """Base of the arguments and the state of every resource: immutable, with keyword-only fields."""
