"""Base of all resource types, and the records of all types: what is the same for every JSON:API resource.

A `Kind` declares attributes, relationships, filters and operations; hooks implement what is specific. A record is a document
`{"type", "id", "number", "made", "attributes", "links": {relationship: id or [ids]}, …}`. `Kind.shown` and `Kind.visible` compute
what changes with time on each read.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeAlias

from rehearsal.cloud.context import Context
from rehearsal.cloud.store import Document

Accepts: TypeAlias = "type | tuple[str, ...]"
"""Accepted values of an attribute in a request: a JSON type, or one of these strings."""

CRUD = ("CREATE", "DELETE", "GET_COLLECTION", "GET_INSTANCE", "UPDATE")


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A relationship to resources of type `target`.

    inverse: name under which the target stores it             data_only: returned with data, without links
    create: can be set on creation                             required: must be set on creation
    linkage: methods of `/{id}/relationships/{name}`           related: whether `GET /{id}/{name}` exists
    queryable: whether that GET accepts the target's filters and includes
    served: whether the double has the target; otherwise responses only link to it, which typed clients rely on
    """

    target: str
    many: bool = False
    inverse: str | None = None
    data_only: bool = False
    create: bool = False
    required: bool = False
    linkage: tuple[str, ...] = ("GET",)
    related: bool = True
    queryable: bool = False
    served: bool = True


def elsewhere(*names: str) -> dict[str, Relation]:
    """Relationships to types that the double does not have."""
    return {name: Relation(target=name, served=False) for name in names}


class Kind:
    """Base of all types. A hook raises one of `refusals` to refuse a request."""

    type: ClassVar[str]
    operations: ClassVar[tuple[str, ...]] = CRUD
    provisioning: ClassVar[bool] = False
    """Whether it belongs to Certificates, Identifiers & Profiles, which individual keys cannot use."""
    attributes: ClassVar[Mapping[str, Any]] = {}
    """All attributes in responses, with their defaults. One without a value is absent."""
    nulls: ClassVar[tuple[str, ...]] = ()
    """Attributes that are null without a value: clients in use rely on their presence."""
    required: ClassVar[Mapping[str, Accepts]] = {}
    optional: ClassVar[Mapping[str, Accepts]] = {}
    updatable: ClassVar[Mapping[str, Accepts]] = {}
    relations: ClassVar[Mapping[str, Relation]] = {}
    updatable_relations: ClassVar[tuple[str, ...]] = ()
    filters: ClassVar[tuple[str, ...]] = ()
    """Attributes, relationships, or paths to them: `preReleaseVersion.version`."""
    required_filters: ClassVar[tuple[str, ...]] = ()
    loose: ClassVar[tuple[str, ...]] = ()
    """Filters that match substrings."""
    matches: ClassVar[Mapping[str, Mapping[str, tuple[str, ...]]]] = {}
    """Further values of a filter that an attribute's value matches."""
    sorts: ClassVar[tuple[str, ...]] = ()
    includes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, records: "Records") -> None:
        self.records = records
        self.context = records.context

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def create(self, attributes: Document, links: Document) -> Document:
        """Create the resource. The request was checked against the declarations."""
        return self.records.new(self.type, attributes, links)

    def update(self, record: Document, attributes: Document) -> None:
        record["attributes"] |= attributes
        self.records.save(record)

    def delete(self, record: Document) -> None:
        self.records.delete(record)

    def link(self, record: Document, relation: str, targets: list[Document]) -> None:
        """Add to a to-many relationship."""
        held = record["links"].setdefault(relation, [])
        held += [target["id"] for target in targets if target["id"] not in held]
        self.records.save(record)

    def unlink(self, record: Document, relation: str, ids: set[str]) -> None:
        record["links"][relation] = [id for id in record["links"].get(relation, []) if id not in ids]
        self.records.save(record)

    def shown(self, record: Document) -> Document:
        """The current attributes."""
        return {**self.attributes, **record["attributes"]}

    def visible(self, record: Document) -> bool:
        """Whether the API already returns the resource."""
        return True

    def related(self, record: Document, relation: str) -> list[Document]:
        """The visible resources of a relationship."""
        return self.records.linked(record, relation)


class Records:
    """All resources of the account, of all types."""

    def __init__(self, context: Context, kinds: Iterable[type[Kind]]) -> None:
        self.context = context
        self.kinds = {kind.type: kind(self) for kind in kinds}

    def new(self, type: str, attributes: Document, links: Document | None = None, **private: Any) -> Document:
        """Store a new record; `private` are internal fields, or `id`."""
        record = {
            "type": type,
            "id": private.pop("id", None) or self.kinds[type].new_id(),
            "number": self.context.store.count("appstore"),
            "made": self.context.clock.now(),
            "attributes": attributes,
            "links": links or {},
            **private,
        }
        return self.save(record)

    def save(self, record: Document) -> Document:
        return self.context.store.put(f"appstore.{record['type']}", record["id"], record)

    def delete(self, record: Document) -> None:
        self.context.store.delete(f"appstore.{record['type']}", record["id"])

    def get(self, type: str, id: str) -> Document | None:
        """The resource, if it is visible."""
        record = self.context.store.get(f"appstore.{type}", id)
        return record if record and self.kinds[type].visible(record) else None

    def all(self, type: str, **links: str) -> list[Document]:
        """The visible resources of a type with these links (`app="…"`), oldest first."""
        found = [
            record
            for record in self.context.store.all(f"appstore.{type}")
            if self.kinds[type].visible(record)
            and all(target in _ids(record["links"].get(name)) for name, target in links.items())
        ]
        return sorted(found, key=lambda record: int(record["number"]))

    def linked(self, record: Document, name: str) -> list[Document]:
        """The visible resources of a relationship, whichever side stores it."""
        relation = self.kinds[record["type"]].relations[name]
        if relation.inverse:
            return self.all(relation.target, **{relation.inverse: record["id"]})
        found = (self.get(relation.target, id) for id in _ids(record["links"].get(name)))
        return [target for target in found if target]

    def shown(self, record: Document) -> Document:
        return self.kinds[record["type"]].shown(record)


def date(seconds: float) -> str:
    """ISO 8601 with an offset, the format of most dates in the API."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _ids(linked: Any) -> list[str]:
    return [] if linked is None else [linked] if isinstance(linked, str) else linked
