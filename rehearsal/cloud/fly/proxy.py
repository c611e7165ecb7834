"""Fly's proxy: routes a request by its Host header to a healthy machine of the app.

Whether it still routes to the previous version while an update prepares the image is not documented: `Delays.routed_until_signalled`
has both.
"""

import itertools
import time
from typing import Any, ClassVar

from werkzeug.wrappers import Request, Response

from rehearsal.cloud.context import Context
from rehearsal.cloud.fly.certificates import Certificates
from rehearsal.cloud.fly.checks import routable
from rehearsal.cloud.fly.machine_life import Machines
from rehearsal.cloud.fly.runtime import NoResponse
from rehearsal.cloud.service import Service, route
from rehearsal.cloud.store import Document

DOMAIN = ".fly.dev"
BUCKETS = ("0.1", "0.5", "1", "5", "+Inf")
"""Upper limits of the histogram of response times, in seconds."""
MAX_FAILURES = 999
"""Number of failed responses whose time is kept."""


class Proxy(Service):
    """Any path of any app's public hostname. An app without an IP address has no hostname."""

    name: ClassVar[str] = "proxy"

    def __init__(self, context: Context, machines: Machines, certificates: Certificates) -> None:
        super().__init__(context)
        self._machines = machines
        self._certificates = certificates
        self._turn = itertools.count()

    @route("GET", "/")
    @route("POST", "/")
    @route("GET", "/<path:path>")
    @route("HEAD", "/<path:path>")
    @route("POST", "/<path:path>")
    def forward(self, request: Request, path: str = "") -> Any:
        hostname = request.host.partition(":")[0]
        app = hostname.removesuffix(DOMAIN) if hostname.endswith(DOMAIN) else self._certificates.app_of(hostname)
        if app is None or not self.store.all("fly_ip", _app=app):
            return Response("no such host", 502)
        asked_at = time.monotonic()
        response = self._route(app, request)
        seconds = time.monotonic() - asked_at
        with self.store.transaction():
            counts = self.store.get("fly_edge", app) or {}
            status = str(response.status_code)
            self.store.put("fly_edge", app, {**counts, status: counts.get(status, 0) + 1})
            slower = self.store.get("fly_edge_seconds", app) or dict.fromkeys(BUCKETS, 0)
            within = {limit: count + (seconds <= float(limit)) for limit, count in slower.items()}
            self.store.put("fly_edge_seconds", app, within)
            if response.status_code >= 500:
                failed = (self.store.get("fly_edge_failed", app) or {"at": []})["at"]
                self.store.put("fly_edge_failed", app, {"at": [*failed[-MAX_FAILURES:], self.context.clock.now()]})
        return response

    def _route(self, app: str, request: Request) -> Response:
        """To the healthy machines of the app in turn."""
        machines = [
            machine
            for machine in self._machines.of_app(app)
            if routable(machine, until_signalled=self.context.delays.routed_until_signalled)
        ]
        if not machines:
            return Response("no healthy machine", 503)
        return self._forward(machines[next(self._turn) % len(machines)], request)

    def _forward(self, machine: Document, request: Request) -> Response:
        port = next((service["internal_port"] for service in machine["config"].get("services") or ()), None)
        if port is None:
            return Response("the machine has no service", 503)
        try:
            reply = self._machines.runtime.ask(
                machine["id"], port, request.method, request.full_path, body=request.get_data()
            )
        except NoResponse as error:
            return Response(str(error), 502)
        headers = {"fly-request-id": machine["instance_id"], "server": "Fly/rehearsal"}
        return Response(reply.body, reply.status, headers, content_type="application/json")
