"""The control address: the human's part of a launch, and the tests' handles. Never part of a vendor's protocol.

GET  /journal                            every request and answer so far          ?service=fly for one service's
GET  /faults   POST /faults   DELETE /faults     what shall go wrong: see `faults.Fault` for the fields
GET  /delays   POST /delays              how long the vendors take: see `clock.Delays`
the human part of App Store Connect and Fly, see `appstore/control.py` and `fly/control.py`, and `receivers.py`
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
from rehearsal.cloud.service import Answer, route


class Control(AppStoreControl, FlyControl, Receivers):
    """What no vendor offers: faults, delays, the journal."""

    name: ClassVar[str] = "control"
    journaled: ClassVar[bool] = False

    def __init__(self, context: Context, machines_api: MachinesApi, records: Records) -> None:
        super().__init__(context, machines_api)
        self.records = records

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
            raise Answer({"error": f"not a fault: {error}"}, 400) from None
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
            raise Answer({"error": f"unknown delay; there are: {known}"}, 400) from None
        return dataclasses.asdict(self.context.delays)
