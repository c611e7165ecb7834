"""Fly's two APIs: which token and rate limit a call has, and which error a response becomes.

FlyError               Fly refused; `status`, `codes` (Fly's own `status` word), `request_id`, `body`
├── NotFound           404 or 410: the object does not exist
├── Forbidden          403: the token has no access, or the object belongs to another organisation
└── LeaseHeld          409: another client holds the machine's lease
"""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar, overload

from pulumi.dynamic import Config

from providers import configuration, waiting
from providers.errors import ApiError, ErrorText, ProviderError, TimedOut
from providers.http import Http, RateLimit

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

MACHINES_API = "https://api.machines.dev"
WEB_API = "https://api.fly.io"

ACTION_LIMIT = RateLimit(per_second=1, burst=3)
"""Per action and machine or app (https://fly.io/docs/machines/api/working-with-machines-api/#rate-limits)."""
GET_MACHINE_LIMIT = RateLimit(per_second=5, burst=10)
APP_DELETE_LIMIT = RateLimit(per_second=100 / 60, burst=100)

MACAROONS = ("fm1r_", "fm1a_", "fm2_")
VISIBLE_SECONDS = 60.0
"""How long Fly may return 401 or 404 for a new app, and 404 for a new machine."""
PULLABLE_SECONDS = 20.0
"""How long Fly may not find an image after it was pushed."""


class FlyError(ApiError):
    """Fly returned with an error; the text names the cause, the remedy and the `fly-request-id`."""

    __module__ = "builtins"


class NotFound(FlyError):
    """The object does not exist: it was deleted, or it is new and not visible yet."""

    __module__ = "builtins"


class Forbidden(FlyError):
    """The token has no access, or the object belongs to another organisation."""

    __module__ = "builtins"


class LeaseHeld(FlyError):
    """Another client holds the lease of the machine."""

    __module__ = "builtins"


def _refusal(remedy: str, error: type[FlyError] = FlyError) -> ErrorText:
    return ErrorText("Fly refused to {doing}: {reason} (HTTP {status}{trace})", remedy=remedy, error=error)


NO_CAPACITY = _refusal(
    "the region or the volume's host is full: try again later, or use a smaller [[vm]]; another region helps only without a volume"
)
NAME_TAKEN = _refusal("app names are unique across all of Fly: choose another name")
NO_PAYMENT_METHOD = _refusal(
    "add a payment method at https://fly.io/dashboard/personal/billing, then run `pulumi up` again"
)
NO_IMAGE = _refusal("the image is not in its registry, or was pushed seconds ago: push it, or choose one that exists")
BAD_TOKEN = _refusal(
    "the token is wrong or has expired: create one with `fly tokens create org`, and set FLY_API_TOKEN to it"
)
NO_ACCESS = _refusal(
    "the token has no access, or the object belongs to another organisation: use a token of the right organisation "
    "(`fly tokens create org`)",
    Forbidden,
)
MISSING = _refusal("it does not exist: run `pulumi refresh`, then `pulumi up`", NotFound)
DELETED = _refusal("it has been deleted: run `pulumi refresh`, then `pulumi up`", NotFound)
LEASED = _refusal(
    "another deployment is running: wait until it has finished, or clear the lease with `fly machine leases clear`",
    LeaseHeld,
)
VOLUME_BOUND = _refusal("destroy the machine first; Fly detaches the volume up to a minute later")
VOLUME_ATTACHED = _refusal(
    "a volume has one machine: keep that machine's name (`fly machine list` shows it), or destroy the machine"
)
CONFLICT = _refusal("another client is changing the object: run `pulumi refresh`, then `pulumi up`")
FLY_TIMED_OUT = _refusal("Fly's own wait timed out: run the same command again")
OTHER = _refusal("fix what Fly names, then run `pulumi up` again")

NO_TOKEN = ErrorText(
    "the Fly token is only the word {scheme}: its value is missing",
    remedy='the shell splits at the space: export FLY_API_TOKEN="$(fly tokens create org -o ORG)", with the quotes',
)
BAD_CHARACTER = ErrorText(
    "the Fly token contains {what} at position {position}",
    remedy='copy it again, as one line: export FLY_API_TOKEN="fm2_…"',
)


