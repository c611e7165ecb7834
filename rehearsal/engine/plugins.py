"""Plugins: the provider process of the SDK for dynamic resources; `command` and `random` run in this process.

Any other plugin is refused.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import grpc
from google.rpc import status_pb2

from rehearsal.engine.protocol import OPTIONS, provider_pb2, provider_pb2_grpc
from rehearsal.engine.values import Properties, from_wire, to_wire
from rehearsal.standins.exit_with_parent import EXIT_WITH_PARENT

DYNAMIC = "pulumi-python"


class StepFailed(Exception):
    """An operation of a plugin failed; the message is shown."""


class Incomplete(StepFailed):
    """The object exists but is incomplete: it is recorded, and the next `up` calls `update`."""

    def __init__(self, id: str, outputs: Properties, inputs: Properties, reasons: list[str]) -> None:
        super().__init__("\n".join(f"* {reason}" for reason in reasons))
        self.id = id
        self.outputs = outputs
        self.inputs = inputs
        """The current inputs, if the plugin returns them; else empty."""
        self.reasons = reasons


@dataclass(frozen=True)
class Diff:
    """The result of a plugin's diff."""

    changes: bool | None
    """None: the engine compares the inputs."""
    replaces: list[str] = field(default_factory=list)
    delete_before_replace: bool = False


class Plugin(Protocol):
    """The interface of a plugin. Secrets in arguments are decrypted; results can contain marked secrets."""

    def check(self, urn: str, olds: Properties, news: Properties) -> tuple[Properties, list[str]]: ...

    def diff(self, urn: str, id: str, old_inputs: Properties, olds: Properties, news: Properties) -> Diff: ...

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]: ...

    def update(self, urn: str, id: str, old_inputs: Properties, olds: Properties, news: Properties) -> Properties: ...

    def read(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> tuple[str, Properties, Properties]:
        """Id (empty if the object is gone), inputs and outputs."""

    def delete(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> None: ...

    def close(self) -> None: ...


def package(type: str) -> str:
    """The plugin of a resource type: `pulumi-python` of `pulumi-python:dynamic/fly:App`."""
    return type.partition(":")[0]


class DynamicPlugin:
    """`python -m pulumi.dynamic`, started by the first call and stopped by `close`."""

    def __init__(
        self, folder: Path, project: str, config: Properties, engine_address: str, log: Callable[[str], None]
    ) -> None:
        """`log` gets each line that the provider prints."""
        self._folder = folder
        self._project = project
        self._config = config
        self._engine_address = engine_address
        self._log = log
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._forwarding = threading.Thread(target=self._forward_output, daemon=True)
        self._stub: Any = None

    def check(self, urn: str, olds: Properties, news: Properties) -> tuple[Properties, list[str]]:
        request = provider_pb2.CheckRequest(urn=urn, olds=_wire(olds), news=_wire(news))
        response = self._call("Check", request)
        failures = [
            f"property {failure.property} has a problem: {failure.reason}" if failure.property else failure.reason
            for failure in response.failures
        ]
        return from_wire(response.inputs), failures

    def diff(self, urn: str, id: str, old_inputs: Properties, olds: Properties, news: Properties) -> Diff:
        request = provider_pb2.DiffRequest(
            id=id, urn=urn, olds=_wire(olds), news=_wire(news), old_inputs=_wire(old_inputs)
        )
        response = self._call("Diff", request)
        changes = {provider_pb2.DiffResponse.DIFF_NONE: False, provider_pb2.DiffResponse.DIFF_SOME: True}
        return Diff(changes.get(response.changes), list(response.replaces), response.deleteBeforeReplace)

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]:
        response = self._call("Create", provider_pb2.CreateRequest(urn=urn, properties=_wire(inputs)))
        return response.id, from_wire(response.properties)

    def update(self, urn: str, id: str, old_inputs: Properties, olds: Properties, news: Properties) -> Properties:
        request = provider_pb2.UpdateRequest(
            id=id, urn=urn, olds=_wire(olds), news=_wire(news), old_inputs=_wire(old_inputs)
        )
        return from_wire(self._call("Update", request).properties)

    def read(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> tuple[str, Properties, Properties]:
        request = provider_pb2.ReadRequest(id=id, urn=urn, properties=_wire(outputs), inputs=_wire(inputs))
        response = self._call("Read", request)
        found = from_wire(response.inputs) if response.HasField("inputs") else inputs
        return response.id, found, from_wire(response.properties)

    def delete(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> None:
        request = provider_pb2.DeleteRequest(id=id, urn=urn, properties=_wire(outputs), old_inputs=_wire(inputs))
        self._call("Delete", request)

    def close(self) -> None:
        if self._process is None:
            return
        with self._process as process:
            process.terminate()
            process.wait()
            with suppress(ProcessLookupError):  # remains if only exit_with_parent was killed
                os.killpg(process.pid, signal.SIGKILL)
            if self._forwarding.is_alive():
                self._forwarding.join()  # reads to the end of the output, which is closed then

    def _call(self, method: str, request: Any) -> Any:
        with self._lock:
            if self._stub is None:
                self._start()
        try:
            return getattr(self._stub, method)(request)
        except grpc.RpcError as error:
            raise _failure(error) from None

    def _start(self) -> None:
        """Start the process in its own session, so that Ctrl-C reaches the engine only, which waits for running steps. It exits with
        the engine, even if that is killed."""
        environment = {**os.environ, "PULUMI_PROJECT": self._project, "PULUMI_CONFIG": "{}"}
        self._process = subprocess.Popen(
            [*EXIT_WITH_PARENT, sys.executable, "-u", "-m", "pulumi.dynamic", self._engine_address],
            cwd=self._folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        port = self._first_number()
        self._forwarding.start()
        channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS)
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        stub.Configure(provider_pb2.ConfigureRequest(args=_wire(self._config)))
        self._stub = stub

    def _first_number(self) -> int:
        """The port: the first line that the process prints. Raises StepFailed if it exits before."""
        printed = []
        for line in self._output():
            if line.strip().isdigit():
                return int(line)
            printed.append(line)
        raise StepFailed(f"the provider process did not start: {''.join(printed).strip() or 'it printed nothing'}")

    def _forward_output(self) -> None:
        for line in self._output():
            self._log(line.rstrip())

    def _output(self) -> Any:
        assert self._process is not None
        return self._process.stdout


def _wire(properties: Properties) -> Any:
    return to_wire(properties, with_secrets=False)


def _failure(error: grpc.RpcError) -> StepFailed:
    if error.code() == grpc.StatusCode.UNAVAILABLE:
        return StepFailed("the provider process died")
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                failed = provider_pb2.ErrorResourceInitFailed()
                if detail.Unpack(failed):
                    outputs, inputs = from_wire(failed.properties), from_wire(failed.inputs)
                    return Incomplete(failed.id, outputs, inputs, list(failed.reasons))
    return StepFailed(str(error.details()).strip())
