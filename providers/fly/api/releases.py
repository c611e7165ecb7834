"""Release records, which `fly releases` lists: they show what `pulumi up` deployed.

flyctl writes one before each deployment and puts its id into the machine's metadata
(https://github.com/superfly/flyctl/blob/master/internal/uiex/releases.go). A record is optional: a deployment does not fail
without one, and a token may not be allowed to write it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import msgspec

from providers import engine, waiting
from providers.creation import create_idempotent
from providers.errors import ProviderError
from providers.fly.api.client import Fly, FlyError, Forbidden, NotFound
from providers.fly.api.config_view import ConfigView

UNFINISHED = frozenset({"pending", "running"})
END_SECONDS = 10.0
LISTED = 10
"""How many of the newest records are searched for unfinished ones."""


class Record(msgspec.Struct):
    id: str | int
    version: str | int = ""
    status: str = ""


class Created(msgspec.Struct):
    release: Record


class _Listed(msgspec.Struct):
    releases: list[Record]
    """Newest first."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a record says besides the image."""

    definition: Mapping[str, object] = msgspec.field(default_factory=dict)
    """The fly.toml: flyctl takes it as the app's when it finds no file, in `fly config save` and in `fly deploy` from another
    folder."""
    tag: str = ""
    """The image as `registry/repository:tag`, for when Fly does not find it by its digest."""
    strategy: str = "rolling"


class Release(msgspec.Struct, frozen=True):
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


class Recording(msgspec.Struct):
    release: Release
    open_id: str = ""
    """See `end`."""


@contextmanager
def recorded(fly: Fly, app: str, image: str, draft: Draft | None) -> Iterator[Recording]:
    """Record the deployment inside the block: as complete, or as failed when it raises. No record without a draft."""
    recording = Recording(begin(fly, app, image, draft) if draft else Release())
    try:
        yield recording
    except ProviderError:
        end(fly, recording.release, "failed")
        raise
    recording.open_id = end(fly, recording.release, "complete")


def begin(fly: Fly, app: str, image: str, draft: Draft) -> Release:
    """Record that a deployment begins, and that those which a killed run has left unfinished have failed."""
    try:
        for left in _unfinished(fly, app):
            _mark(fly, str(left.id), "failed")
        record = _create(fly, app, image, draft)
    except ProviderError as error:
        engine.note(f"Fly has no release record of this deployment: {error}")
        return Release()
    try:
        _mark(fly, str(record.id), "running")
    except ProviderError as error:
        engine.note(f"the release record still says pending: {error}")
    return Release(str(record.id), str(record.version))


def end(fly: Fly, release: Release, status: Literal["complete", "failed"]) -> str:
    """Record how the deployment ended. Returns the id of a record that is left open because Fly does not respond.

    A refusal is retried for END_SECONDS; after that, and if the record is gone, only the next deployment can end it.
    """
    if not release.id:
        return ""
    deadline = waiting.clock.now() + END_SECONDS

    def ended() -> str | None:
        try:
            _mark(fly, release.id, status)
        except FlyError as error:
            if not isinstance(error, NotFound | Forbidden) and waiting.clock.now() < deadline:
                return None
            engine.note(f"the release record still says running: {error}")
        except ProviderError as error:
            engine.note(f"the release record still says running, the next `pulumi up` ends it: {error}")
            return release.id
        return ""

    return waiting.poll(ended, seconds=2 * END_SECONDS, waiting_for="the end of the release record", first_pause=1.0)


def _create(fly: Fly, app: str, image: str, draft: Draft) -> Record:
    """The new record. Fly looks the image up, and may not find it by its digest."""

    def create(reference: str) -> Record:
        body = {
            "app_name": app,
            "build_id": 0,
            "strategy": draft.strategy.upper(),
            "definition": {**draft.definition, "app": app},
            "image": reference,
        }
        doing = f"record a release of app {app}"
        # All earlier records are finished, so after a lost response the unfinished one is ours.
        return create_idempotent(
            lambda: fly.web("POST", "/api/v1/releases", doing=doing, shape=Created, body=body).release,
            lambda: next(iter(_unfinished(fly, app)), None),
            what=f"the release record of app {app}",
        )

    try:
        return create(image)
    except NotFound:
        if not draft.tag:
            raise
        return create(draft.tag)


def _unfinished(fly: Fly, app: str) -> list[Record]:
    path, doing = f"/api/v1/apps/{app}/releases", f"list the releases of app {app}"
    response = fly.web("GET", path, doing=doing, shape=_Listed, params={"limit": LISTED})
    return [record for record in response.releases if record.status in UNFINISHED]


def _mark(fly: Fly, id: str, status: str) -> None:
    doing = f"mark the release as {status}"
    fly.web("PATCH", f"/api/v1/releases/{id}", doing=doing, shape=object, body={"status": status}, safe=True)
