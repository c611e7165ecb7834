"""Who receives pages, tickets and heartbeats in a rehearsal: the on-call service and the dead man's switch, outside of Fly.

POST /receivers/<name>     what Alertmanager's webhook sends: kept, with the time of its arrival
GET  /receivers/<name>     what arrived, in order: {"at", "status", "alerts": [{"alertname", "status"}, …]}
POST /loki/api/v1/push     log lines, in the form of Loki's clients, with any password
GET  /lines                those that arrived, the newest thousand: {"labels", "line"}
GET  /deadman              {"last": when the last heartbeat came, "silent": whether that is longer ago than a switch waits}
"""

import gzip
import json
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly.formats import public
from rehearsal.cloud.service import Answer, Service, route

DEADMAN, LOKI = "deadman", "loki"
KEPT_LINES = 1000
GRACE = 300.0
"""Seconds without a heartbeat after which such a service alarms; divided by the delay `monitor_speed`, as the monitor's are."""


class Receivers(Service):
    """The routes; `Control` is made of them."""

    @route("POST", "/receivers/<name>")
    def receive(self, request: Request, name: str) -> Any:
        told = request.get_json(force=True)
        received = {
            "at": self.context.clock.now(),
            "status": told["status"],
            "alerts": [
                {"alertname": alert["labels"]["alertname"], "status": alert["status"]} for alert in told["alerts"]
            ],
        }
        self.store.put("received", f"{self.store.count('received'):09d}", {"_to": name, **received})
        return {}, 200, {}

    @route("GET", "/receivers/<name>")
    def read_received(self, request: Request, name: str) -> Any:
        return [public(each) for each in self.store.all("received", _to=name)]

    @route("POST", "/loki/api/v1/push")
    def push_lines(self, request: Request) -> Any:
        if not request.authorization:
            raise Answer({"error": "no credentials"}, 401)
        sent = request.get_data()
        told = json.loads(gzip.decompress(sent) if request.headers.get("Content-Encoding") == "gzip" else sent)
        lines = [
            {"labels": stream["stream"], "line": line} for stream in told["streams"] for _, line in stream["values"]
        ]
        with self.store.transaction():
            kept = self.store.get("lines", LOKI) or {"lines": []}
            self.store.put("lines", LOKI, {"lines": [*kept["lines"], *lines][-KEPT_LINES:]})
        return None, 204, {}

    @route("GET", "/lines")
    def read_lines(self, request: Request) -> Any:
        return (self.store.get("lines", LOKI) or {"lines": []})["lines"]

    @route("GET", "/deadman")
    def read_deadman(self, request: Request) -> Any:
        last = max((each["at"] for each in self.store.all("received", _to=DEADMAN)), default=None)
        grace = GRACE / self.context.delays.monitor_speed
        return {"last": last, "silent": last is not None and self.context.clock.now() > last + grace}
