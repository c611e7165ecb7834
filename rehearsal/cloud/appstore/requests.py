"""The bodies of POST, PATCH and DELETE, checked against the declarations of a `Kind`."""

from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.appstore.kinds import Accepts, Kind, Records, Relation
from rehearsal.cloud.store import Document


def creation(records: Records, kind: Kind, request: Request) -> tuple[Document, Document]:
    """The attributes and links of a new resource."""
    data = _data(request, kind.type)
    given = data.get("attributes") or {}
    accepted = {**kind.required, **kind.optional}
    for name, value in given.items():
        _check(kind, name, value, accepted, "CREATE", nullable=name in kind.optional)
    for name in kind.required:
        if given.get(name) in (None, ""):
            raise refusals.attribute_required(name)
    return given, _links(records, kind, data.get("relationships") or {})


def change(kind: Kind, request: Request, id: str) -> Document:
    """The attributes to set."""
    data = _data(request, kind.type)
    if data.get("id") != id:
        raise refusals.unreadable_document(f"The id in the document is not '{id}'")
    given: Document = data.get("attributes") or {}
    for name, value in given.items():
        _check(kind, name, value, kind.updatable, "UPDATE", nullable=True)
    for name in data.get("relationships") or {}:
        raise refusals.relationship_not_allowed(name, f"The relationship '{name}' can not be included in an 'UPDATE'")
    return given


def linkage(records: Records, relation: Relation, request: Request) -> list[Document]:
    """The resources that a linkage body names. Raises a refusal if one does not exist."""
    data = _document(request).get("data")
    if not isinstance(data, list) or not data:
        raise refusals.unreadable_document("The document has no list of resource identifiers under 'data'")
    return [_target(records, relation, relation.target, reference) for reference in data]


def _data(request: Request, type: str) -> Document:
    data = _document(request).get("data")
    if not isinstance(data, dict) or data.get("type") != type:
        raise refusals.unreadable_document(f"The document has no resource of type '{type}' under 'data'")
    return data


def _document(request: Request) -> Document:
    document = request.get_json(force=True, silent=True)
    if not isinstance(document, dict):
        raise refusals.unreadable_document("The request has no JSON document")
    return document


def _check(kind: Kind, name: str, value: Any, accepted: Any, operation: str, *, nullable: bool) -> None:
    if name not in accepted:
        if name in kind.attributes:
            raise refusals.attribute_not_allowed(name, operation)
        raise refusals.attribute_unknown(kind.type, name)
    if value is None and nullable:
        return
    if not _is_accepted(value, accepted[name]):
        raise refusals.attribute_invalid(name, f"'{value}' is not a valid value for the attribute '{name}'")


def _is_accepted(value: Any, accepts: Accepts) -> bool:
    if isinstance(accepts, tuple):
        return value in accepts
    return isinstance(value, accepts) and (accepts is not int or not isinstance(value, bool))


def _links(records: Records, kind: Kind, given: Document) -> Document:
    links: Document = {}
    for name, linkage in given.items():
        relation = kind.relations.get(name)
        if relation is None:
            raise refusals.relationship_unknown(kind.type, name)
        if not relation.create:
            raise refusals.relationship_not_allowed(
                name, f"The relationship '{name}' can not be included in a 'CREATE'"
            )
        data = (linkage or {}).get("data")
        if relation.many:
            links[name] = [_target(records, relation, name, reference)["id"] for reference in data or []]
        elif data is not None:
            links[name] = _target(records, relation, name, data)["id"]
    for name, relation in kind.relations.items():
        if relation.required and not links.get(name):
            raise refusals.relationship_required(name)
    return links


def _target(records: Records, relation: Relation, name: str, data: Any) -> Document:
    type, id = str(data.get("type")), str(data.get("id"))
    target = records.get(relation.target, id) if type == relation.target else None
    if target is None:
        raise refusals.relationship_invalid(name, type, id)
    return target
