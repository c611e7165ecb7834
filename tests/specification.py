"""The vendors' own API descriptions, and what is wrong with a call by them. They are no part of the repository.

    spec = load("fly-machines.json")                  skips the test where `../shared/specs` is not there
    spec.problems(request, response)                  sentences: path, query, body, status and response that do not fit
    with checking("appstore.test", spec) as found:    holds every call to a double against it, whoever makes it
    unexplained(found, deviations)                    those that are no known deviation of the vendor's wire

Objects are closed: a property that is not described is a problem, on either side. Deviations are regular expressions, each with
the reason why the wire is right and the description is not.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from harness.inprocess import Doubles

DOCUMENT = "urn:description"


def load(name: str) -> "Specification":
    """The description of that name; skips the test, saying why, where it is not there."""
    found = find(name)
    if found is None:
        pytest.skip(f"NOT CHECKED against the vendor's description: there is no ../shared/specs/{name}")
    return found


@functools.cache
def find(name: str) -> "Specification | None":
    """As `load`; None where it is not there. A worktree may lie deeper than the repository itself."""
    places = (parent / "shared" / "specs" / name for parent in Path(__file__).parent.parent.parents)
    place = next((place for place in places if place.exists()), None)
    return Specification(json.loads(place.read_text(encoding="utf-8"))) if place else None


class Specification:
    """An OpenAPI 3.0 document."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = _closed(document)
        self._registry: Registry[Any] = Registry().with_resource(
            DOCUMENT, Resource.from_contents(self._document, default_specification=DRAFT202012)
        )
        self._paths = {path: re.compile(re.sub(r"\{\w+\}", "[^/]+", path)) for path in self._document["paths"]}

    @property
    def operations(self) -> set[str]:
        """All of them: `GET /v1/builds/{id}`."""
        methods = ("get", "post", "patch", "put", "delete")
        paths = self._document["paths"].items()
        return {f"{method.upper()} {path}" for path, operations in paths for method in methods if method in operations}

    def problems(self, request: httpx.Request, response: httpx.Response) -> Iterable[str]:
        """What does not fit, each beginning with `METHOD /path/{id}`."""
        method, place = request.method.lower(), request.url.path
        path = next((path for path, pattern in self._paths.items() if pattern.fullmatch(place)), None)
        operation = self._document["paths"].get(path, {}).get(method)
        called = f"{request.method} {path or place}"
        if operation is None:
            yield f"{called}: no such operation"
            return
        at = f"paths/{(path or '').replace('~', '~0').replace('/', '~1')}/{method}"
        yield from (f"{called}: {problem}" for problem in self._query(request, operation))
        body = _json(request.read())
        if body is None and not operation.get("requestBody", {}).get("required"):
            pass
        elif "requestBody" in operation:
            yield from self._against(f"{at}/requestBody", body, f"{called}: the request")
        else:
            yield f"{called}: the request has a body"
        if response.status_code >= 500:
            return
        if str(response.status_code) not in operation["responses"]:
            yield f"{called}: HTTP {response.status_code} is not described"
            return
        body = _json(response.read())
        described = operation["responses"][str(response.status_code)].get("content", {})
        if "schema" in described.get("application/json", {}):
            yield from self._against(f"{at}/responses/{response.status_code}", body, f"{called}: the response")
        elif body is not None:
            yield f"{called}: the response {response.status_code} has a body"

    def _query(self, request: httpx.Request, operation: dict[str, Any]) -> Iterable[str]:
        described = {item["name"]: item for item in operation.get("parameters", ()) if item["in"] == "query"}
        for name, value in request.url.params.multi_items():
            if name not in described:
                if name != "cursor":  # comes with `links.next`
                    yield f"the parameter {name} is not described"
                continue
            schema = described[name]["schema"]
            values = value.split(",") if schema.get("type") == "array" else [value]
            allowed = schema.get("items", schema).get("enum")
            yield from (f"{name}={item} is not described" for item in values if allowed and item not in allowed)
        for name, parameter in described.items():
            if parameter.get("required") and name not in request.url.params:
                yield f"the parameter {name} is missing"

    def _against(self, at: str, body: Any, what: str) -> Iterable[str]:
        validator = Draft202012Validator(
            {"$ref": f"{DOCUMENT}#/{at}/content/application~1json/schema"}, registry=self._registry
        )
        for error in validator.iter_errors(body):
            for cause in _causes(error):
                yield f"{what}{cause.json_path.removeprefix('$')}: {cause.message[:300]}"


@contextmanager
def checking(host: str, specification: Specification) -> Iterator[set[str]]:
    """Collects what is wrong with all calls to `host`, made through whichever `Doubles`, as long as the block runs."""
    found: set[str] = set()
    plain = Doubles.handle_request

    def watched(self: Doubles, request: httpx.Request) -> httpx.Response:
        response = plain(self, request)
        if request.url.host == host:
            response.read()
            found.update(specification.problems(request, response))
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Doubles, "handle_request", watched)
        yield found


@contextmanager
def conforming(host: str, name: str, deviations: Mapping[str, str], *, requests: bool = True) -> Iterator[None]:
    """Fails at its end for what is wrong with the calls to `host`; does nothing where there is no such description. Without
    `requests` the caller may be wrong, but not the double."""
    described = find(name)
    if described is None:
        yield
        return
    with checking(host, described) as found:
        yield
    assert unexplained((problem for problem in found if requests or ": the response" in problem), deviations) == []


def unexplained(problems: Iterable[str], deviations: Mapping[str, str]) -> list[str]:
    return sorted(problem for problem in problems if not any(re.search(pattern, problem) for pattern in deviations))


def _closed(schema: Any) -> Any:
    """The document in JSON Schema's terms: objects without properties of their own choice, `null` where it is allowed."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if list(schema.get("allOf", ())) and len(schema["allOf"]) == 1:
        return _closed({**{key: value for key, value in schema.items() if key != "allOf"}, **schema["allOf"][0]})
    closed = {key: _closed(value) for key, value in schema.items() if key != "example"}
    if closed.get("type") == "object" and isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    if closed.pop("nullable", False) is True and isinstance(closed.get("type"), str):
        closed["type"] = [closed["type"], "null"]
        if "enum" in closed:
            closed["enum"] = [*closed["enum"], None]
    return closed


def _causes(error: ValidationError) -> Iterable[ValidationError]:
    """Of an object that may be one of several, what is wrong with the one whose `type` it has."""
    kinds: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        kinds.setdefault(inner.schema_path[0], []).append(inner)
    for errors in kinds.values():
        if not any(inner.path and inner.path[-1] == "type" for inner in errors):
            return [cause for inner in errors for cause in _causes(inner)]
    return [error]


def _json(content: bytes) -> Any:
    return json.loads(content) if content else None
