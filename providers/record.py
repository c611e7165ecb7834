"""Typed records: how the arguments and the state of a resource are declared, each field once.

    @record
    class VolumeArgs:
        app: Annotated[Input[str], REPLACES]
        size_gb: Input[int] = field(default=1)

The program passes plain values or outputs (`VolumeArgs(app=app.name)`), as for any Pulumi resource. The provider gets the same
class with plain values: there `args.app` is a `str`. The type checker accepts both, because it sees `Input` as a descriptor that
is assigned a `pulumi.Input[T]` and returns a `T`.
"""

import dataclasses
from typing import TYPE_CHECKING, Any, Generic, TypeVar, dataclass_transform

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


def field(*, default: Any = dataclasses.MISSING, default_factory: Any = dataclasses.MISSING) -> Any:
    """The default of an `Input` field. Plain fields take their default directly: `state: str = ""`."""
    if default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=default_factory)
    return dataclasses.field(default=default)


@dataclass_transform(kw_only_default=True, field_specifiers=(field, dataclasses.field))
def record(cls: type[T]) -> type[T]:
    """Make `cls` an immutable dataclass with keyword-only fields."""
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)
