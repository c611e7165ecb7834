"""A stack's state as the report reads it: the deployment that `pulumi stack export` prints, secrets already struck out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

SIGNATURE = "4dabf18193072939515e22adb298388d"
"""The key by which the engine marks values that are no plain JSON: secrets, outputs, assets."""
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 (the engine's mark, not a password)
STRUCK_OUT = "[secret]"


class NotAState(Exception):
    """The text is no deployment; the message says what it should be."""


@dataclass(frozen=True)
class Resource:
    """One entry of the state. `kind` is the type as people read it: `fly:App`, `random:RandomPet`."""

    urn: str
    kind: str
    name: str
    id: str
    custom: bool
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    created: datetime | None
    modified: datetime | None
    after: tuple[str, ...]
    """URNs of what had to stand before this one could be made."""
    errors: tuple[str, ...]
    """Why the object is not as it should be; empty for a sound one."""


@dataclass(frozen=True)
class Stack:
    """A stack with everything in it, in the order in which it was made."""

    name: str
    project: str
    outputs: dict[str, Any]
    resources: tuple[Resource, ...]
    unfinished: tuple[str, ...]
    """What was being done when the engine died: `creating urn:…`."""

    def part(self, component: str) -> "Stack":
        """The stack with nothing but what is inside components of that type, `solos:Backend`."""
        return replace(self, resources=tuple(each for each in self.resources if f"{component}$" in each.urn))

    def all(self, kind: str) -> Iterator[Resource]:
        return (resource for resource in self.resources if resource.kind == kind)

    def find(self, kind: str, name: str | None = None) -> Resource | None:
        """The first of its kind, or of its kind and name."""
        return next((resource for resource in self.all(kind) if name in (None, resource.name)), None)


def read(document: Mapping[str, Any]) -> Stack:
    """The stack in what `pulumi stack export` prints, in the file that a backend keeps, or in a bare deployment. Raises
    NotAState."""
    kept = document.get("checkpoint")
    deployment = document.get("deployment", document) if kept is None else kept.get("latest") or {"manifest": {}}
    if not isinstance(deployment, Mapping) or "manifest" not in deployment:
        raise NotAState("this is no stack: give the output of `pulumi stack export --stack NAME`")
    entries = [entry for entry in deployment.get("resources") or [] if not entry.get("delete")]
    root = next((entry for entry in entries if entry["type"] == "pulumi:pulumi:Stack"), None)
    if root is None:
        raise NotAState("the stack is empty: nothing was deployed yet, or all of it was destroyed")
    stack, project, *_ = root["urn"].removeprefix("urn:pulumi:").split("::")
    return Stack(
        name=stack,
        project=project,
        outputs=_plain(root.get("outputs") or {}),
        resources=tuple(_resource(entry) for entry in entries if not entry["type"].startswith("pulumi:providers:")),
        unfinished=tuple(
            f"{operation['type']} {operation['resource']['urn']}"
            for operation in deployment.get("pending_operations") or []
        ),
    )


def _resource(entry: Mapping[str, Any]) -> Resource:
    parent = [entry["parent"]] if entry.get("parent") else []
    return Resource(
        urn=entry["urn"],
        kind=_kind(entry["type"]),
        name=entry["urn"].rsplit("::", 1)[1],
        id=str(entry.get("id", "")),
        custom=bool(entry.get("custom")),
        inputs=_plain(entry.get("inputs") or {}),
        outputs=_plain(entry.get("outputs") or {}),
        created=_time(entry.get("created")),
        modified=_time(entry.get("modified")),
        after=(*parent, *(entry.get("dependencies") or [])),
        errors=tuple(entry.get("initErrors") or ()),
    )


def _kind(type_: str) -> str:
    """`pulumi-python:dynamic/fly:App` is read as `fly:App`, `random:index/randomPet:RandomPet` as `random:RandomPet`."""
    package, _, rest = type_.partition(":")
    module, _, name = rest.rpartition(":")  # A component's type may have two parts only.
    if package == "pulumi-python":
        return f"{module.removeprefix('dynamic/')}:{name}"
    return f"{package}:{name}"


def _plain(value: Any) -> Any:
    """The value without secrets and without the pickled provider that every dynamic resource carries."""
    if isinstance(value, Mapping):
        if SIGNATURE in value:
            return STRUCK_OUT if value[SIGNATURE] == SECRET else _plain(value.get("value"))
        return {key: _plain(item) for key, item in value.items() if key != "__provider"}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
