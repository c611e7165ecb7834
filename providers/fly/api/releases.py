"""Release records, which `fly releases` lists: they show what `pulumi up` deployed.

flyctl writes one before each deployment and puts its id into the machine's metadata
(https://github.com/superfly/flyctl/blob/master/internal/uiex/releases.go). A record is optional: a deployment does not fail
without one, and a token may not be allowed to write it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from providers import engine
from providers.errors import ProviderError
from providers.fly.api.client import Fly
from providers.fly.api.machines import ConfigView


class _Record(msgspec.Struct):
    id: str | int = ""
    version: str | int = ""


class _Answer(_Record):
    """Fly answers the record in an envelope; a bare record is accepted too."""

    release: _Record | None = None


@dataclass(frozen=True)
class Release:
    """A release record; `id` is empty when Fly has no record of the deployment."""

    id: str = ""
    version: str = ""

    @property
    def metadata(self) -> dict[str, str]:
        """What flyctl writes into a machine's metadata."""
        return {"fly_release_id": self.id, "fly_release_version": self.version} if self.id else {}


def of(config: ConfigView) -> Release:
    """The release that a machine's config belongs to."""
    return Release(config.metadata.get("fly_release_id", ""), config.metadata.get("fly_release_version", ""))


def begin(fly: Fly, app: str, image: str, definition: Mapping[str, object]) -> Release:
    """Record that a deployment begins. `definition` is the fly.toml: flyctl takes it as the app's when it finds no file, in
    `fly config save` and in `fly deploy` from another folder."""
    recorded = {**definition, "app": app}
    body = {"app_name": app, "build_id": 0, "strategy": "ROLLING", "definition": recorded, "image": image}
    doing = f"record a release of app {app}"
    try:
        answer = fly.web("POST", "/api/v1/releases", doing=doing, answer=_Answer, body=body)
        record = answer.release or answer
        _mark(fly, str(record.id), "running")
    except ProviderError as error:
        engine.note(f"Fly has no release record of this deployment: {error}")
        return Release()
    return Release(str(record.id), str(record.version))


def end(fly: Fly, release: Release, status: Literal["complete", "failed"]) -> None:
    """Record how the deployment ended."""
    if not release.id:
        return
    try:
        _mark(fly, release.id, status)
    except ProviderError as error:
        engine.note(f"the release record still says running: {error}")


def _mark(fly: Fly, id: str, status: str) -> None:
    doing = f"mark the release as {status}"
    fly.web("PATCH", f"/api/v1/releases/{id}", doing=doing, answer=object, body={"status": status})
