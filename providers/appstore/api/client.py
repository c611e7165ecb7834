"""App Store Connect's API: calls that take and return Apple's objects (`objects.py`).

The rules of this API that all calls follow:

- The address of a list's next page is taken as it is from the response. Filters also match similar values, so callers compare.
- After a create or update whose response is lost, the client looks for the object before it repeats the call.
- Apple refuses some creates for a while, because what they refer to is too new: those are repeated.
- Every response says how many calls the rate limit still allows. Polling slows down when few are left.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

import msgspec
from pulumi.dynamic import Config

from providers import configuration, waiting
from providers.appstore.api import documents
from providers.appstore.api.errors import AppStoreError, NotFound, RoleMissing, explain
from providers.appstore.api.objects import BetaBuildUsage, Ref, Resource
from providers.appstore.api.token import Key, key_for
from providers.decoding import Call
from providers.errors import TimedOut, Uncertain
from providers.http import Http

if TYPE_CHECKING:
    pass

API = "https://api.appstoreconnect.apple.com"
ENDLESS = "has a next page that was read already"
PAGE = 200
"""The longest page that Apple gives."""
LAG_SECONDS = 15.0
"""How long an object may stay invisible after it was created. Longer than that means: not created."""
INDEX_SECONDS = 180.0
"""How long lists may lag that Apple reads from a search index: the members of a group, and its builds. A minute was seen."""
TOO_EARLY_SECONDS = 300.0
"""How long a create is repeated while Apple does not know yet what it refers to. Expo waits 250 s for groups
(https://github.com/expo/eas-cli)."""
FRESH_TOKENS = 3
"""How often a call is repeated with a new token: Apple sometimes returns 401 to good ones
(https://github.com/codemagic-ci-cd/cli-tools/issues/171)."""
ATTEMPTS = 3
"""How often a write is sent when its responses are lost."""

T = TypeVar("T")
ResourceT = TypeVar("ResourceT", bound=Resource)
Param = str | int | Collection[str]
"""The value of a query parameter; several values are joined by commas."""


class AppStore:
    """The API, with the key that the configuration or the environment names at the time of the call. Cheap to make: token,
    connections and rate limit are shared by the process.

    All methods raise AppStoreError or a subclass, Unreachable or Uncertain; Unreadable for a response that does not fit.
    `doing` completes "cannot …" in errors. Query parameters have Apple's names: `{"filter[name]": "Acme"}`.
    """

    def __init__(self, config: Config) -> None:
        self.key: Key = key_for(config)
        self._http = Http(
            configuration.endpoint(config, "appstore", API),
            service="App Store Connect",
            authorize=self.key.authorize,
            explain=explain,
            fresh_tokens=FRESH_TOKENS,
            request_id="x-apple-request-uuid",
        )

    def get(
        self, kind: type[ResourceT], id: str, *, doing: str, query: Mapping[str, Param] | None = None
    ) -> ResourceT | None:
        """The object with that id; None when it does not exist."""
        try:
            return documents.read(kind, *self._call("GET", kind.ref(id).path, doing=doing, params=query or {}))
        except NotFound:
            return None

    def get_related(self, kind: type[ResourceT], of: Ref, relationship: str, *, doing: str) -> ResourceT | None:
        """The object that a to-one relationship leads to; None when there is none."""
        try:
            return documents.read_optional(kind, *self._call("GET", f"{of.path}/{relationship}", doing=doing))
        except NotFound:
            return None

    def list_all(
        self,
        kind: type[ResourceT],
        *,
        of: Ref | None = None,
        doing: str,
        query: Mapping[str, Param] | None = None,
    ) -> list[ResourceT]:
        """All objects of a list, over all its pages. `of` is the parent, for lists below one; without the parent: none."""
        found: list[ResourceT] = []
        read: set[str] = set()
        path = f"{of.path}/{kind.type}" if of else f"/v1/{kind.type}"
        params: Mapping[str, Param] = {"limit": PAGE, **(query or {})}
        while path:
            try:
                content, call = self._call("GET", path, doing=doing, params=params)
            except NotFound:
                break
            objects, address = documents.read_page(kind, content, call)
            found += objects
            read.add(path)
            path, params = _path_of(address), {}
            if path in read:
                raise call.unreadable(ENDLESS)
        return found

    def may_create(self, kind: type[Resource]) -> bool:
        """Whether the key's role allows to create objects of that type.

        Apple has no call that says so. An empty document creates nothing: Apple refuses it whatever the role, and if the role is
        too low, for that reason (assumed; if Apple looked at the document first, the answer would be True for every role).
        """
        try:
            self._call(
                "POST",
                f"/v1/{kind.type}",
                doing=f"see whether the key may create {kind.type}",
                json={"data": {"type": kind.type}},
                safe=True,
            )
        except RoleMissing:
            return False
        except AppStoreError as error:
            if error.status not in (400, 409, 422):
                raise
        return True

    def build_usage(self, build: Ref, *, doing: str) -> list[BetaBuildUsage]:
        """What Apple has counted of a build, in all periods."""
        return documents.read_usage(*self._call("GET", f"{build.path}/metrics/betaBuildUsages", doing=doing))

    def create(
        self,
        kind: type[ResourceT],
        values: Mapping[str, object],
        *,
        doing: str,
        find: Callable[[], ResourceT | None],
        too_early: Callable[[AppStoreError], bool] = lambda _: False,
    ) -> ResourceT:
        """Create an object, once: after a lost response `find` looks for it, and the call is repeated only if it is not there.

        `values` are those of the fields of `kind`. While `too_early(error)` holds, the call is repeated.
        """
        document = documents.write(kind, values)

        def attempt() -> ResourceT | None:
            try:
                return documents.read(kind, *self._call("POST", f"/v1/{kind.type}", doing=doing, json=document))
            except AppStoreError as error:
                if too_early(error):
                    return None
                raise

        return self._settled(
            lambda: waiting.poll(
                attempt, seconds=TOO_EARLY_SECONDS, waiting_for=f"Apple to {doing}", first_pause=1.0, max_pause=25.0
            ),
            find,
        )

    def update(
        self,
        kind: type[ResourceT],
        id: str,
        values: Mapping[str, object],
        *,
        doing: str,
        done: Callable[[], ResourceT | None] | None = None,
    ) -> ResourceT:
        """Change an object. After a lost response `done` looks whether that happened, before the call is repeated; without
        `done`, the object is read and its fields are compared with `values`."""

        def changed() -> ResourceT | None:
            now = self.get(kind, id, doing=f"read back what was changed to {doing}")
            return now if now and all(getattr(now, name) == value for name, value in values.items()) else None

        def attempt() -> ResourceT:
            document = documents.write(kind, values, id=id)
            return documents.read(kind, *self._call("PATCH", kind.ref(id).path, doing=doing, json=document))

        return self._settled(attempt, done or changed)

    def delete(self, ref: Ref, *, doing: str) -> None:
        """Delete an object; succeeds when it does not exist."""
        self._call("DELETE", ref.path, doing=doing, safe=True, accept=(404,))

    def link(self, of: Ref, refs: Collection[Ref], *, doing: str) -> None:
        """Add to a to-many relationship, which is named as the type of `refs`. Doing it twice has the effect of once, but
        Apple may return 409."""
        self._call("POST", _relationship(of, refs), doing=doing, json=_linkage(refs), safe=True)

    def unlink(self, of: Ref, refs: Collection[Ref], *, doing: str) -> None:
        """Remove from a to-many relationship; succeeds when it contains none of `refs`."""
        self._call("DELETE", _relationship(of, refs), doing=doing, json=_linkage(refs), safe=True, accept=(404,))

    def poll(
        self,
        look: Callable[[], T | None],
        *,
        seconds: float,
        waiting_for: str,
        last_seen: Callable[[], str] = lambda: "",
        action: str = "waiting",
        remedy: str = "",
    ) -> T:
        """As `waiting.poll`, with pauses up to half a minute, and longer ones when few calls of the rate limit are left."""
        noted = self.key.calls

        def pause() -> float:
            nonlocal noted
            made, noted = self.key.calls - noted, self.key.calls
            return made * self.key.pause()

        return waiting.poll(
            look,
            seconds=seconds,
            waiting_for=waiting_for,
            last_seen=last_seen,
            action=action,
            remedy=remedy,
            max_pause=30.0,
            min_pause=pause,
        )

    def _settled(self, send: Callable[[], ResourceT], find: Callable[[], ResourceT | None]) -> ResourceT:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return send()
            except Uncertain:
                found = retry_until_visible(find)
                if found is not None:
                    return found
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError  # Not reached: the last attempt returns or raises.

    def _call(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        params: Mapping[str, Param] | None = None,
        json: object = None,
        safe: bool | None = None,
        accept: tuple[int, ...] = (),
    ) -> tuple[bytes, Call]:
        """The content of the response, and the call for its decoder."""
        response = self._http.request(
            method,
            path,
            doing=doing,
            params={name: _joined(value) for name, value in params.items()} if params else None,
            json=json,
            safe=safe,
            accept=accept,
        )
        self.key.note(response.headers.get("x-rate-limit", ""))
        wrote = not (method == "GET" if safe is None else safe)
        return response.content, self._http.call_of(response, doing, wrote=wrote)


def retry_until_visible(find: Callable[[], T | None], *, seconds: float = LAG_SECONDS) -> T | None:
    """What `find` finds, as soon as App Store Connect shows it; None when it has not shown up after `seconds`."""
    try:
        return waiting.poll(find, seconds=seconds, waiting_for="the object to show up", first_pause=0.5)
    except TimedOut:
        return None


def _path_of(address: str) -> str:
    """Path and query of a URL; empty for none."""
    _, slash, path = address.partition("://")[2].partition("/")
    return slash + path


def _relationship(of: Ref, refs: Iterable[Ref]) -> str:
    (name,) = {ref.type for ref in refs}
    return f"{of.path}/relationships/{name}"


def _linkage(refs: Iterable[Ref]) -> dict[str, object]:
    return {"data": [msgspec.to_builtins(ref) for ref in refs]}


def _joined(value: Param) -> str | int:
    return value if isinstance(value, str | int) else ",".join(value)
