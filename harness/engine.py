"""The whole program, the embedded engine, the providers and the doubles in this process: an `up` costs a fraction of a second of CPU.

Program and providers are the real ones, and so is every command of the engine. What is missing is what two more processes add: their
start, gRPC, and output that is not from our providers. Waiting takes no time: the clock is the doubles'.
"""

import asyncio
import base64
import contextlib
import contextvars
import functools
import gc
import io
import json
import runpy
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import dill
import grpc
import httpx
import pulumi
import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic import dynamic as sdk
from pulumi.output import Unknown
from pulumi.runtime.proto.source_pb2 import StackTrace
from pulumi.runtime.stack import run_in_stack

from harness.inprocess import (
    ASC_ISSUER_ID,
    ASC_KEY_ID,
    FLY_TOKEN,
    Doubles,
    asc_private_key,
    copy_of,
    route_to,
)
from harness.program import Stack
from project.state import SECRET, SIGNATURE
from providers import engine as providers_engine
from providers.errors import Incomplete
from providers.properties import encode
from rehearsal.cloud.betterstack import TOKEN as BETTERSTACK_TOKEN
from rehearsal.cloud.world import World
from rehearsal.engine import __main__ as commands
from rehearsal.engine import plugins
from rehearsal.engine.deployment import Deployment
from rehearsal.engine.monitor import Messages, Monitor, Server
from rehearsal.engine.operations import Engine
from rehearsal.engine.plugins import Diff, Plugin, StepFailed
from rehearsal.engine.program import ERROR_WAS_SHOWN, THREADS
from rehearsal.engine.values import UNKNOWN, Properties, Secret

PROVIDER = "__provider"
NO_TRACES = SimpleNamespace(format_exc=str)
"""In place of the module `traceback`."""


