"""Base of Fly's APIs: authentication, rate limits, access to apps, and Fly's error format.

Documents in the store: `fly_token`, `fly_app`, `fly_certificate`, `fly_dns`, `fly_ip`, `fly_postgres`, `fly_secrets`,
`fly_volume`, `fly_snapshot`, `fly_machine`, `fly_image`, `fly_release`, `fly_logs`. A document is the public object; additional
fields begin with an underscore. See `infra-docs/vendors/fly.md`.
"""

import random
import threading
from collections.abc import Iterable
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.context import Context
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.fly.bodies import refused
from rehearsal.cloud.fly.formats import rfc3339
from rehearsal.cloud.fly.machine_life import Machines
from rehearsal.cloud.service import Refusal, Service, http_date
from rehearsal.cloud.store import Document

OUR_ORG = "sol-labs"
STRANGERS = "strangers"
ORGANIZATIONS = {OUR_ORG: ("Sol Labs", 1001), STRANGERS: ("Strangers", 1002)}
DEFAULT_TOKENS = {"fo1_rehearsal": OUR_ORG, "fo1_strangers": STRANGERS}
PREFIXES = ("fo1_", "fm2_")
"""Tokens with these prefixes belong to our organisation unless they are registered for another one."""
REGIONS = {
    "ams": "Amsterdam, Netherlands",
    "fra": "Frankfurt, Germany",
    "iad": "Ashburn, Virginia (US)",
    "lax": "Los Angeles, California (US)",
    "lhr": "London, United Kingdom",
    "nrt": "Tokyo, Japan",
    "ord": "Chicago, Illinois (US)",
    "sin": "Singapore, Singapore",
    "sjc": "San Jose, California (US)",
    "syd": "Sydney, Australia",
}

RATES = {"get_machine": (5.0, 10)}
"""Calls per second and burst, for each action and object. All others have `DEFAULT_RATE`."""
DEFAULT_RATE = (1.0, 3)
DELETE_APP_RATE = (100 / 60, 100)
OF_APP = ("fly_certificate", "fly_ip", "fly_secrets", "fly_snapshot")
"""The kinds of documents that belong to an app and are deleted with it. Machines and volumes end in their own ways."""


class FlyApi(Service):
    """Base of the two APIs. `MachinesApi` inherits from the parts of the Machines API, which are subclasses."""

    def __init__(self, context: Context, machines: Machines) -> None:
        super().__init__(context)
        self.machines = machines
        self._buckets: dict[str, tuple[float, float]] = {}
        self._buckets_lock = threading.Lock()

    # What applies to every call.

    def admit(self, request: Request) -> None:
        """Refuse a call without a valid token, and a write with a read-only token."""
        token = self.token(request)
        if token.get("may") == "read" and request.method != "GET":
            raise forbidden()

    def token(self, request: Request) -> Document:
        """The token of the call: `{"token", "org", "may"}`. Raises Refusal 401."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        token = token.strip()
        if scheme not in ("Bearer", "FlyV1") or not token:
            raise fly_error(401, "Authorization header is missing or malformed")
        known = self.store.get("fly_token", token)
        if known is None and token in DEFAULT_TOKENS:
            known = {"token": token, "org": DEFAULT_TOKENS[token], "may": "all"}
        if known is None and token.startswith(PREFIXES):
            known = {"token": token, "org": OUR_ORG, "may": "all"}
        if known is None or known.get("revoked"):
            raise fly_error(401, "invalid token")
        return known

    def limit(self, action: str, identifier: str, rate: tuple[float, int] | None = None) -> None:
        """Count one `action` on the machine or app `identifier`. Raises Refusal 429 above the rate."""
        per_second, burst = rate or RATES.get(action, DEFAULT_RATE)
        per_second, size = per_second * self.context.delays.rate_scale, burst * self.context.delays.rate_scale
        key, now = f"{action} {identifier}", self.context.clock.now()
        with self._buckets_lock:
            left, seen_at = self._buckets.get(key, (size, now))
            left = min(size, left + (now - seen_at) * per_second)
            self._buckets[key] = (left - 1 if left >= 1 else left, now)
        if left < 1:
            raise fly_error(429, "rate limit exceeded")

    def not_found(self, request: Request) -> Any:
        return {"error": f"the double does not implement {request.method} {request.path}", "status": "unknown"}, 501, {}

    def throttled(self, request: Request) -> Any:
        return {"error": "rate limit exceeded", "status": "unknown"}, 429, {}

    def common_headers(self, request: Request) -> dict[str, str]:
        request_id = f"01{random.getrandbits(96):024X}-sjc"
        return {"Date": http_date(int(self.context.clock.now())), "fly-request-id": request_id}

    def failed(self, request: Request, fault: Fault) -> Any:
        return (
            {"error": "unavailable: deploys to this host are temporarily disabled", "status": "unknown"},
            fault.status,
            {},
        )

    # Lookups.

    def app(self, request: Request, name: str, action: str = "") -> Document:
        """The app, for a call on something in it. Counts `action` against the app's rate limit, if given.

        Raises Refusal 404 for an app that is too new or deleted, and 403 for one of another organisation.
        """
        app = self.living_app(name)
        if app is None or self.context.clock.now() < app["_visible_at"] or app["_gone_at"] is not None:
            raise fly_error(404, "App not found")
        if app["organization"]["slug"] != self.token(request)["org"]:
            raise forbidden()
        if action:
            self.limit(action, name)
        return app

    def living_app(self, name: str) -> Document | None:
        """The app, unless its deletion is complete."""
        app = self.store.get("fly_app", name)
        if app and app["_gone_at"] is not None and self.context.clock.now() >= app["_gone_at"]:
            self.store.delete("fly_app", name)
            return None
        return app

    def listed(self, documents: Iterable[Document]) -> list[Document]:
        """Those that a list shows: a list lags behind the creation of an object (`Delays.list_lag`)."""
        shown_until = rfc3339(self.context.clock.now() - self.context.delays.list_lag)
        return [document for document in documents if document["created_at"] <= shown_until]

    def is_lagging(self, changed_at: float) -> bool:
        """Whether a list still shows the state before a change at that time."""
        return self.context.clock.now() < changed_at + self.context.delays.list_lag

    def region(self, code: str | None) -> str:
        """The region, or the nearest one for None. Raises Refusal 400 for an unknown region."""
        if code is not None and code not in REGIONS:
            raise refused(f"invalid_argument: region {code} not found")
        return code or "sjc"


def fly_error(status: int, text: str, code: str = "unknown") -> Refusal:
    """An error of the Machines API. `code` is one of unknown, insufficient_capacity, volume_placement_capacity, name_taken."""
    return Refusal({"error": text, "status": code}, status)


def forbidden() -> Refusal:
    return Refusal({"error": "unauthorized"}, 403)
