"""App Store Connect's API in its own terms: resources with an id, attributes and relationships.

What is particular to this API is decided here, once (numbers: app-store-connect.md):

- Lists are followed by `links.next`, whose path and query are taken verbatim (3.2). Filters match loosely, so callers compare.
- A create or update whose answer is lost is looked up before it is repeated (7): `create` takes the look-up as an argument.
- Some creates are refused for a while because what they refer to is too new (7): `create` is told which refusals those are.
- The rate limit's headers are read from every answer (5); `poll` spares what is left.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pulumi.dynamic import Config

from providers import configuration, waiting
from providers.appstore.api.errors import AppStoreError, NotFound, explain
from providers.appstore.api.token import Key, key_for
from providers.errors import TimedOut, Uncertain
from providers.http import Http

if TYPE_CHECKING:
    import httpx

API = "https://api.appstoreconnect.apple.com"
PAGE = 200
"""The longest page that Apple gives."""
LAG_SECONDS = 15.0
"""How long something that a lost call has made may stay invisible before we conclude that it was not made."""
TOO_EARLY_SECONDS = 300.0
"""How long a create is repeated while Apple does not know yet what it refers to; Expo waits 250 s for groups."""
ATTEMPTS = 3
"""How often a write is sent whose answers are lost."""

T = TypeVar("T")


@dataclass(frozen=True)
class Entity:
    """A resource of the API. `entity["name"]` is an attribute, None where Apple sends none."""

    type: str
    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    relationships: Mapping[str, Any] = field(default_factory=dict)
    included: Mapping[str, "Entity"] = field(default_factory=dict, compare=False)
    """What came along in the same answer, by id."""

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes.get(attribute)

    def linked(self, relationship: str) -> list[str]:
        """The ids that the answer gives for a relationship; empty where it gives none."""
        data = (self.relationships.get(relationship) or {}).get("data")
        return [str(each["id"]) for each in ([data] if isinstance(data, Mapping) else data or [])]

    def related(self, relationship: str) -> "Entity | None":
        """The included object of a to-one relationship."""
        return next((self.included[id] for id in self.linked(relationship) if id in self.included), None)


class AppStore:
    """The API with the key of the call's time. Cheap to make; token, connections and budget are shared by the process.

    All methods raise AppStoreError or one of its kinds, Unreachable or Uncertain.
    """

    def __init__(self, config: Config) -> None:
        self.key: Key = key_for(config)
        self._http = Http(
            configuration.endpoint(config, "appstore", API),
            service="App Store Connect",
            authorize=self.key.authorize,
            explain=explain,
        )

    def get(self, path: str, *, doing: str, **params: Any) -> Entity | None:
        """The object at `path`, None when there is none. Parameters are Apple's, brackets included: `**{"filter[x]": y}`."""
        try:
            document = self._call("GET", path, doing=doing, params=params).json()
        except NotFound:
            return None
        return None if document.get("data") is None else _entities(document)[0]

    def list_all(self, path: str, *, doing: str, **params: Any) -> list[Entity]:
        """All objects of a list, over all its pages; of a missing parent: none."""
        found: list[Entity] = []
        next_page: str | None = path
        params = {"limit": PAGE, **params}
        while next_page:
            try:
                document = self._call("GET", next_page, doing=doing, params=params).json()
            except NotFound:
                break
            found += _entities(document)
            following = urlsplit((document.get("links") or {}).get("next") or "")
            next_page, params = (f"{following.path}?{following.query}" if following.path else None), {}
        return found

    def metrics(self, path: str, *, doing: str, **params: Any) -> list[dict[str, Any]]:
        """The `values` of all data points of a metrics answer, which is no list of resources."""
        document = self._call("GET", path, doing=doing, params=params).json()
        return [
            point.get("values") or {} for row in document.get("data") or [] for point in row.get("dataPoints") or []
        ]

    def create(
        self,
        type: str,
        attributes: Mapping[str, Any],
        relationships: Mapping[str, tuple[str, str | Iterable[str]]] | None = None,
        *,
        doing: str,
        find: Callable[[], Entity | None],
        too_early: Callable[[AppStoreError], bool] = lambda _: False,
    ) -> Entity:
        """Make an object, once: after a lost answer `find` looks whether it is there, and only if not is the call repeated.

        `relationships` maps a name to type and id, or type and ids. While `too_early(error)` holds the call is repeated.
        """
        data: dict[str, Any] = {"type": type, "attributes": _given(attributes)}
        if relationships:
            data["relationships"] = {name: {"data": _linkage(kind, ids)} for name, (kind, ids) in relationships.items()}

        def attempt() -> Entity | None:
            try:
                return _entities(self._call("POST", f"/v1/{type}", doing=doing, json={"data": data}).json())[0]
            except AppStoreError as error:
                if too_early(error):
                    return None
                raise

        return self._settled(
            lambda: waiting.poll(
                attempt, seconds=TOO_EARLY_SECONDS, waiting_for=doing, first_pause=1.0, max_pause=25.0
            ),
            find,
        )

    def update(
        self,
        entity: Entity,
        attributes: Mapping[str, Any],
        *,
        doing: str,
        done: Callable[[], Entity | None] | None = None,
    ) -> Entity:
        """Set attributes. After a lost answer `done` looks whether that happened before the call is repeated; without it,
        the object is read and its attributes are compared."""
        path = f"/v1/{entity.type}/{entity.id}"

        def changed() -> Entity | None:
            now = self.get(path, doing=f"read back what was changed to {doing}")
            return now if now and all(now[name] == value for name, value in attributes.items()) else None

        data = {"type": entity.type, "id": entity.id, "attributes": dict(attributes)}
        return self._settled(
            lambda: _entities(self._call("PATCH", path, doing=doing, json={"data": data}).json())[0], done or changed
        )

    def delete(self, path: str, *, doing: str) -> None:
        """Delete an object; success when it is gone already."""
        self._call("DELETE", path, doing=doing, safe=True, accept=(404,))

    def link(self, path: str, type: str, ids: Iterable[str], *, doing: str) -> None:
        """Add to a to-many relationship. Linking twice has the effect of linking once, but may be answered with 409."""
        self._call("POST", path, doing=doing, json={"data": _linkage(type, ids)}, safe=True)

    def unlink(self, path: str, type: str, ids: Iterable[str], *, doing: str) -> None:
        """Take from a to-many relationship; success when it holds none of them."""
        self._call("DELETE", path, doing=doing, json={"data": _linkage(type, ids)}, safe=True, accept=(404,))

    def poll(
        self,
        look: Callable[[], T | None],
        *,
        seconds: float,
        waiting_for: str,
        last_seen: Callable[[], str] = lambda: "",
    ) -> T:
        """As `waiting.poll`, with pauses up to half a minute, and longer ones when the hour's budget of calls runs low."""
        return waiting.poll(
            look,
            seconds=seconds,
            waiting_for=waiting_for,
            last_seen=last_seen,
            max_pause=30.0,
            min_pause=self.key.pause,
        )

    def _settled(self, send: Callable[[], Entity], find: Callable[[], Entity | None]) -> Entity:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return send()
            except Uncertain:
                found = patiently(find)
                if found is not None:
                    return found
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _call(self, method: str, path: str, **options: Any) -> "httpx.Response":
        params = options.pop("params", None)
        joined = {name: _joined(value) for name, value in params.items()} if params else None
        response = self._http.request(method, path, params=joined, **options)
        self.key.note(response.headers.get("x-rate-limit", ""))
        return response


def _entities(document: Mapping[str, Any]) -> list[Entity]:
    data = document["data"]
    included: dict[str, Entity] = {}
    for raw in document.get("included") or []:
        included[str(raw["id"])] = _entity(raw, included)
    return [_entity(raw, included) for raw in ([data] if isinstance(data, Mapping) else data)]


def _entity(raw: Mapping[str, Any], included: Mapping[str, Entity]) -> Entity:
    return Entity(
        str(raw["type"]), str(raw["id"]), raw.get("attributes") or {}, raw.get("relationships") or {}, included
    )


def _linkage(type: str, ids: str | Iterable[str]) -> Any:
    if isinstance(ids, str):
        return {"type": type, "id": ids}
    return [{"type": type, "id": id} for id in ids]


def _given(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _joined(value: Any) -> Any:
    return ",".join(map(str, value)) if isinstance(value, list | tuple | set | frozenset) else value


def patiently(find: Callable[[], Entity | None]) -> Entity | None:
    """What `find` finds, as soon as App Store Connect shows it; None when it has had time enough to."""
    try:
        return waiting.poll(find, seconds=LAG_SECONDS, waiting_for="the object to show up", first_pause=0.5)
    except TimedOut:
        return None
