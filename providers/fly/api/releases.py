"""Release records at api.fly.io, so that `fly releases` shows what `pulumi up` deployed.

flyctl writes one before each deployment and names it in the machine's metadata (fly.md, sections 13 and 14.1). A record is a
courtesy to people: a deployment does not fail for the lack of one, and a token may not be allowed to write it.
"""

from dataclasses import dataclass
from typing import Any, Literal

from providers import engine
from providers.errors import ProviderError
from providers.fly.api.client import Fly


@dataclass(frozen=True)
class Release:
    """A release record; `id` is empty when Fly keeps none of this deployment."""

    id: str = ""
    version: str = ""

    @property
    def metadata(self) -> dict[str, str]:
        """What flyctl writes into a machine's metadata."""
        return {"fly_release_id": self.id, "fly_release_version": self.version} if self.id else {}


def of(config: dict[str, Any]) -> Release:
    """The release that a machine's config belongs to."""
    metadata = config.get("metadata") or {}
    return Release(metadata.get("fly_release_id", ""), metadata.get("fly_release_version", ""))


def begin(fly: Fly, app: str, image: str, definition: dict[str, Any]) -> Release:
    """Record that a deployment begins. `definition` is the fly.toml: flyctl takes it for the app's where it has no file, in
    `fly config save` and `fly deploy` from another folder."""
    recorded = {**definition, "app": app}
    body = {"app_name": app, "build_id": 0, "strategy": "ROLLING", "definition": recorded, "image": image}
    try:
        answer = fly.web("POST", "/releases", doing=f"record a release of {app!r}", body=body)
        release = Release(str(answer["id"]), str(answer["version"]))
        fly.web("PATCH", f"/releases/{release.id}", doing="mark the release as running", body={"status": "running"})
    except (ProviderError, KeyError, TypeError) as error:
        engine.note(f"Fly keeps no release record of this deployment: {error}")
        return Release()
    return release


def end(fly: Fly, release: Release, status: Literal["complete", "failed"]) -> None:
    """Record how the deployment ended."""
    if not release.id:
        return
    try:
        fly.web("PATCH", f"/releases/{release.id}", doing=f"mark the release as {status}", body={"status": status})
    except ProviderError as error:
        engine.note(f"the release record still says running: {error}")