class Fly:
    """Both APIs, with the current token. Cheap to make: connections and rate limits are shared by the process."""

    def __init__(self, config: Config) -> None:
        token = token_of(config)
        scheme = authorization(token)

        def api(name: str, default: str, header: str) -> Http:
            address = configuration.endpoint(config, name, default)
            return Http(
                address, service="Fly", authorize=lambda _again: header, explain=explain, request_id="fly-request-id"
            )

        self._machines = api("fly", MACHINES_API, scheme)
        self._web = api("flyPlatform", WEB_API, f"Bearer {token}")
        self._telemetry = api("flyPlatform", WEB_API, scheme)

    @overload
    def call(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        shape: type[T],
        body: object = None,
        params: Mapping[str, object] | None = None,
        nonce: str = "",
        safe: bool | None = None,
        limit: RateLimit = ACTION_LIMIT,
        attempt_seconds: float = 30.0,
    ) -> T: ...

    @overload
    def call(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        body: object = None,
        params: Mapping[str, object] | None = None,
        nonce: str = "",
        safe: bool | None = None,
        accept: tuple[int, ...] = (),
        limit: RateLimit = ACTION_LIMIT,
        attempt_seconds: float = 30.0,
    ) -> None: ...

    def call(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        shape: type[T] | None = None,
        body: object = None,
        params: Mapping[str, object] | None = None,
        nonce: str = "",
        safe: bool | None = None,
        accept: tuple[int, ...] = (),
        limit: RateLimit = ACTION_LIMIT,
        attempt_seconds: float = 30.0,
    ) -> T | None:
        """One call to the Machines API at `/v1<path>`; the response decoded as `shape`, None without one.

        `nonce` is that of the machine's lease. Raises FlyError, Unreachable, Unreadable or Uncertain (see `providers.http`).
        """
        response = self._machines.request(
            method,
            f"/v1{path}",
            doing=doing,
            json=body,
            params=params,
            headers={"fly-machine-lease-nonce": nonce} if nonce else {},
            safe=safe,
            accept=accept,
            limit=limit,
            bucket=f"{method} {path}",
            attempt_seconds=attempt_seconds,
        )
        if shape is None:
            return None
        wrote = not (method == "GET" if safe is None else safe)
        return self._machines.decode(response, shape, doing, wrote=wrote, null_is_empty=True)

    def web(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        shape: type[T],
        body: object = None,
        params: Mapping[str, object] | None = None,
        safe: bool | None = None,
    ) -> T:
        """One call to the web API at `path`: releases. It takes a token of any kind as `Bearer`, as flyctl sends it. Raises what
        `call` raises."""
        response = self._web.request(method, path, doing=doing, json=body, params=params, safe=safe, seconds=15.0)
        return self._web.decode(response, shape, doing, wrote=not (method == "GET" if safe is None else safe))

    def telemetry(self, path: str, *, doing: str, shape: type[T], params: Mapping[str, object]) -> T:
        """One query of the logs or metrics at `path`, which take a macaroon as `FlyV1`. Raises what `call` raises."""
        response = self._telemetry.request("GET", path, doing=doing, params=params, seconds=15.0)
        return self._telemetry.decode(response, shape, doing)


def token_of(config: Config) -> str:
    """The Fly token without its scheme. Raises ProviderError when it is missing or cannot be one."""
    return _bare(configuration.credential(config, "FLY_API_TOKEN", "flyApiToken", "the Fly token"))


def authorization(token: str) -> str:
    """The Authorization header for a token of any kind: `FlyV1` for macaroons, `Bearer` for all others.

    A scheme in the token itself is dropped: `fly tokens create` prints one. Raises ProviderError when it cannot be a token.
    """
    bare = _bare(token)
    is_macaroon = any(part.strip().startswith(MACAROONS) for part in bare.split(","))
    return f"FlyV1 {bare}" if is_macaroon else f"Bearer {bare}"


def _bare(token: str) -> str:
    """The token without a scheme. Raises ProviderError for what no header can carry: it would fail after many attempts."""
    bare = token.strip()
    for scheme in ("FlyV1", "Bearer"):
        if bare == scheme:
            raise NO_TOKEN(scheme=scheme)
        bare = bare.removeprefix(f"{scheme} ").strip()
    if bare.isascii() and bare.isprintable():
        return bare
    for position, character in enumerate(bare):
        if not (character.isascii() and character.isprintable()):
            what = "a line break" if character in "\r\n" else "a character that is not printable ASCII"
            raise BAD_CHARACTER(what=what, position=position + 1)
    return bare


