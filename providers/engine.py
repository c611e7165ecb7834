"""What providers send to the engine beyond `pulumi.dynamic`: progress lines, and objects that are created but incomplete.

The Python SDK supports neither. Both need the current gRPC call, which the SDK's servicer has in its local variables `request` and
`context`. `_current_call` finds it by walking up the stack, and is the only place that relies on this private detail. If there is
no such frame (in a unit test, or with a later SDK), no progress is shown and `record_incomplete` returns False.

Measured with Pulumi 3.260: `ErrorResourceInitFailed` in `grpc-status-details-bin` makes the engine record the object, print the
reasons without a traceback, and call `update` in the next `up` (infra-docs/vendors/pulumi.md).
"""

import functools
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

import msgspec

PROGRESS_SECONDS = 1.0
"""Minimum interval between the progress lines of a resource; those in between are dropped."""
SAME_SECONDS = 10.0
"""The same between lines that say the same, but for the time that is left."""
ACTION_LENGTH = 20
"""Of an action, in characters: a narrow terminal cuts the rest of the line off."""

WATCH_SECONDS = 0.5
REFUSED_TIMES = 2


class Show(Protocol):
    """Shows a status line: `detail`, and the seconds that the action may still take."""

    def __call__(self, detail: str = "", left: float | None = None) -> None: ...


class _Status(msgspec.Struct):
    """The status line of the step that a thread serves."""

    is_shown: bool = False


class _Current(threading.local):
    status: _Status | None = None


_current = _Current()


def progress(action: str) -> Show:
    """Returns a function that shows what the current resource is doing: `waiting for checks: started, 1 of 2 pass (50 s left)`.

    `action` has at most ACTION_LENGTH characters. Call `progress` in the thread that serves the gRPC call; the returned function works
    in any thread.
    """
    call, status = _current_call(), _current.status
    engine_address = sys.argv[1] if call and len(sys.argv) > 1 else ""
    if not engine_address or call is None:
        return lambda detail="", left=None: None
    urn = str(call[0].urn)
    shown, shown_at = "", -SAME_SECONDS

    def show(detail: str = "", left: float | None = None) -> None:
        nonlocal shown, shown_at
        interval = SAME_SECONDS if detail == shown else PROGRESS_SECONDS
        if time.monotonic() - shown_at >= interval:
            shown, shown_at = detail, time.monotonic()
            if status:
                status.is_shown = True
            _log(engine_address, urn, line(action, detail, left))

    return show


def line(action: str, detail: str, left: float | None) -> str:
    """A status line."""
    text = f"{action}: {detail}" if detail else action
    return text if left is None else f"{text} ({_duration(left)} left)"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


@contextmanager
def one_step() -> Iterator[None]:
    """While the current thread serves a step. When it has succeeded, its last status line is cleared: the engine would repeat it
    beside the result."""
    status = _current.status = _Status()
    try:
        yield
        call = _current_call()
        if status.is_shown and call is not None:
            _log(sys.argv[1], str(call[0].urn), "")
    finally:
        _current.status = None


def note(text: str) -> None:
    """Show a permanent message for the current resource: what people need to know after the run."""
    call = _current_call()
    if call is not None and len(sys.argv) > 1:
        _log(sys.argv[1], str(call[0].urn), text, ephemeral=False)


def warn(text: str) -> None:
    """Show a permanent warning for the current resource, also in a preview."""
    call = _current_call()
    if call is not None and len(sys.argv) > 1:
        _log(sys.argv[1], str(call[0].urn), text, ephemeral=False, is_warning=True)


def record_incomplete(id: str, properties: Mapping[str, Any], reasons: Sequence[str]) -> bool:
    """Make the engine treat the exception that the provider is about to raise as "created, but initialisation failed".

    `properties` are the outputs to record, without `__provider`. Returns False if they cannot be sent to the engine.
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


@functools.cache
def exit_with_engine(address: str) -> None:
    """End this process as soon as the engine at `address` (`host:port`) has ended, even by SIGKILL: without it, a provider would
    finish its step, and nobody would record it. A step that is cut off is found again by the next `up`."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        threading.Thread(target=watch, args=(host, int(port), lambda: os._exit(1)), daemon=True).start()


def watch(host: str, port: int, end: Callable[[], object]) -> None:
    """Call `end` when nothing listens at the address any more. The engine closes a connection on which nothing is sent, so a
    connection that breaks is made again; only refused ones count."""
    refused = 0
    while refused < REFUSED_TIMES:
        try:
            with socket.create_connection((host, port), timeout=5.0) as connection:
                refused = 0
                connection.settimeout(None)
                while connection.recv(1024):
                    pass
        except ConnectionRefusedError:
            refused += 1
        except OSError:
            pass
        time.sleep(WATCH_SECONDS)
    end()


def _current_call() -> tuple[Any, Any] | None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if "DynamicResourceProviderServicer" in frame.f_globals and {"request", "context"} <= frame.f_locals.keys():
            return frame.f_locals["request"], frame.f_locals["context"]
        frame = frame.f_back
    return None


def _log(engine_address: str, urn: str, text: str, *, ephemeral: bool = True, is_warning: bool = False) -> None:
    import grpc
    from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

    severity = engine_pb2.WARNING if is_warning else engine_pb2.INFO
    try:
        with grpc.insecure_channel(engine_address) as channel:
            engine_pb2_grpc.EngineStub(channel).Log(
                engine_pb2.LogRequest(severity=severity, urn=urn, message=text, ephemeral=ephemeral), timeout=2
            )
    except grpc.RpcError:
        pass  # A lost progress line must not fail the step.
