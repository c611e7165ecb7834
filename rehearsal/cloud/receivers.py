"""Receivers of pages, tickets, heartbeats and log lines: stand-ins for an on-call service, a dead man's switch and Loki.

POST /receivers/<name>     a webhook of Alertmanager; kept, with the time of arrival
GET  /receivers/<name>     what arrived, in order: {"at", "status", "alerts": [{"alertname", "status"}, …]}
POST /loki/api/v1/push     log lines, in Loki's format, with any password
GET  /lines                the newest thousand log lines: {"labels", "line"}
GET  /deadman              {"last": time of the last heartbeat, "silent": whether the dead man's switch would alarm}
"""

import gzip
import json
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly.formats import public
from rehearsal.cloud.service import Refusal, Service, route

DEADMAN, LOKI = "deadman", "loki"
MAX_LINES = 1000
GRACE = 300.0
"""Seconds without a heartbeat after which a dead man's switch alarms; divided by `monitor_speed`, like the monitor's durations."""


class Receivers(Service):
    """The routes; `Control` inherits them."""

    @route("POST", "/receivers/<name>")
    def receive(self, request: Request, name: str) -> Any:
        webhook = request.get_json(force=True)
        received = {
            "at": self.context.clock.now(),
            "status": webhook["status"],
            "alerts": [
                {"alertname": alert["labels"]["alertname"], "status": alert["status"]} for alert in webhook["alerts"]
            ],
        }
        self.store.put("received", f"{self.store.count('received'):09d}", {"_to": name, **received})
        return {}, 200, {}

    @route("GET", "/receivers/<name>")
    def read_received(self, request: Request, name: str) -> Any:
        return [public(notice) for notice in self.store.all("received", _to=name)]

    @route("POST", "/loki/api/v1/push")
    def push_lines(self, request: Request) -> Any:
        if not request.authorization:
            raise Refusal({"error": "no credentials"}, 401)
        sent = request.get_data()
        pushed = json.loads(gzip.decompress(sent) if request.headers.get("Content-Encoding") == "gzip" else sent)
        lines = [
            {"labels": stream["stream"], "line": line} for stream in pushed["streams"] for _, line in stream["values"]
        ]
        with self.store.transaction():
            kept = self.store.get("lines", LOKI) or {"lines": []}
            self.store.put("lines", LOKI, {"lines": [*kept["lines"], *lines][-MAX_LINES:]})
        return None, 204, {}

    @route("GET", "/lines")
    def read_lines(self, request: Request) -> Any:
        return (self.store.get("lines", LOKI) or {"lines": []})["lines"]

    @route("GET", "/deadman")
    def read_deadman(self, request: Request) -> Any:
        last = max((notice["at"] for notice in self.store.all("received", _to=DEADMAN)), default=None)
        grace = GRACE / self.context.delays.monitor_speed
        return {"last": last, "silent": last is not None and self.context.clock.now() > last + grace}
