"""What can help after a rollback that failed: it depends on the cause.

Another region never helps a machine with a volume: a volume stays on its host.
"""

import re

from providers.errors import ProviderError
from providers.fly.api import logs
from providers.fly.api.client import is_without_capacity
from providers.fly.api.config_view import view
from providers.fly.api.machines import Machine
from providers.fly.safe_update import machine_config
from providers.fly.safe_update.verification import MachineRef, Version

DISK_FULL = re.compile(r"no space left on device|disk is full", re.IGNORECASE)
"""How an application or SQLite logs a full volume."""

SAME_IMAGE = "`fly machine update {id} -a {app} --image {image} --yes`"
SAME_CONFIG = "`fly deploy -a {app} --image {image}` with the previous fly.toml"
FULL_VOLUME = (
    "make room on the full volume with `fly volumes extend {volume} -a {app} --size GIGABYTES`, set initial_size in "
    "[mounts] to that size, then {command}"
)
NO_ROOM_WITH_VOLUME = (
    "wait until the host of volume {volume} has room again (another region cannot help: the volume stays on its host), then {command}; "
    "if that takes too long, restore the volume's newest snapshot as for a lost volume (infra-docs/BACKUPS.md)"
)
NO_ROOM = "wait until the region has room again or choose another region, then {command}"
HOST_AWAY = (
    "look at https://status.fly.io and wait for the host; if it stays away, restore the newest snapshot as for a lost volume "
    '(infra-docs/BACKUPS.md, FLY_LOST="{lost}"); when it is back, {command}'
)


def recovery(machine: MachineRef, left: Machine | None, previous: Version, error: ProviderError) -> str:
    """What makes the machine run `previous`, after the rollback to it failed with `error`; `left` is the machine as it is then."""
    volume = view(previous.config).volume_id  # Fly may not know what is mounted on an unreachable host.
    image_only = left and not machine_config.differences(previous.config, left.known_config)
    names = {"id": machine.id, "app": machine.app, "image": previous.config["image"]}
    command = (SAME_IMAGE if image_only else SAME_CONFIG).format(**names)
    if left and left.host_status != "ok":
        text = HOST_AWAY
    elif is_without_capacity(error):
        text = NO_ROOM_WITH_VOLUME if volume else NO_ROOM
    elif volume and any(DISK_FULL.search(line) for line in logs.last_lines(machine.fly, machine.app, machine.id) or ()):
        text = FULL_VOLUME
    else:
        return command
    return text.format(**names, volume=volume, lost=f"{volume} {machine.id}" if volume else machine.id, command=command)
