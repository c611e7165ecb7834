"""What a type of resource is, and the records of all of them: the part of JSON:API that is the same for every object.

A `Kind` declares attributes, relationships, filters and operations; its hooks hold what is particular. A record is a document
`{"type", "id", "number", "made", "attributes", "links": {relationship: id or [ids]}, …}`; what changes with time is worked out by
`Kind.shown` and `Kind.visible` whenever somebody looks.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeAlias

from rehearsal.cloud.context import Context
from rehearsal.cloud.store import Document

Accepts: TypeAlias = "type | tuple[str, ...]"
"""What an attribute of a request may be: a JSON type, or one of these words."""

CRUD = ("CREATE", "DELETE", "GET_COLLECTION", "GET_INSTANCE", "UPDATE")


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A relationship to resources of type `target`.

    inverse: it is stored at the target, under this name       data_only: sent with data, without links
    create: may be given when the resource is made             required: has to be
    linkage: methods of `/{id}/relationships/{name}`           related: whether `GET /{id}/{name}` exists
    queryable: whether that GET takes the target's filters and includes
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


class Kind:
    """Base of all types. A hook raises one of `refusals` to refuse."""

    type: ClassVar[str]
    operations: ClassVar[tuple[str, ...]] = CRUD
    provisioning: ClassVar[bool] = False
    """Whether it belongs to certificates, identifiers and profiles, which individual keys cannot use."""
    attributes: ClassVar[Mapping[str, Any]] = {}
    """All attributes that are sent, with what they are when nobody has set them."""
    required: ClassVar[Mapping[str, Accepts]] = {}
    optional: ClassVar[Mapping[str, Accepts]] = {}
    updatable: ClassVar[Mapping[str, Accepts]] = {}
    relations: ClassVar[Mapping[str, Relation]] = {}
    updatable_relations: ClassVar[tuple[str, ...]] = ()
    filters: ClassVar[tuple[str, ...]] = ()
    """Attribute, relationship, or a path to one: `preReleaseVersion.version`."""
    required_filters: ClassVar[tuple[str, ...]] = ()
    loose: ClassVar[tuple[str, ...]] = ()
    """Filters that match any value which contains theirs."""
    sorts: ClassVar[tuple[str, ...]] = ()
    includes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, records: "Records") -> None:
        self.records = records
        self.context = records.context

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def create(self, attributes: Document, links: Document) -> Document:
        """Make the resource; the request has been checked against what is declared."""
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
        """The attributes as they are by now."""
        return {**self.attributes, **record["attributes"]}

    def visible(self, record: Document) -> bool:
        """Whether Apple shows the resource by now."""
        return True

    def related(self, record: Document, relation: str) -> list[Document]:
        """The visible resources at the other end."""
        return self.records.linked(record, relation)


class Records:
    """All resources of the account, of all kinds."""

    def __init__(self, context: Context, kinds: Iterable[type[Kind]]) -> None:
        self.context = context
        self.kinds = {kind.type: kind(self) for kind in kinds}

    def new(self, type: str, attributes: Document, links: Document | None = None, **private: Any) -> Document:
        """Store a new record; `private` are fields that Apple does not show, or `id`."""
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
        """The resource, unless it is not visible yet."""
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
        """The visible resources at the other end of a relationship, as stored at either end."""
        relation = self.kinds[record["type"]].relations[name]
        if relation.inverse:
            return self.all(relation.target, **{relation.inverse: record["id"]})
        found = (self.get(relation.target, id) for id in _ids(record["links"].get(name)))
        return [target for target in found if target]

    def shown(self, record: Document) -> Document:
        return self.kinds[record["type"]].shown(record)


def date(seconds: float) -> str:
    """ISO 8601 with an offset, as most of the API writes dates."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _ids(linked: Any) -> list[str]:
    return [] if linked is None else [linked] if isinstance(linked, str) else linked
