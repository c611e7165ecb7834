"""The double of App Store Connect."""

from typing import TYPE_CHECKING

from rehearsal.cloud.service import Service

if TYPE_CHECKING:
    from rehearsal.cloud.world import World


def appstore_services(world: "World") -> list[Service]:
    """The services that make up App Store Connect: the API, and the storage that takes the parts of an upload."""
    return []
