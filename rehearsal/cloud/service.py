"""Base of an HTTP service of the doubles: routes, and what applies to every call (journal, faults, authentication).

A service is a class whose methods are marked with `@route`. A handler gets the request and the path's variables, and returns a
JSON value, `(value, status, headers)`, or a werkzeug Response. To refuse a call it raises `Refusal`.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from email.utils import formatdate
from typing import Any, ClassVar, TypeVar
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from rehearsal.cloud.context import Context
from rehearsal.cloud.faults import Fault, Hung, Lost
from rehearsal.cloud.journal import redact

Handler = TypeVar("Handler", bound=Callable[..., Any])
BY_MACHINE = "rehearsal.by_machine"
"""WSGI key that marks a request from a machine of the doubles: not made by the program, so not in the journal."""


class Refusal(Exception):
    """A response that a handler raises: `raise Refusal({"error": "…"}, 404)`."""

    def __init__(self, body: Any, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"HTTP {status}")
        self.body = body
        self.status = status
        self.headers = headers or {}


def route(method: str, path: str) -> Callable[[Handler], Handler]:
    """Mark a method as the handler of `method` and `path` (werkzeug's syntax, `/v1/apps/<app>`). May be repeated."""

    def mark(handler: Handler) -> Handler:
        handler.__dict__.setdefault("routes", []).append((method, path))
        return handler

    return mark


@functools.lru_cache(maxsize=64)
def http_date(seconds: int) -> str:
    """A time as the header `Date` has it."""
    return formatdate(seconds, usegmt=True)


class Service:
    """Base of all services; a WSGI application."""

    name: ClassVar[str]
    """`fly`, `fly_platform`, `appstore`, `registry`, `proxy`, …"""
    journaled: ClassVar[bool] = True

    def __init__(self, context: Context) -> None:
        self.context = context
        self.store = context.store

    @classmethod
    @functools.cache
    def matcher(cls) -> Callable[[str, str], tuple[Callable[..., Any], Mapping[str, Any]]]:
        """Finds the handler and the variables of a path and a method; raises an HTTPException."""
        routes = Map(
            [
                Rule(path, methods=[method], endpoint=handler)
                for handler in cls._handlers()
                for method, path in handler.__dict__["routes"]
            ],
            merge_slashes=False,
        )
        return functools.lru_cache(maxsize=1024)(routes.bind("").match)

    @classmethod
    def _handlers(cls) -> list[Callable[..., Any]]:
        members = {name: member for base in reversed(cls.__mro__) for name, member in vars(base).items()}
        return [member for member in members.values() if "routes" in getattr(member, "__dict__", {})]

    # For subclasses to override.

    def admit(self, request: Request) -> None:
        """Authentication and rate limits; raises Refusal to refuse the call."""

    def not_found(self, request: Request) -> Any:
        """The response for a path without a route."""
        return {"error": f"the double does not implement {request.method} {request.path}"}, 501, {}

    def throttled(self, request: Request) -> Any:
        """The response of a rate limit, and of the fault `throttle`."""
        return {"error": "rate limit exceeded"}, 429, {}

    def common_headers(self, request: Request) -> dict[str, str]:
        """Headers of every response."""
        return {}

    def failed(self, request: Request, fault: Fault) -> Any:
        """The response of the faults `refuse` and `refuse_after` without a body."""
        return {"error": "service unavailable"}, fault.status, {}

    # What applies to every call.

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.respond(Request(environ))(environ, start_response)

    def respond(self, request: Request) -> Response:
        """The response to a request, from anywhere. Raises Lost if a fault breaks the connection."""
        journaled = self.journaled and self.context.journal.is_kept and BY_MACHINE not in request.environ
        if journaled:
            request.max_content_length = None
            request.get_data(cache=True)
            self.context.clock.sleep(self.context.delays.response)
        fault = self.context.faults.take(self.name, request.method, request.path)
        response: Response | None = None
        try:
            response = self._respond(request, fault)
        finally:
            if journaled:
                self._write_journal(request, response, fault)
        return response

    def _respond(self, request: Request, fault: Fault | None) -> Response:
        kind = fault.kind if fault else None
        if fault and kind == "hang":
            raise Hung(fault.seconds)
        if kind == "lose_before":
            raise Lost
        if kind == "throttle":
            return self._make_response(request, self.throttled(request))
        if fault and kind == "refuse":
            return self._make_response(request, self._fault_response(request, fault))
        response = self._act(request)
        if kind == "lose_after":
            raise Lost
        if fault and kind == "refuse_after":
            return self._make_response(request, self._fault_response(request, fault))
        return response

    def _fault_response(self, request: Request, fault: Fault) -> Any:
        return self.failed(request, fault) if fault.body is None else (fault.body, fault.status, {})

    def _act(self, request: Request) -> Response:
        try:
            self.admit(request)
            handler, variables = self.matcher()(request.path, request.method)
            return self._make_response(request, handler(self, request, **variables))
        except Refusal as refusal:
            return self._make_response(request, (refusal.body, refusal.status, refusal.headers))
        except (NotFound, MethodNotAllowed):
            return self._make_response(request, self.not_found(request))
        except HTTPException as error:
            return self._make_response(request, ({"error": error.description}, error.code or 400, {}))

    def _make_response(self, request: Request, value: Any) -> Response:
        if isinstance(value, Response):
            response = value
        else:
            body, status, headers = value if isinstance(value, tuple) else (value, 200, {})
            content = b"" if body is None else msgspec.json.encode(body)
            response = Response(content, status, headers, content_type="application/json")
            if status == 204:
                del response.headers["Content-Type"]
        response.headers.extend(self.common_headers(request))
        return response

    def _write_journal(self, request: Request, response: Response | None, fault: Fault | None) -> None:
        sent = request.get_data(cache=True)
        self.context.journal.write(
            {
                "service": self.name,
                "method": request.method,
                "path": request.path,
                "query": request.args.to_dict(),
                "request": redact(sent, request.content_type or ""),
                "status": response.status_code if response else None,
                "response": redact(response.get_data(), response.content_type or "") if response else None,
                "at": self.context.clock.now(),
                "fault": fault.kind if fault else None,
            }
        )
