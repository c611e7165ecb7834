"""Fly's two APIs as the resources use them: which token, which rate limit, and which error text for which cause.

FlyError               Fly refused; `status`, `codes` (Fly's own `status` word), `request_id`, `body`
├── NotFound           404: there is no such object
├── Forbidden          403: the token may not, or the object belongs to another organisation
└── LeaseHeld          409: somebody else holds the machine's lease
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi.dynamic import Config

from providers import configuration, waiting
from providers.errors import ApiError, ProviderError, TimedOut
from providers.http import Http, RateLimit

if TYPE_CHECKING:
    import httpx

MACHINES_API = "https://api.machines.dev"
WEB_API = "https://api.fly.io"

ACTION_LIMIT = RateLimit(per_second=1, burst=3)
"""Per action and machine or app, as documented."""
GET_MACHINE_LIMIT = RateLimit(per_second=5, burst=10)
APP_DELETE_LIMIT = RateLimit(per_second=100 / 60, burst=100)

MACAROONS = ("fm1r_", "fm1a_", "fm2_")
VISIBLE_SECONDS = 60.0
"""How long Fly may answer 401 or 404 for an app, and 404 for a machine, that has just been made."""

PULLABLE_SECONDS = 20.0
"""How long Fly may not find an image that has just been pushed."""


class FlyError(ApiError):
    """Fly answered with an error; the text names the cause, the remedy and the `fly-request-id`."""

    __module__ = "builtins"


class NotFound(FlyError):
    """There is no such object (any more, or yet: Fly shows new objects late)."""

    __module__ = "builtins"


class Forbidden(FlyError):
    """The token lacks the right, or the object belongs to another organisation."""

    __module__ = "builtins"


class LeaseHeld(FlyError):
    """Somebody else holds the lease of the machine."""

    __module__ = "builtins"


class Fly:
    """The APIs with the token of the call's time. Cheap to make; connections and pacing are shared by the process."""

    def __init__(self, config: Config) -> None:
        token = configuration.credential(config, "FLY_API_TOKEN", "flyApiToken", "the Fly token")
        scheme = authorization(token)
        self._machines = Http(
            configuration.endpoint(config, "fly", MACHINES_API),
            service="Fly",
            authorize=lambda _again: scheme,
            explain=explain,
        )
        self._web = Http(
            configuration.endpoint(config, "flyPlatform", WEB_API),
            service="Fly",
            authorize=lambda _again: scheme,
            explain=explain,
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        nonce: str = "",
        safe: bool | None = None,
        accept: tuple[int, ...] = (),
        limit: RateLimit = ACTION_LIMIT,
        seconds: float = 90.0,
        attempt_seconds: float = 30.0,
    ) -> Any:
        """One call to the Machines API at `/v1<path>`; the decoded answer, or None for an empty one.

        `nonce` is that of the machine's lease. Raises FlyError, Unreachable or Uncertain; see `providers.http`.
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
            seconds=seconds,
            attempt_seconds=attempt_seconds,
        )
        return _decoded(response)

    def web(
        self, method: str, path: str, *, doing: str, body: Any = None, params: Mapping[str, Any] | None = None
    ) -> Any:
        """One call to the web API at `/api/v1<path>`: releases and logs."""
        response = self._web.request(method, f"/api/v1{path}", doing=doing, json=body, params=params, seconds=15.0)
        return _decoded(response)

    def metrics(self, org: str, query: str, *, doing: str) -> Any:
        """The answer of an instant query to the organisation's metrics."""
        response = self._web.request(
            "GET", f"/prometheus/{org}/api/v1/query", doing=doing, params={"query": query}, seconds=15.0
        )
        return _decoded(response)


def authorization(token: str) -> str:
    """The Authorization header for a token of any kind: `FlyV1` for macaroons, `Bearer` for everything else.

    A scheme that the token already carries is dropped: `fly tokens create` prints one.
    """
    bare = token.strip()
    for scheme in ("FlyV1 ", "Bearer "):
        bare = bare.removeprefix(scheme)
    macaroon = any(part.strip().startswith(MACAROONS) for part in bare.split(","))
    return f"FlyV1 {bare}" if macaroon else f"Bearer {bare}"


def just_made(look: Any) -> Any:
    """The result of `look()`, patient with the 401 and 404 that Fly gives for objects it has made a moment ago; raises what Fly
    says when it still says so after VISIBLE_SECONDS."""
    last: list[FlyError] = []

    def visible() -> Any:
        try:
            return look()
        except FlyError as error:
            if error.status not in (401, 404):
                raise
            last.append(error)
            return None

    try:
        return waiting.poll(visible, seconds=VISIBLE_SECONDS, waiting_for="it to appear at Fly")
    except TimedOut:
        raise last[-1] from None


