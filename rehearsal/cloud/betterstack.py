"""Better Stack's Uptime API: monitors, which request nothing: after a moment they are `up`.

https://betterstack.com/docs/uptime/api/monitors/. Attributes of other names and types than the documented ones are refused; what
Better Stack itself does with them is not documented. Names need not be unique.
"""

from typing import Any, ClassVar

from werkzeug.wrappers import Request

from rehearsal.cloud.service import Refusal, Service, route
from rehearsal.cloud.store import Document

TOKEN = "rehearsal"
KIND = "betterstack.monitors"
TYPES: dict[str, type] = {
    "monitor_type": str,
    "url": str,
    "pronounceable_name": str,
    "check_frequency": int,
    "confirmation_period": int,
    "expected_status_codes": list,
    "follow_redirects": bool,
    "verify_ssl": bool,
    "paused": bool,
}
DEFAULTS: Document = {
    "monitor_group_id": None,
    "last_checked_at": None,
    "status": "pending",
    "policy_id": None,
    "team_name": "Rehearsal",
    "verify_ssl": True,
    "check_frequency": 180,
    "call": False,
    "sms": False,
    "email": True,
    "push": True,
    "team_wait": None,
    "http_method": "get",
    "request_timeout": 30,
    "recovery_period": 180,
    "confirmation_period": 0,
    "request_headers": [],
    "request_body": "",
    "follow_redirects": True,
    "paused_at": None,
    "regions": ["us", "eu", "as", "au"],
    "expected_status_codes": [],
}
MONITOR_TYPES = (
    "status",
    "expected_status_code",
    "keyword",
    "keyword_absence",
    "ping",
    "tcp",
    "udp",
    "smtp",
    "pop",
    "imap",
    "dns",
)
FREQUENCIES = (30, 45, 60, 120, 180, 300, 600, 900, 1800)
FREE_PLAN_SECONDS = 180
MAX_PER_PAGE = 250


class BetterStackApi(Service):
    name: ClassVar[str] = "betterstack"

    def admit(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise Refusal(
                {"errors": "Invalid Team API token. How to find your Team API token: https://betterstack.com/docs"}, 401
            )

    def not_found(self, request: Request) -> Any:
        return {"errors": f"the double does not implement {request.method} {request.path}"}, 501, {}

    def throttled(self, request: Request) -> Any:
        return {"errors": "Too many requests"}, 429, {}

    @route("GET", "/api/v2/monitors")
    def list_monitors(self, request: Request) -> Any:
        """A page. The filters match parts of a name: whether the real ones do is not documented."""
        page, per_page = int(request.args.get("page", 1)), min(int(request.args.get("per_page", 50)), MAX_PER_PAGE)
        wanted = {name: request.args.get(name, "") for name in ("url", "pronounceable_name")}
        found = [
            monitor
            for monitor in self.store.all(KIND)
            if all(value in monitor["attributes"][name] for name, value in wanted.items())
        ]
        last = max(1, -(-len(found) // per_page))
        links = {"first": 1, "last": last, "prev": page - 1 or None, "next": page + 1 if page < last else None}
        return {
            "data": [self._shown(monitor) for monitor in found[(page - 1) * per_page : page * per_page]],
            "pagination": {
                name: number and f"{request.base_url}?per_page={per_page}&page={number}"
                for name, number in links.items()
            },
        }

    @route("POST", "/api/v2/monitors")
    def create_monitor(self, request: Request) -> Any:
        given = self._valid(request, DEFAULTS)
        number = str(self.store.count(KIND))
        attributes = DEFAULTS | given
        monitor = {
            "id": number,
            "type": "monitor",
            "attributes": _paused(attributes),
            "_since": self.context.clock.now(),
        }
        self.store.put(KIND, f"{int(number):09d}", monitor)
        return {"data": self._shown(monitor)}, 201, {}

    @route("GET", "/api/v2/monitors/<id>")
    def get_monitor(self, request: Request, id: str) -> Any:
        return {"data": self._shown(self._existing(id))}

    @route("PATCH", "/api/v2/monitors/<id>")
    def update_monitor(self, request: Request, id: str) -> Any:
        monitor = self._existing(id)
        monitor["attributes"] = _paused(monitor["attributes"] | self._valid(request, monitor["attributes"]))
        self.store.put(KIND, f"{int(id):09d}", monitor)
        return {"data": self._shown(monitor)}

    @route("DELETE", "/api/v2/monitors/<id>")
    def delete_monitor(self, request: Request, id: str) -> Any:
        self._existing(id)
        self.store.delete(KIND, f"{int(id):09d}")
        return None, 204, {}

    def _shown(self, monitor: Document) -> Document:
        """With the status as of now; what is stored stays `pending` or `paused`, or is what a test has set."""
        attributes = monitor["attributes"]
        checked = self.context.clock.now() >= monitor["_since"] + self.context.delays.uptime_check
        status = "up" if attributes["status"] == "pending" and checked else attributes["status"]
        return {"id": monitor["id"], "type": monitor["type"], "attributes": {**attributes, "status": status}}

    def _existing(self, id: str) -> Document:
        monitor = self.store.get(KIND, f"{int(id):09d}") if id.isdecimal() else None
        if monitor is None:
            raise Refusal({"errors": "Resource with provided ID was not found"}, 404)
        return monitor

    def _valid(self, request: Request, before: Document) -> Document:
        given: Document = request.get_json(force=True)
        after = before | given
        errors = {
            name: ["is unknown" if name not in TYPES else f"is not a {TYPES[name].__name__}"]
            for name, value in given.items()
            if name not in TYPES or type(value) is not TYPES[name]
        }
        if not str(after.get("url", "")).startswith(("https://", "http://")):
            errors["url"] = ["is invalid"]
        if after.get("monitor_type") not in MONITOR_TYPES:
            errors["monitor_type"] = ["is not included in the list"]
        if after.get("monitor_type") == "expected_status_code" and not after["expected_status_codes"]:
            errors["expected_status_codes"] = ["can't be blank"]
        if after["check_frequency"] not in FREQUENCIES or after["check_frequency"] < FREE_PLAN_SECONDS:
            errors["check_frequency"] = ["is not available on your plan"]
        if errors:
            raise Refusal({"errors": errors}, 422)
        return given


def _paused(attributes: Document) -> Document:
    """`paused` is written, and read as a status."""
    paused = attributes.pop("paused", None)
    if paused is None:
        return attributes
    status = "paused" if paused else "pending" if attributes["status"] == "paused" else attributes["status"]
    return attributes | {"status": status}
