"""What the providers tell the engine beyond `pulumi.dynamic`: progress lines, and an object that is only half there.

The Python SDK offers neither, so both find the gRPC call that is being served by walking up the stack to the SDK's servicer,
which holds it in its locals `request` and `context`. That private detail is used in `_current_call` and nowhere else; where
it is not found (a unit test, a later SDK) progress is silent and `record_incomplete` answers False.

Measured with Pulumi 3.260: `ErrorResourceInitFailed` in `grpc-status-details-bin` makes the engine keep the object, print its
reasons without a traceback, and call `update` next time (pulumi-engine.md, section 5).
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

PROGRESS_SECONDS = 1.0
"""A second progress line of the same resource is dropped when it comes sooner than this."""


def progress() -> Callable[[str], None]:
    """A function that shows a line at the resource which is being created, updated or deleted right now.

    Take it in the thread that serves the call; the function itself may be used from any thread.
    """
    call = _current_call()
    engine_address = sys.argv[1] if call and len(sys.argv) > 1 else ""
    if not engine_address or call is None:
        return lambda text: None
    urn = str(call[0].urn)
    shown_at = -PROGRESS_SECONDS

    def show(text: str) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= PROGRESS_SECONDS:
            shown_at = time.monotonic()
            _log(engine_address, urn, text)

    return show


def note(text: str) -> None:
    """Show a line that stays, at the resource which is being served: something a person will want to know afterwards."""
    call = _current_call()
    if call is not None and len(sys.argv) > 1:
        _log(sys.argv[1], str(call[0].urn), text, ephemeral=False)


def record_incomplete(id: str, properties: Mapping[str, Any], reasons: Sequence[str]) -> bool:
    """Let the exception that is about to leave the provider mean "exists, but not as it should be".

    `properties` are the outputs to store, without `__provider`. Returns whether the engine was told.
    """
    call = _current_call()
    if call is None:
        return False
    import asyncio

    from google.protobuf import any_pb2
    from google.rpc import status_pb2
    from pulumi.runtime import rpc
    from pulumi.runtime.proto import provider_pb2

    request, context = call
    given = request.news if hasattr(request, "news") else request.properties
    outputs = {**properties, "__provider": rpc.deserialize_properties(given)["__provider"]}
    loop = asyncio.new_event_loop()
    try:
        detail = provider_pb2.ErrorResourceInitFailed(
            id=id, properties=loop.run_until_complete(rpc.serialize_properties(outputs, {})), reasons=reasons
        )
    finally:
        loop.close()
    wrapped = any_pb2.Any()
    wrapped.Pack(detail)
    status = status_pb2.Status(code=2, message="; ".join(reasons), details=[wrapped])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    return True


def _current_call() -> tuple[Any, Any] | None:
    frame = sys._getframe(1)
    while frame is not None:
        if "DynamicResourceProviderServicer" in frame.f_globals and {"request", "context"} <= frame.f_locals.keys():
            return frame.f_locals["request"], frame.f_locals["context"]
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _log(engine_address: str, urn: str, text: str, *, ephemeral: bool = True) -> None:
    import grpc
    from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

    try:
        with grpc.insecure_channel(engine_address) as channel:
            engine_pb2_grpc.EngineStub(channel).Log(
                engine_pb2.LogRequest(severity=engine_pb2.INFO, urn=urn, message=text, ephemeral=ephemeral), timeout=2
            )
    except grpc.RpcError:
        pass  # A progress line is a courtesy: losing one must not fail the step.
