"""JSON:API documents (https://jsonapi.org/format/1.0/) to Apple's objects and back; nothing else knows the form of a document.

Reading puts the attributes and relationships of a resource side by side, with included objects in the place of references, and
leaves out what is null. Unknown fields are ignored. A response that does not fit the object's class raises ProviderError with the
call, the field and the type that came instead, never with a value.
"""

import functools
import typing
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from providers.appstore.api.objects import BetaBuildUsage, Part, Ref, Resource
from providers.errors import ErrorText, ProviderError

UNEXPECTED = ErrorText(
    "cannot {doing}: the response of App Store Connect does not have the documented form ({what}: {fault})",
    remedy="run `pulumi up` again; if it fails again, report this line as a defect",
)

ResourceT = TypeVar("ResourceT", bound=Resource)
T = TypeVar("T")


class _Relationship(Part):
    data: Ref | list[Ref] | None = None


class _Data(Part):
    type: str
    id: str
    attributes: dict[str, object] = {}
    relationships: dict[str, _Relationship] = {}


class _Links(Part):
    next: str = ""


class _Document(Part):
    data: _Data | list[_Data] | None = None
    included: list[_Data] = []
    links: _Links = msgspec.field(default_factory=_Links)


class _DataPoint(Part):
    values: BetaBuildUsage = msgspec.field(default_factory=BetaBuildUsage)


class _Row(Part):
    data_points: list[_DataPoint] = []


class _Metrics(Part):
    data: list[_Row] = []


class ErrorSource(Part):
    pointer: str = ""
    parameter: str = ""


class ErrorMeta(Part):
    associated_errors: "dict[str, list[ErrorEntry]]" = {}


class ErrorEntry(Part):
    """One entry of a response that refuses a call."""

    code: str = ""
    title: str = ""
    detail: str = ""
    source: ErrorSource = msgspec.field(default_factory=ErrorSource)
    meta: ErrorMeta = msgspec.field(default_factory=ErrorMeta)

    def __str__(self) -> str:
        text = self.detail or self.title or "no reason given"
        pointer = self.source.pointer or self.source.parameter
        name = pointer.rstrip("/").rpartition("/")[2]
        named = f"{name}: {text}" if name and name not in text else text
        return f"{named.rstrip('.')} [{self.code}]" if self.code else named.rstrip(".")


class _Errors(Part):
    errors: list[ErrorEntry] = []


def read(kind: type[ResourceT], content: bytes, *, doing: str) -> list[ResourceT]:
    """The objects of a response: one, or none for `"data": null`, or those of one page of a list."""
    return read_page(kind, content, doing=doing)[0]


def read_page(kind: type[ResourceT], content: bytes, *, doing: str) -> tuple[list[ResourceT], str]:
    """The objects of one page of a list, and the address of the next page; empty after the last."""
    document = _parse(_Document, content, what=kind.type, doing=doing)
    included = {Ref(type=resource.type, id=resource.id): resource for resource in document.included}
    data = document.data
    several = data if isinstance(data, list) else [data] if data else []
    fields = [_fields(resource, _embedded(kind), included) for resource in several]
    return [_convert(kind, entry, kind.type, doing) for entry in fields], document.links.next


def read_usage(content: bytes, *, doing: str) -> list[BetaBuildUsage]:
    """The data points of the response of `betaBuildUsages`, which is not a list of resources."""
    metrics = _parse(_Metrics, content, what="betaBuildUsages", doing=doing)
    return [point.values for row in metrics.data for point in row.data_points]


def read_errors(content: bytes) -> list[ErrorEntry]:
    """The entries of a response that refuses a call."""
    return _parse(_Errors, content, what="errors", doing="read why the call was refused").errors


def write(kind: type[Resource], values: Mapping[str, object], *, id: str | None = None) -> dict[str, object]:
    """The document that creates an object with `values`, or changes the object `id`.

    `values` are named as the fields of `kind`; a `Ref`, or a list of them, becomes a relationship. None is left out.
    """
    names = dict(zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    given = {names[name]: value for name, value in values.items() if value is not None}
    data: dict[str, object] = {
        "type": kind.type,
        "attributes": {name: msgspec.to_builtins(value) for name, value in given.items() if not _is_link(value)},
    }
    links = {name: {"data": msgspec.to_builtins(value)} for name, value in given.items() if _is_link(value)}
    if links:
        data["relationships"] = links
    if id is not None:
        data["id"] = id
    return {"data": data}


def _parse(kind: type[T], content: bytes, *, what: str, doing: str) -> T:
    """The JSON text `content` as a `kind`, without what is null. `what` names it in errors."""
    try:
        value = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise _unexpected(error, what, doing) from None
    return _convert(kind, _without_nulls(value), what, doing)


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _fields(data: _Data, embedded: frozenset[str], included: Mapping[Ref, _Data]) -> dict[str, object]:
    fields: dict[str, object] = {**data.attributes, "id": data.id}
    for name, relationship in data.relationships.items():
        linked = relationship.data
        refs = linked if isinstance(linked, list) else [linked] if linked else []
        if name in embedded:
            related = [_fields(included[ref], frozenset(), {}) for ref in refs if ref in included]
        else:
            related = [{"type": ref.type, "id": ref.id} for ref in refs]
        if isinstance(linked, list):
            fields[name] = related
        elif related:
            fields[name] = related[0]
    return fields


@functools.cache
def _embedded(kind: type[Resource]) -> frozenset[str]:
    """The relationships, by Apple's names, whose objects `kind` contains. It contains others as references."""
    hints = typing.get_type_hints(kind)
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return frozenset(
        apples
        for ours, apples in names
        if any(isinstance(found, type) and issubclass(found, Resource) for found in typing.get_args(hints[ours]))
    )


def _is_link(value: object) -> bool:
    return isinstance(value, Ref) or (isinstance(value, list) and any(isinstance(item, Ref) for item in value))


def _convert(kind: type[T], value: object, what: str, doing: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _unexpected(error, what, doing) from None


def _unexpected(error: msgspec.DecodeError, what: str, doing: str) -> ProviderError:
    """Msgspec names the field and the types, never a value."""
    return UNEXPECTED(doing=doing, what=what, fault=str(error).replace("`", ""))