def just_pushed(make: Any) -> Any:
    """The result of `make()`, patient with an image that was pushed a moment ago and that Fly does not find yet."""

    def found() -> Any:
        try:
            return make()
        except FlyError as error:
            if "manifest_unknown" in error.body.lower() and waiting.clock.now() < deadline:
                return None
            raise

    deadline = waiting.clock.now() + PULLABLE_SECONDS
    return waiting.poll(found, seconds=2 * PULLABLE_SECONDS, waiting_for="the image to appear at Fly", first_pause=1.0)


def explain(response: "httpx.Response", doing: str) -> ProviderError:
    """The error for an answer that is no success: one text per cause, each with its remedy."""
    text, word = _vendor_text(response)
    request_id = response.headers.get("fly-request-id", "")
    kind, remedy = _cause(response.status_code, text, word)
    message = f"Fly refused to {doing}: {text or 'no reason given'} (HTTP {response.status_code}"
    message += f", fly-request-id {request_id})" if request_id else ")"
    return kind(
        f"{message}; {remedy}",
        status=response.status_code,
        codes=(word,) if word else (),
        request_id=request_id,
        body=text,
    )


def _vendor_text(response: "httpx.Response") -> tuple[str, str]:
    """Fly's own sentence and its `status` word. Bodies may be empty or no JSON; flyctl prefers `message` over `error`."""
    try:
        body = json.loads(response.content)
    except ValueError:
        return response.text.strip()[:300], ""
    if not isinstance(body, dict):
        return str(body)[:300], ""
    text = body.get("message") or body.get("error") or ""
    word = body.get("status")
    return str(text)[:300], word if isinstance(word, str) and word != "unknown" else ""


def _cause(status: int, text: str, word: str) -> tuple[type[FlyError], str]:  # noqa: C901, PLR0911, PLR0912 (one case per refusal)
    """What kind of refusal it is and what to do about it. Fly's `status` word decides where there is one."""
    lower = text.lower()
    capacity = "insufficient resources" in lower or "could not reserve resource" in lower
    if word in ("insufficient_capacity", "volume_placement_capacity") or capacity:
        return (
            FlyError,
            "the region or the volume's host is full: try again later, or use a smaller [[vm]] or another region",
        )
    if word == "name_taken" or "name has already been taken" in lower:
        return FlyError, "app names are one global namespace, and somebody else has this one: choose another name"
    if "payment method" in lower:
        return FlyError, "add a payment method at https://fly.io/dashboard/personal/billing, then run up again"
    if "manifest_unknown" in lower or "manifest unknown" in lower:
        return (
            FlyError,
            "the image is not in its registry (or was pushed seconds ago): push it, or name one that exists",
        )
    if status == 401:
        return FlyError, (
            "the token is wrong or has expired: make one with `fly tokens create org`, and set FLY_API_TOKEN to it"
        )
    if status == 403:
        return Forbidden, (
            "the token may not do this, or the object belongs to another organisation: "
            "use a token of the right organisation (`fly tokens create org`)"
        )
    if status == 404:
        return NotFound, "it does not exist (any more): run `pulumi refresh`, then up again"
    if status == 409 and "lease" in lower:
        return (
            LeaseHeld,
            "somebody else is deploying: wait until they are done, or clear it with `fly machine leases clear`",
        )
    if status == 412 and "bound to machine" in lower:
        return FlyError, "destroy the machine first; Fly frees a volume up to a minute after that"
    if status == 412 and "attached to machine" in lower:
        return (
            FlyError,
            "a volume has one machine: go on with that one, by the name that `fly machine list` shows, or destroy it",
        )
    if status in (409, 412):
        return FlyError, "something else is changing the object: run `pulumi refresh`, then up again"
    if status == 408:
        return FlyError, "Fly gave up waiting: run the same command again"
    if status == 410:
        return NotFound, "it has been deleted: run `pulumi refresh`, then up again"
    return FlyError, "correct what the text names, then run up again"


def _decoded(response: "httpx.Response") -> Any:
    if not response.content:
        return None
    try:
        return json.loads(response.content)
    except ValueError:
        request_id = response.headers.get("fly-request-id", "none")
        raise ProviderError(
            f"Fly answered {response.request.method} {response.request.url.path} with HTTP {response.status_code} "
            f"and something that is no JSON (fly-request-id {request_id}); is the endpoint right?"
        ) from None
