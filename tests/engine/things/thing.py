"""A dynamic resource that is a file, `$THINGS/<id>.json`. Every call is recorded in `$THINGS/calls` as a JSON line."""

import json
import os
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from providers import engine

FOLDER = Path(os.environ.get("THINGS", "."))


class ThingProvider(ResourceProvider):
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        """As our providers do, in their process."""
        if "pulumi.dynamic" in sys.orig_argv:
            engine.exit_with_engine(sys.argv[1])

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        note("check", news)
        failures = [CheckFailure("", "nobody likes beige")] if news.get("colour") == "beige" else []
        return CheckResult(news, failures)

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        note("diff", _news)
        changed = [key for key in ("colour", "shape", "label", "secret") if _olds.get(key) != _news.get(key)]
        return DiffResult(
            changes=bool(changed),
            replaces=sorted({"shape"} & set(changed)),
            delete_before_replace=bool(_news.get("alone")),
        )

    def create(self, props: dict[str, Any]) -> CreateResult:
        note("create", props)
        refuse(props)
        id = f"{props['label']}-{uuid.uuid4().hex[:6]}"
        write(id, props)
        return CreateResult(id, {**without_provider(props), "size": 3, "serial": id.upper()})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        note("read", props)
        try:
            found = json.loads((FOLDER / f"{id_}.json").read_text())
        except FileNotFoundError:
            return ReadResult(None, {})
        inputs = {**without_provider(props), **found}
        return ReadResult(id_, {**inputs, "size": 3, "serial": id_.upper()}, inputs)

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        note("update", _news)
        refuse(_news)
        write(_id, _news)
        return UpdateResult({**without_provider(_news), "size": 3, "serial": _id.upper()})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        note("delete", _props)
        refuse({**_props, "label": f"delete-{_props['label']}"})
        (FOLDER / f"{_id}.json").unlink(missing_ok=True)


def refuse(props: dict[str, Any]) -> None:
    """Fail, sleep, or wait for another resource, if `$THINGS/fail-<label>`, `slow-<label>` or `meet-<label>` exists."""
    slow = FOLDER / f"slow-{props['label']}"
    end = time.monotonic() + (float(slow.read_text()) if slow.exists() else 0.0)
    while slow.exists() and time.monotonic() < end:
        time.sleep(0.05)
    if (FOLDER / f"meet-{props['label']}").exists():
        meet(props["label"], (FOLDER / f"meet-{props['label']}").read_text())
    if (FOLDER / f"fail-{props['label']}").exists():
        raise RuntimeError(f"{props['label']} is out of stock")


def meet(label: str, other: str) -> None:
    """Wait until the other resource is being created too."""
    (FOLDER / f"here-{label}").touch()
    deadline = time.monotonic() + 30
    while not (FOLDER / f"here-{other}").exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{label} did not meet {other}")
        time.sleep(0.05)


def write(id: str, props: dict[str, Any]) -> None:
    (FOLDER / f"{id}.json").write_text(json.dumps({key: props[key] for key in ("colour", "shape", "label")}))


def without_provider(props: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in props.items() if key not in ("__provider", "size", "serial")}


def note(call: str, props: dict[str, Any]) -> None:
    with (FOLDER / "calls").open("a") as calls:
        calls.write(json.dumps([call, props.get("label")]) + "\n")


class Thing(Resource):
    colour: Output[str]
    size: Output[int]
    serial: Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        colour: Input[str],
        shape: Input[str] = "round",
        secret: Input[str] | None = None,
        alone: bool = False,
        opts: ResourceOptions | None = None,
    ) -> None:
        arguments = {"label": resource_name, "colour": colour, "shape": shape, "secret": secret, "alone": alone}
        super().__init__(ThingProvider(), resource_name, {**arguments, "size": None, "serial": None}, opts)
