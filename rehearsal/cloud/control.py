"""The control address: actions of people, and controls for tests. Not part of any vendor's protocol.

GET  /journal                                    every request and response so far; ?service=fly for one service
GET  /faults   POST /faults   DELETE /faults     injected faults: see `faults.Fault` for the fields
GET  /delays   POST /delays                      delays of the vendors: see `clock.Delays`

Actions of people are in `appstore/control.py` and `fly/control.py`, receivers of pages and logs in `receivers.py`.
"""

import dataclasses
from typing import Any, ClassVar

from werkzeug.wrappers import Request

from rehearsal.cloud.appstore.control import AppStoreControl
from rehearsal.cloud.appstore.kinds import Records
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.context import Context
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.fly.control import FlyControl
from rehearsal.cloud.fly.machines_api import MachinesApi
from rehearsal.cloud.receivers import Receivers
from rehearsal.cloud.service import Refusal, route

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""The names of this computer. Any other name in a request is one that a website has made to lead here."""


class Control(AppStoreControl, FlyControl, Receivers):
    """Faults, delays and the journal, and the routes of its bases."""

    name: ClassVar[str] = "control"
    journaled: ClassVar[bool] = False

    def __init__(self, context: Context, machines_api: MachinesApi, records: Records) -> None:
        super().__init__(context, machines_api)
        self.records = records

    def admit(self, request: Request) -> None:
        """Refuse what a website makes a browser send: it could read or change the doubles. Programs send no Origin."""
        host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdecimal() else request.host
        is_cross_site = "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none"
        if is_cross_site or not (host in LOOPBACK or host.endswith(".test")):
            raise Refusal({"error": "the control address takes no requests of websites"}, 403)

    @route("GET", "/journal")
    def read_journal(self, request: Request) -> Any:
        return self.context.journal.entries(request.args.get("service"))

    @route("GET", "/faults")
    def list_faults(self, request: Request) -> Any:
        return [dataclasses.asdict(fault) for fault in self.context.faults.armed()]

    @route("POST", "/faults")
    def arm_fault(self, request: Request) -> Any:
        try:
            fault = Fault(**request.get_json(force=True))
        except TypeError as error:
            raise Refusal({"error": f"not a fault: {error}"}, 400) from None
        self.context.faults.arm(fault)
        return dataclasses.asdict(fault), 201, {}

    @route("DELETE", "/faults")
    def clear_faults(self, request: Request) -> Any:
        self.context.faults.clear()
        return None, 204, {}

    @route("GET", "/delays")
    def read_delays(self, request: Request) -> Any:
        return dataclasses.asdict(self.context.delays)

    @route("POST", "/delays")
    def change_delays(self, request: Request) -> Any:
        try:
            self.context.delays = dataclasses.replace(self.context.delays, **request.get_json(force=True))
        except TypeError:
            known = ", ".join(field.name for field in dataclasses.fields(Delays))
            raise Refusal({"error": f"unknown delay; known delays: {known}"}, 400) from None
        return dataclasses.asdict(self.context.delays)