def retry_until_visible(look: Callable[[], T]) -> T:
    """The result of `look()`, retried while Fly returns 401 or 404 for a new object; after VISIBLE_SECONDS, Fly's error."""
    last: list[FlyError] = []

    def visible() -> T | None:
        try:
            return look()
        except FlyError as error:
            if error.status not in (401, 404):
                raise
            last.append(error)
            return None

    try:
        return waiting.poll(visible, seconds=VISIBLE_SECONDS, waiting_for="the object to appear at Fly")
    except TimedOut:
        raise last[-1] from None


def retry_until_pullable(create: Callable[[], T]) -> T:
    """The result of `create()`, retried while Fly does not find an image that was just pushed."""

    def found() -> T | None:
        try:
            return create()
        except FlyError as error:
            if "manifest_unknown" in error.body.lower() and waiting.clock.now() < deadline:
                return None
            raise

    deadline = waiting.clock.now() + PULLABLE_SECONDS
    return waiting.poll(found, seconds=2 * PULLABLE_SECONDS, waiting_for="the image to appear at Fly", first_pause=1.0)


def explain(response: "httpx.Response", doing: str) -> ProviderError:
    """The error for a response that is not a success: one text per cause, each with its remedy."""
    reason, word = _vendor_text(response)
    request_id = response.headers.get("fly-request-id", "")
    text = _cause(response.status_code, reason, word)
    message, remedy = text.fill(
        doing=doing,
        reason=reason or "no reason given",
        status=response.status_code,
        trace=f", fly-request-id {request_id}" if request_id else "",
    )
    assert issubclass(text.error, FlyError)
    return text.error(
        message,
        remedy=remedy,
        status=response.status_code,
        codes=(word,) if word else (),
        request_id=request_id,
        body=reason,
    )


def _vendor_text(response: "httpx.Response") -> tuple[str, str]:
    """Fly's own sentence, in one line, and its `status` word. A body can be empty or not JSON; like flyctl, prefer `message` over
    `error`."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        body = {"message": response.text}
    if not isinstance(body, dict):
        return "", ""
    text, word = (
        value if isinstance(value, str) else ""
        for value in (body.get("message") or body.get("error"), body.get("status"))
    )
    return " ".join(text.split())[:300], "" if word == "unknown" else word


BY_STATUS = {
    401: BAD_TOKEN,
    403: NO_ACCESS,
    404: MISSING,
    408: FLY_TIMED_OUT,
    409: CONFLICT,
    410: DELETED,
    412: CONFLICT,
}
BY_REASON = (
    (None, "insufficient resources", NO_CAPACITY),
    (None, "could not reserve resource", NO_CAPACITY),
    (None, "name has already been taken", NAME_TAKEN),
    (None, "payment method", NO_PAYMENT_METHOD),
    (None, "manifest_unknown", NO_IMAGE),
    (None, "manifest unknown", NO_IMAGE),
    (409, "lease", LEASED),
    (412, "bound to machine", VOLUME_BOUND),
    (412, "attached to machine", VOLUME_ATTACHED),
)
"""The status (None for any), a part of Fly's sentence in lower case, and the cause. The first that matches decides."""
BY_WORD = {
    "insufficient_capacity": NO_CAPACITY,
    "volume_placement_capacity": NO_CAPACITY,
    "name_taken": NAME_TAKEN,
}


def _cause(status: int, reason: str, word: str) -> ErrorText:
    """The cause of a refusal. Fly's `status` word decides where there is one."""
    if word in BY_WORD:
        return BY_WORD[word]
    for only, part, text in BY_REASON:
        if only in (None, status) and part in reason.lower():
            return text
    return BY_STATUS.get(status, OTHER)


def is_without_capacity(error: ProviderError) -> bool:
    """Whether Fly has refused because a host or a region is full."""
    return isinstance(error, FlyError) and _cause(error.status, error.body, next(iter(error.codes), "")) is NO_CAPACITY