class Aborted(grpc.RpcError):  # type: ignore[misc]
    """A call that a servicer has aborted."""

    def __init__(self, status: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self._status, self._details = status, details

    def code(self) -> grpc.StatusCode:
        return self._status

    def details(self) -> str:
        return self._details


class Context:
    """The context of a call."""

    def abort(self, status: grpc.StatusCode, details: str) -> None:
        raise Aborted(status, details)


class Direct:
    """Calls a servicer as its stub does, without gRPC."""

    def __init__(self, servicer: Any) -> None:
        self._servicer = servicer

    def __getattr__(self, method: str) -> Callable[..., Any]:
        call = getattr(self._servicer, method)
        return lambda request, **_: call(request, Context())


class ProvidersInProcess:
    """Our providers, with values as they are on the wire. One operation runs at a time: they share a clock that waiting advances."""

    def __init__(self, config: Properties, project: str, log: Callable[[str, str], None]) -> None:
        self._config = Config(config, project)
        self._log = log
        self._lock = threading.Lock()
        self._current = threading.local()

    def check(self, urn: str, olds: Properties, news: Properties) -> tuple[Properties, list[str]]:
        result = self._provider(news, olds).check(_sent(olds), _sent(news))
        return _received({**result.inputs, PROVIDER: news[PROVIDER]}), [each.reason for each in result.failures]

    def diff(self, urn: str, id: str, old_inputs: Properties, olds: Properties, news: Properties) -> Diff:
        self._current.urn = urn
        with _failing():
            result = self._provider(news, olds).diff(id, _sent(olds), _sent(news))
        return Diff(result.changes, list(result.replaces or ()), bool(result.delete_before_replace))

    def create(self, urn: str, inputs: Properties) -> tuple[str, Properties]:
        with self._operation(urn, inputs) as provider:
            result = provider.create(_sent(inputs))
        return str(result.id), _received({**(result.outs or {}), PROVIDER: inputs[PROVIDER]})

    def update(self, urn: str, id: str, old_inputs: Properties, olds: Properties, news: Properties) -> Properties:
        with self._operation(urn, news) as provider:
            result = provider.update(id, _sent(olds), _sent(news))
        outputs: Properties = _received({**(result.outs or {}), PROVIDER: news[PROVIDER]})
        return outputs

    def read(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> tuple[str, Properties, Properties]:
        with self._operation(urn, outputs) as provider:
            result = provider.read(id, _sent(outputs))
        found = {**(result.inputs or {}), PROVIDER: outputs[PROVIDER]} if result.inputs is not None else inputs
        return result.id or "", _received(found), _received({**(result.outs or {}), PROVIDER: outputs[PROVIDER]})

    def delete(self, urn: str, id: str, inputs: Properties, outputs: Properties) -> None:
        with self._operation(urn, outputs) as provider:
            provider.delete(id, _sent(outputs))

    def close(self) -> None:
        pass

    def note(self, text: str) -> None:
        """Shows a message of the operation that this thread runs."""
        self._log(self._current.urn, text)

    def _provider(self, properties: Properties, before: Properties | None = None) -> Any:
        pickled = properties[PROVIDER]
        if not isinstance(pickled, str) and before:
            pickled = before[PROVIDER]
        provider = dill.loads(base64.b64decode(pickled))  # noqa: S301 (our own)
        provider.configure(ConfigureRequest(self._config))
        return provider

    @contextlib.contextmanager
    def _operation(self, urn: str, properties: Properties) -> Iterator[Any]:
        with self._lock, _failing(properties):
            self._current.urn = urn
            yield self._provider(properties)


@contextlib.contextmanager
def _failing(properties: Properties | None = None) -> Iterator[None]:
    """Convert the errors of providers as the provider process does."""
    try:
        yield
    except Incomplete as incomplete:
        outputs = {**encode(incomplete.state), PROVIDER: (properties or {}).get(PROVIDER)}
        raise plugins.Incomplete(incomplete.id, _received(outputs), {}, list(incomplete.reasons)) from None
    except Exception as error:  # noqa: BLE001 (any error of a provider fails its step)
        raise StepFailed(f"{type(error).__name__}: {error}") from None


def _sent(value: Any) -> Any:
    """Properties as providers get them: without None, numbers as floats, `Unknown` for what only an update can compute."""
    if isinstance(value, dict):
        return {key: _sent(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_sent(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    unknown: Any = Unknown
    return unknown() if isinstance(value, str) and value == UNKNOWN else value


def _received(value: Any) -> Any:
    """Properties as the engine receives them."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return Secret(_received(value["value"]))
        return {key: _received(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_received(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return UNKNOWN if isinstance(value, Unknown) else value


class LocalServer:
    """In place of the engine's port."""

    address = "in-process"

    def __init__(self) -> None:
        self.monitor = Monitor()

    def close(self) -> None:
        pass


class EngineInProcess(Engine):
    """The embedded engine, whose program and providers run in this process."""

    def dynamic_plugin(self, config: Properties, server: Server, log: Callable[[str, str], None]) -> Plugin:
        plugin = ProvidersInProcess(config, self.stack.project, log)
        providers_engine.note = plugin.note  # `run` restores it
        return plugin

    def run_program(self, server: Server, deployment: Deployment, environment: dict[str, str]) -> int:
        program = functools.partial(self._run_program, server, deployment)
        handler = signal.getsignal(signal.SIGINT)  # the program sets its own
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            for switch in ("disable", "freeze"):  # The collector has to run in this process.
                patch.setattr(gc, switch, lambda: None)
            try:
                return contextvars.copy_context().run(program)
            finally:
                signal.signal(signal.SIGINT, handler)

    def _run_program(self, server: Server, deployment: Deployment) -> int:
        runtime = pulumi.runtime
        runtime.set_all_config(runtime.get_config_env(), runtime.get_config_secret_keys_env())
        settings = runtime.Settings(
            monitor=Direct(server.monitor),
            engine=Direct(Messages(lambda: deployment.display)),
            project=self.stack.project,
            stack=self.stack.name,
            parallel=THREADS,
            dry_run=deployment.preview,
            organization="organization",
            root_directory=".",
        )
        runtime.configure(settings)

        def run() -> None:
            runpy.run_path("__main__.py", run_name="__main__")

        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)  # of tasks that nobody awaits after a failed step
        with ThreadPoolExecutor(THREADS) as threads:
            loop.set_default_executor(threads)
            try:
                loop.run_until_complete(run_in_stack(run))
            except pulumi.RunError as error:
                if not deployment.stopped:
                    deployment.display.error("", str(error))
                return ERROR_WAS_SHOWN
            except Exception:
                if not deployment.stopped:
                    raise
                return ERROR_WAS_SHOWN
            finally:
                _close(loop)
        return 0


def _close(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop after its tasks have ended. (`asyncio.Runner` would leave the thread without a loop, which other tests need.)"""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))
    loop.close()


class StackInProcess(Stack):
    """A `Stack` whose commands run in this process, against a world in it."""

    world: World

    @classmethod
    def new(cls, folder: Path, world: World) -> Self:
        """A new project in `folder`, which does not exist yet."""
        credentials = {"FLY_API_TOKEN": FLY_TOKEN, "ASC_KEY_ID": ASC_KEY_ID, "ASC_ISSUER_ID": ASC_ISSUER_ID}
        credentials |= {"ASC_PRIVATE_KEY": asc_private_key(), "BETTERSTACK_API_TOKEN": BETTERSTACK_TOKEN}
        (folder / "world").mkdir(parents=True)
        (folder / "world" / "credentials.json").write_text(json.dumps(credentials))
        world.addresses.update(_addresses(world))
        stack = cls.__new__(cls)
        stack.world = world
        Stack.__init__(stack, folder, world.addresses)
        return stack

    def copy(self, folder: Path) -> Self:
        """A copy with its own state, project and world, in `folder`."""
        for name in ("state", "project", "world"):
            shutil.copytree(self.folder / name, folder / name, symlinks=True)
        world = copy_of(self.world)
        world.addresses.update(self.world.addresses)
        copy = type(self).__new__(type(self))
        copy.world = world
        Stack.__init__(copy, folder, world.addresses)
        return copy

    def command(self, *words: str) -> int:
        """Any command of the engine: `command("state", "unprotect", urn)`. Returns the exit code; the output is in `text`."""
        return self._command(commands.__package__, *words, "--stack", "test")

    def _command(self, *command: str) -> int:
        arguments = command[command.index(commands.__package__) + 1 :]
        printed = io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.chdir(self.project)
            patch.setattr(commands, "Engine", EngineInProcess)
            patch.setattr("rehearsal.engine.operations.Server", LocalServer)
            patch.setattr(providers_engine, "note", providers_engine.note)
            patch.setattr(sdk, "serialize_provider", _serialized)
            # Nothing reads these traces, and in a test the stack is deep: they take a seventh of the time.
            patch.setattr(pulumi.runtime.resource, "_get_stack_trace", StackTrace)
            for module in ("resource", "rpc_manager"):
                patch.setattr(f"pulumi.runtime.{module}.traceback", NO_TRACES)
            route_to(patch, self.world, self.transport())
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                code = commands.main(list(arguments))
        self.text = printed.getvalue()
        return code

    def transport(self) -> httpx.BaseTransport:
        """Leads to the world."""
        return Doubles(self.world)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A call to the control address of the world."""
        with httpx.Client(transport=Doubles(self.world), base_url=self.world.addresses["control"]) as client:
            answer = client.request(method, path, json=body, headers={"Host": "localhost"})  # not of a website
        assert answer.is_success, f"control: {method} {path}: HTTP {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None


@functools.cache
def _by_class(provider: Callable[[], Any]) -> str:
    return str(_serialize(provider()))


_serialize = sdk.serialize_provider


def _serialized(provider: Any) -> str:
    """What the SDK serializes, once per class: our providers have no state."""
    kind: Callable[[], Any] = type(provider)
    return _by_class(kind)


def _addresses(world: World) -> dict[str, str]:
    """Loopback addresses, which the engine accepts; nothing listens there."""
    numbered = {name: f"http://127.9.0.{number}" for number, name in enumerate(world.services, 1)}
    return {**numbered, "control": "http://localhost"}  # The only other name that it admits.
