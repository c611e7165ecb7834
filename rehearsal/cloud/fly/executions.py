"""Commands and processes in a machine: `exec` and `ps`."""

import shlex
from typing import Any

from werkzeug.wrappers import Request

from rehearsal.cloud.fly import bodies
from rehearsal.cloud.fly.api import fly_error
from rehearsal.cloud.fly.commands import TIMED_OUT
from rehearsal.cloud.fly.machines import MachinesPart
from rehearsal.cloud.service import route

EXECUTE = {"command": [str], "container": str, "machine": bool, "stdin": str, "timeout": int, "cmd": str}
MAX_SECONDS = 60
"""The longest timeout that a call may ask for. The call is cut earlier (`Delays.exec_cut`)."""
MAIN_CHILD = 306
"""The process id of the program, under Fly's init."""


class Executions(MachinesPart):
    """`/v1/apps/{name}/machines/{id}/exec` and `/ps`."""

    @route("POST", "/v1/apps/<name>/machines/<id>/exec")
    def execute(self, request: Request, name: str, id: str) -> Any:
        """Run a command in a started machine. `cmd` is the deprecated form of `command`: one string, split as a shell does."""
        body = bodies.read(request, EXECUTE, "MachineExecRequest")
        command = body.get("command") or shlex.split(body.get("cmd") or "")
        seconds = body.get("timeout") or MAX_SECONDS
        if not command or not 0 < seconds <= MAX_SECONDS:
            raise bodies.refused("invalid_argument: command is required, and timeout is at most 60 seconds")
        with self._changed(request, name, id, "exec") as machine:
            if machine["state"] != "started":
                raise fly_error(412, f"failed_precondition: machine not running, currently {machine['state']}")
        cut = self.context.delays.exec_cut
        result = self.machines.runtime.execute(id, command, min(seconds, cut))
        if result["exit_code"] == TIMED_OUT and seconds >= cut:
            raise fly_error(408, "deadline_exceeded: the command did not end in time")
        return result

    @route("GET", "/v1/apps/<name>/machines/<id>/ps")
    def list_processes(self, request: Request, name: str, id: str) -> Any:
        """The program, which listens on the ports of the machine's services."""
        self.app(request, name)
        self.limit("get_machine", id)
        machine = self._machine(name, id)
        if machine["state"] != "started":
            raise fly_error(412, f"failed_precondition: machine not running, currently {machine['state']}")
        ports = [service["internal_port"] for service in machine["config"].get("services") or ()]
        return [
            {
                "pid": MAIN_CHILD,
                "stime": 1,
                "rtime": 1,
                "command": machine["_image"]["runs"],
                "directory": "/app",
                "cpu": 1,
                "rss": 64 << 20,
                "listen_sockets": [{"proto": "tcp", "address": f"0.0.0.0:{port}"} for port in ports],
            }
        ]
