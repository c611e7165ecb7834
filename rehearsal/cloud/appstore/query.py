"""The query parameters of a GET: checks them as Apple does, and applies them."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.appstore.kinds import Kind, Records
from rehearsal.cloud.store import Document

MAX_PAGE = 200
MAX_RELATED = 50
PAGE = 50
RELATED = 10


@dataclass(kw_only=True)
class Query:
    """A checked query. `fields` is by type, `related_limits` by relationship."""

    filters: dict[str, list[str]] = field(default_factory=dict)
    include: tuple[str, ...] = ()
    fields: dict[str, list[str]] = field(default_factory=dict)
    sort: str = ""
    limit: int = PAGE
    related_limits: dict[str, int] = field(default_factory=dict)
    start: int = 0


def parse(request: Request, records: Records, kind: Kind, *, many: bool, full: bool = True) -> Query:
    """Check the query of a GET of one resource of `kind`, or of a list.

    `full` is False for lists under another resource, which accept neither filters nor includes."""
    query = Query()
    for name in request.args:
        values = request.args.getlist(name)
        if len(values) > 1:
            raise refusals.parameter_invalid(name, f"The parameter '{name}' was given more than once")
        known = _set_for_all(query, records, kind, name, values[0]) or (many and _set_page(query, name, values[0]))
        known = known or (full and _set_related(query, kind, name, values[0]))
        known = known or (many and full and _set_filter_or_sort(query, kind, name, values[0]))
        if not known:
            raise refusals.parameter_illegal(name)
    for needed in kind.required_filters if many and full else ():
        if needed not in query.filters:
            raise refusals.parameter_missing(f"filter[{needed}]")
    return query


def refuse(request: Request) -> None:
    """Refuse every query parameter: calls that change something have none."""
    for name in request.args:
        raise refusals.parameter_illegal(name)


# Each of these sets one parameter in `query`, and returns whether it has this parameter.


def _set_for_all(query: Query, records: Records, kind: Kind, name: str, value: str) -> bool:
    """`fields[type]` and `limit[relationship]`."""
    family, inner = _split(name)
    if family == "fields" and inner in records.kinds:
        query.fields[inner] = _fields(records.kinds[inner], name, value)
    elif family == "limit" and inner in kind.includes and kind.relations[inner].many:
        query.related_limits[inner] = _number(name, value, MAX_RELATED)
    else:
        return False
    return True


def _set_page(query: Query, name: str, value: str) -> bool:
    """`limit` and `cursor`."""
    if name == "limit":
        query.limit = _number(name, value, MAX_PAGE)
    elif name == "cursor":
        query.start = _position(value)
    else:
        return False
    return True


def _set_related(query: Query, kind: Kind, name: str, value: str) -> bool:
    """`include`."""
    if name != "include" or not kind.includes:
        return False
    query.include = tuple(value.split(","))
    for relation in query.include:
        if relation not in kind.includes:
            raise refusals.parameter_invalid(name, f"'{relation}' is not a valid relationship name")
    return True


def _set_filter_or_sort(query: Query, kind: Kind, name: str, value: str) -> bool:
    """`filter[attribute]` and `sort`."""
    family, inner = _split(name)
    if family == "filter" and inner in kind.filters:
        query.filters[inner] = value.split(",")
    elif name == "sort" and kind.sorts:
        if value.lstrip("-") not in kind.sorts:
            raise refusals.parameter_invalid(name, f"'{value}' is not a valid sort key")
        query.sort = value
    else:
        return False
    return True


def select(query: Query, records: Records, found: list[Document]) -> tuple[list[Document], str | None, int]:
    """The requested page, the cursor of the next one, and the total number."""
    matching = [record for record in found if _matches(query, records, record)]
    if query.sort:
        attribute = query.sort.lstrip("-")
        matching.sort(
            key=lambda record: str(records.shown(record).get(attribute, "")), reverse=query.sort.startswith("-")
        )
    end = query.start + query.limit
    return matching[query.start : end], cursor(end) if end < len(matching) else None, len(matching)


def cursor(position: int) -> str:
    return base64.urlsafe_b64encode(f"at:{position}".encode()).decode().rstrip("=")


def _position(value: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode().removeprefix("at:"))
    except ValueError:
        raise refusals.parameter_invalid("cursor", f"'{value}' is not a valid cursor for this request") from None


def _split(name: str) -> tuple[str, str]:
    found = re.fullmatch(r"(\w+)\[([\w.]+)\]", name)
    return (found[1], found[2]) if found else ("", "")


def _fields(kind: Kind, name: str, value: str) -> list[str]:
    chosen = value.split(",")
    for part in chosen:
        if part not in kind.attributes and part not in kind.relations:
            raise refusals.parameter_invalid(name, f"'{part}' is not a valid field name")
    return chosen


def _number(name: str, value: str, maximum: int) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= maximum:
        raise refusals.parameter_invalid(name, f"'{value}' is not between 1 and {maximum}")
    return int(value)


def _matches(query: Query, records: Records, record: Document) -> bool:
    kind = records.kinds[record["type"]]
    for path, wanted in query.filters.items():
        values = [str(value) for value in _at(records, record, path)]
        values += [other for value in values for other in kind.matches.get(path, {}).get(value, ())]
        if path in kind.loose:
            hit = any(want.lower() in value.lower() for want in wanted for value in values)
        else:
            hit = any(want.lower() == value.lower() for want in wanted for value in values)
        if not hit:
            return False
    return True


def _at(records: Records, record: Document, path: str) -> list[Any]:
    """All values at a path: values of attributes, ids of resources."""
    first, _, rest = path.partition(".")
    if first == "id":
        return [record["id"]]
    kind = records.kinds[record["type"]]
    if first in kind.relations:
        targets = kind.related(record, first)
        return [value for target in targets for value in (_at(records, target, rest) if rest else [target["id"]])]
    value = records.shown(record).get(first)
    if rest:
        value = (value or {}).get(rest)
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return value if isinstance(value, list) else [value]
