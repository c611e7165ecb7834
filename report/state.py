"""A stack's state as the report reads it: the deployment that `pulumi stack export` prints, without its secrets."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from checklist.known import Known, Observed, SignOffs, kind_of, without_fractions
from project.state import SECRET, SIGNATURE

REDACTED = "[secret]"


class NotAState(Exception):
    """The text is not a deployment; the message says what is expected."""


class Resource(Observed, frozen=True, kw_only=True):
    """One entry of the state."""

    urn: str
    name: str
    custom: bool
    created: datetime | None
    modified: datetime | None
    parent_name: str
    """Name of the component that contains it; empty where none does."""
    dependencies: tuple[str, ...]
    """URNs of its parent and of everything that was created before it because of a dependency."""


@dataclass(frozen=True, kw_only=True)
class StackState:
    """A stack with its resources in the order in which they were created."""

    name: str
    project: str
    outputs: Mapping[str, Any]
    inputs: Mapping[str, Any]
    """What the program hands to a report: label, smokeTest, waivers, declaredBy, simulated."""
    resources: tuple[Resource, ...]
    pending: tuple[str, ...]
    """Operations that were interrupted: `creating fly:Machine solos-backend-machine`."""

    def known(self, now: datetime) -> Known:
        """The input of the checklist."""
        return Known(
            resources=self.resources,
            sign_offs=SignOffs.read(self.inputs.get("smokeTest")),
            label=self.inputs.get("label") or "",
            declared_by=self.inputs.get("declaredBy") or "",
            now=now,
        )

    def all(self, kind: str) -> Iterator[Resource]:
        """The resources of a type, in its short form: `fly:App`."""
        return (resource for resource in self.resources if resource.kind == kind)

    def find(self, kind: str, *, within: str = "") -> Resource | None:
        """The first resource of a type, inside components of the class `within` where that is given."""
        return next((resource for resource in self.all(kind) if not within or within in resource.components), None)


def read(document: Mapping[str, Any]) -> StackState:
    """Parse the output of `pulumi stack export`, the file of a local backend, or a bare deployment. Raises NotAState."""
    kept = document.get("checkpoint")
    deployment = document.get("deployment", document) if kept is None else kept.get("latest") or {"manifest": {}}
    if not isinstance(deployment, Mapping) or "manifest" not in deployment:
        raise NotAState("this is not the state of a stack: give the output of `pulumi stack export --stack NAME`")
    entries = [entry for entry in deployment.get("resources") or [] if not entry.get("delete")]
    root = next((entry for entry in entries if entry["type"] == "pulumi:pulumi:Stack"), None)
    if root is None:
        raise NotAState("the stack is empty: nothing is deployed yet, or everything was destroyed")
    stack, project, *_ = root["urn"].removeprefix("urn:pulumi:").split("::")
    outputs = _plain(root.get("outputs") or {})
    return StackState(
        name=stack,
        project=project,
        outputs=outputs,
        inputs=read_input(outputs.get("reportInput", "")),
        resources=tuple(_resource(entry) for entry in entries if not entry["type"].startswith("pulumi:providers:")),
        pending=tuple(_operation(operation) for operation in deployment.get("pending_operations") or []),
    )


def read_input(text: str) -> Mapping[str, Any]:
    """Parse the stack output `reportInput`."""
    inputs: Mapping[str, Any] = json.loads(text.removeprefix("json ") or "{}")
    return inputs


def _operation(entry: Mapping[str, Any]) -> str:
    *_, types, name = entry["resource"]["urn"].split("::", 3)
    return f"{entry['type']} {kind_of(types.rpartition('$')[2])} {name}"


def _resource(entry: Mapping[str, Any]) -> Resource:
    parent = [entry["parent"]] if entry.get("parent") else []
    *_, types, name = entry["urn"].split("::", 3)
    return Resource(
        urn=entry["urn"],
        kind=kind_of(entry["type"]),
        name=name,
        id=str(entry.get("id", "")),
        components=tuple(type_.rpartition(":")[2] for type_ in types.split("$")[:-1]),
        custom=bool(entry.get("custom")),
        outputs=_plain(entry.get("outputs") or {}),
        created=_time(entry.get("created")),
        modified=_time(entry.get("modified")),
        parent_name=entry["parent"].rpartition("::")[2] if entry.get("parent") else "",
        dependencies=(*parent, *(entry.get("dependencies") or [])),
        errors=tuple(entry.get("initErrors") or ()),
    )


def _plain(value: Any) -> Any:
    """The value without secrets and without the pickled provider that every dynamic resource carries."""
    if isinstance(value, Mapping):
        if SIGNATURE in value:
            return REDACTED if value[SIGNATURE] == SECRET else _plain(value.get("value"))
        return {key: _plain(item) for key, item in value.items() if key != "__provider"}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return without_fractions(value)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
