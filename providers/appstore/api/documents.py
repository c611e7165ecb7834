"""JSON:API documents (https://jsonapi.org/format/1.0/) to Apple's objects and back; nothing else knows the form of a document.

Reading puts the attributes and relationships of a resource side by side, with included objects in the place of references, and
leaves out what is null. Unknown fields are ignored. A response that does not fit the object's class raises what
`providers.decoding.decode` raises.
"""

import functools
import typing
from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

from providers.appstore.api.objects import BetaBuildUsage, Part, Ref, Resource
from providers.decoding import Call, decode, errors_of, fit, require

ResourceT = TypeVar("ResourceT", bound=Resource)


class _Relationship(Part):
    data: Ref | list[Ref] | None = None


class _Data(Part):
    type: str
    id: str
    attributes: dict[str, object] = {}
    relationships: dict[str, _Relationship] = {}


class _Links(Part):
    next: str = ""


class _One(Part):
    data: _Data
    included: list[_Data] = []


class _Page(Part):
    data: list[_Data]
    links: _Links
    included: list[_Data] = []


class _DataPoint(Part):
    values: BetaBuildUsage = msgspec.field(default_factory=BetaBuildUsage)


class _Row(Part):
    data_points: list[_DataPoint] = []


class _Metrics(Part):
    data: list[_Row]


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
    errors: list[ErrorEntry]


def read(kind: type[ResourceT], content: bytes, call: Call) -> ResourceT:
    """The object of a response."""
    with errors_of(content, call):
        document = fit(msgspec.json.decode(content), _One)
        return _object(kind, document.data, document.included)
    raise AssertionError  # Not reached: the block returns or raises.


def read_optional(kind: type[ResourceT], content: bytes, call: Call) -> ResourceT | None:
    """The object of a response; None for `"data": null`."""
    with errors_of(content, call):
        document = msgspec.json.decode(content)
        if isinstance(document, dict) and document.get("data", ...) is None:
            return None
    return read(kind, content, call)


def read_page(kind: type[ResourceT], content: bytes, call: Call) -> tuple[list[ResourceT], str]:
    """The objects of one page of a list, and the address of the next page; empty after the last."""
    with errors_of(content, call):
        page = fit(msgspec.json.decode(content), _Page)
        return [_object(kind, data, page.included) for data in page.data], page.links.next
    raise AssertionError  # Not reached: the block returns or raises.


def read_usage(content: bytes, call: Call) -> list[BetaBuildUsage]:
    """The data points of the response of `betaBuildUsages`, which is not a list of resources."""
    return [point.values for row in decode(content, _Metrics, call).data for point in row.data_points]


def read_errors(content: bytes) -> list[ErrorEntry]:
    """The entries of a response that refuses a call. Raises Unreadable for another response."""
    return decode(content, _Errors, Call(doing="read why the call was refused", source="App Store Connect")).errors


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


def _object(kind: type[ResourceT], data: _Data, included: Iterable[_Data]) -> ResourceT:
    require(data.type == kind.type, f"Expected an object of type {kind.type} - at $.data.type")
    others = {Ref(type=other.type, id=other.id): other for other in included}
    return fit(_fields(data, _embedded(kind), others), kind)


def _fields(data: _Data, embedded: frozenset[str], included: Mapping[Ref, _Data]) -> dict[str, object]:
    fields: dict[str, object] = {**data.attributes, "id": data.id}
    for name, relationship in data.relationships.items():
        linked = relationship.data
        refs = linked if isinstance(linked, list) else [linked] if linked else []
        if name in embedded:
            related = [_fields(included[ref], frozenset(), {}) for ref in refs if ref in included]
            is_whole = len(related) == len(refs) or not isinstance(linked, list)
            require(is_whole, f"Object missing an included object of {name}")
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
