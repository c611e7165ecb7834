"""The double of a vendor in this process, with the delays that we believe to be the vendor's: its clock advances by waiting only."""

from harness.inprocess import address, control, new_world
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.world import World

DELAYS = Delays(
    app_visible=3.0,
    app_gone=5.0,
    machine_visible=1.0,
    machine_start=15.0,
    volume_detach=45.0,
    snapshot=20.0,
    check_seconds_cap=60.0,
    postgres_ready=180.0,
    postgres_backup=60.0,
    postgres_gone=30.0,
    group_too_early=30.0,
    membership_shown=60.0,
    profile_too_early=10.0,
    profile_invalid=5.0,
    rate_scale=1.0,
)
"""Estimates, except for those with a source in `infra-docs/vendors/`. A comparison shows which are wrong."""
ORG = "sol-labs"
FLY_ADDRESSES = {
    "main": address("fly"),
    "web": address("fly_platform"),
    "telemetry": address("fly_platform"),
    "registry": address("registry"),
    "hub": address("registry"),
    "hub tokens": address("registry"),
}
PUBLIC_IMAGE = "docker.io/library/python:3.13-alpine"


def world() -> World:
    """New doubles of both vendors, with the public image that the script of Fly uses."""
    made = new_world()
    made.delays = DELAYS
    made.journal.is_kept = False
    control(made, "POST", "/fly/images", {"reference": PUBLIC_IMAGE, "runs": "library/python"})
    return made
