"""The engine's gRPC services for the program and the provider process, on one loopback port."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2

from rehearsal.engine.deployment import Deployment, Goal, Stopped
from rehearsal.engine.display import Display
from rehearsal.engine.protocol import OPTIONS, engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc
from rehearsal.engine.values import from_wire, to_wire

PARALLEL_REGISTRATIONS = 64
FEATURES = (resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS, resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH)
STOPPED = (grpc.StatusCode.UNAVAILABLE, "the run has been stopped")
"""Without further features the SDK sends plain values, and aliases as URNs."""


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Passes registrations to the current deployment."""

    deployment: Deployment

    def GetDeploymentInfo(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        stack = self.deployment.stack
        return resource_pb2.DeploymentInfo(
            project=stack.project,
            stack=stack.name,
            organization="organization",
            config=stack.config,
            configSecretKeys=sorted(stack.secret_keys),
            dryRun=self.deployment.preview,
            supportedFeatures=FEATURES,
        )

    def RegisterResource(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        unsupported = _unsupported(request)
        if unsupported:
            self.deployment.fail("", f"the embedded engine does not serve {unsupported}: install the Pulumi CLI for it")
        try:
            entry = self.deployment.register(_goal(request))
        except Stopped:
            context.abort(*STOPPED)
        return resource_pb2.RegisterResourceResponse(
            urn=entry.urn,
            id=entry.id,
            unknown=entry.is_unknown,
            object=to_wire(entry.outputs if entry.custom else entry.inputs, with_secrets=request.acceptSecrets),
        )

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        try:
            self.deployment.register_outputs(request.urn, from_wire(request.outputs))
        except Stopped:
            context.abort(*STOPPED)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        """The program has registered all resources."""
        self.deployment.delete_leftovers()
        return empty_pb2.Empty()


class Messages(engine_pb2_grpc.EngineServicer):
    """Shows messages of the program and the providers."""

    def __init__(self, display: Callable[[], Display]) -> None:
        self._display = display
        self._root = ""

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        display = self._display()
        if request.severity != engine_pb2.ERROR:
            if request.severity != engine_pb2.DEBUG and request.message:
                warning = "warning: " if request.severity == engine_pb2.WARNING else ""
                display.log(request.urn, warning + request.message)
        elif not display.program_is_ending:
            display.error(request.urn, request.message)
        return empty_pb2.Empty()

    def GetRootResource(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        return engine_pb2.GetRootResourceResponse(urn=self._root)

    def SetRootResource(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        self._root = request.urn
        return engine_pb2.SetRootResourceResponse()


class Server:
    """Serves both until `close`."""

    def __init__(self) -> None:
        self.monitor = Monitor()
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(PARALLEL_REGISTRATIONS), options=OPTIONS)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(self.monitor, self._server)
        engine_pb2_grpc.add_EngineServicer_to_server(Messages(lambda: self.monitor.deployment.display), self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def close(self) -> None:
        self._server.stop(None)


def _unsupported(request: Any) -> str:
    wanted = {
        "remote components": request.remote,
        "explicit providers": request.provider or request.type.startswith("pulumi:providers:"),
        "the option import_": request.importId,
        "transforms": request.transforms,
        "hooks": any(field.name != "" for field, _ in request.hooks.ListFields()),
    }
    return ", ".join(name for name, is_wanted in wanted.items() if is_wanted)


def _goal(request: Any) -> Goal:
    return Goal(
        type=request.type,
        name=request.name,
        parent=request.parent,
        custom=request.custom,
        inputs=from_wire(request.object),
        version=request.version,
        dependencies=list(request.dependencies),
        property_dependencies={key: list(value.urns) for key, value in request.propertyDependencies.items()},
        additional_secret_outputs=list(request.additionalSecretOutputs),
        protect=request.protect,
        retain_on_delete=request.retainOnDelete,
        deleted_with=request.deletedWith,
        ignore_changes=list(request.ignoreChanges),
        delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        aliases=list(request.aliasURNs),
    )
