"""The whole backend as one stack: every resource, in the engine's order."""

import sqlite3
from typing import Any

from harness.driver import DrivenStack
from providers.checks.rollout import RolloutProvider
from providers.fly.app import AppProvider
from providers.fly.image import ImageProvider
from providers.fly.ip_address import IpAddressProvider
from providers.fly.machine import MachineProvider
from providers.fly.machine_record import machine_names
from providers.fly.release_command import ReleaseCommandProvider
from providers.fly.secrets import SecretsProvider
from providers.fly.survey import SurveyProvider
from providers.fly.volume import VolumeProvider
from rehearsal.cloud.store import Document
from rehearsal.cloud.world import World
from tests.fly.conftest import CONFIG

APP = "solos-prod"
HOSTNAME = f"{APP}.fly.dev"
ADDRESSES = ("shared_v4", "v6")
NO = {"policy": "no"}
RELEASES = {"1.0.0": None, "1.0.1": None, "1.0.2": "unhealthy"}
"""Tags of solserver in the registry, and their defect."""


class Backend(DrivenStack):
    strategy = "rolling"

    def up(self, *, tag: str = "1.0.0", secrets: dict[str, str] | None = None, size_gb: int = 1, **env: str) -> None:
        """Deploy the backend; raises what the first failing step raises."""
        config = {**CONFIG, "env": {**CONFIG["env"], **env}}
        if self.strategy == "bluegreen":
            del config["mounts"]
            config["env"]["DATABASE_PATH"] = "/solos.db"
        survey = self.do(
            "survey",
            SurveyProvider,
            app=APP,
            org="sol-labs",
            machines=machine_names("solserver", self.strategy),
            region="sjc",
            volume="solos_data" if "mounts" in config else None,
            addresses=list(ADDRESSES),
        )
        self.do("app", AppProvider, name=APP, org="sol-labs", existed=survey["found_apps"])
        image = self.do("image", ImageProvider, reference=f"registry.fly.io/solserver:{tag}")["pinned"]
        for kind in ADDRESSES:
            self.do(kind, IpAddressProvider, app=APP, type=kind, existed=survey["found_addresses"])
        if "mounts" in config:
            self.do(
                "volume",
                VolumeProvider,
                app=APP,
                name="solos_data",
                region="sjc",
                size_gb=size_gb,
                existed=survey["found_volumes"],
            )
        values = secrets or {"SESSION_KEY": "one"}
        version = self.do("secrets", SecretsProvider, app=APP, values=values, existed=survey["found_secrets"])[
            "version"
        ]
        self.do(
            "machine",
            MachineProvider,
            app=APP,
            name="solserver",
            region="sjc",
            config=config,
            image=image,
            volume_id=self.resources["volume"].id if "mounts" in config else None,
            strategy=self.strategy,
            secrets_version=version,
            hostname=HOSTNAME,
            expect_body=f'"{tag}"',
            healthy_seconds=2.0,
            tag=f"registry.fly.io/solserver:{tag}",
            existed=survey["found_machines"],
        )
        self.do(
            "rollout",
            RolloutProvider,
            app=APP,
            hostname=HOSTNAME,
            expect_body=f'"{tag}"',
            machine_id=self.resources["machine"].outputs["machine_id"],
            instance_id=self.resources["machine"].outputs["instance_id"],
        )
        self.finish()

    def migrate(self, *, tag: str) -> None:
        """Run the release command of the next release, which is what an `up` does before it updates the machine."""
        image = self.do("image", ImageProvider, reference=f"registry.fly.io/solserver:{tag}")["pinned"]
        self.do(
            "release-command",
            ReleaseCommandProvider,
            app=APP,
            region="sjc",
            command="bin/migrate",
            config={
                "init": {"cmd": ["bin/migrate"]},
                "env": {"RELEASE_COMMAND": "1"},
                "auto_destroy": True,
                "restart": NO,
            },
            image=image,
            secrets_version=self.resources["secrets"].outputs["version"],
            release=tag,
            seconds=5.0,
        )


class Stateless(Backend):
    """Without a volume: an update is side by side."""

    strategy = "bluegreen"


def add_note(world: World, text: str) -> None:
    """A user's row in the database."""
    (machine,) = living(world, "fly_machine")
    reply = machines_of(world).runtime.ask(machine["id"], 8080, "POST", "/notes", body=f'{{"text": "{text}"}}'.encode())
    assert reply.status == 201


def machines_of(world: World) -> Any:
    return world.services["fly"].machines  # type: ignore[attr-defined]  # of the double of Fly


def at_fly(world: World) -> dict[str, Any]:
    """The only machine, at the current time."""
    (found,) = world.store.all("fly_machine")
    shown = machines_of(world).find(found["id"])
    assert shown
    return dict(shown)


def living(world: World, kind: str) -> list[Document]:
    """The documents of a kind whose objects still exist."""
    return [
        item
        for item in world.store.all(kind)
        if not item.get("_for_images")
        and item.get("state") != "destroyed"
        and item.get("_deleted_at") is None
        and item.get("_gone_at") is None
    ]


def held(world: World) -> dict[str, Any]:
    """The content of the world without ids and times, to compare worlds.

    Left out is what a fault may leave: a snapshot too many, which nobody can delete, and a release record too many, which failed.
    """
    for machine in world.store.all("fly_machine"):
        machines_of(world).find(machine["id"])
    secrets = {
        item["_app"]: {key: value["value"] for key, value in item["now"].items()}
        for item in living(world, "fly_secrets")
    }
    return {
        "apps": [app["name"] for app in living(world, "fly_app")],
        "addresses": sorted(address["type"] for address in living(world, "fly_ip")),
        "secrets": secrets,
        "volumes": [_volume(world, volume) for volume in living(world, "fly_volume")],
        "open releases": [release["version"] for release in world.store.all("fly_release") if release["in_progress"]],
        "machines": [_machine(world, item) for item in living(world, "fly_machine")],
    }


def _volume(world: World, volume: Document) -> Document:
    machine = world.store.get("fly_machine", volume["attached_machine_id"] or "")
    return {
        **{key: volume[key] for key in ("name", "region", "size_gb", "encrypted", "snapshot_retention")},
        "attached": bool(machine),
        "seen in its size": bool(machine and machine["_since"] >= volume.get("_grown_at", 0.0)),
        "notes": _notes(world, volume["id"]),
    }


def _notes(world: World, volume_id: str) -> list[str]:
    files = list(machines_of(world).disks.volume(volume_id).glob("*.db"))
    if not files:
        return []
    with sqlite3.connect(files[0]) as database:
        rows = database.execute("SELECT text FROM notes ORDER BY id").fetchall()
    database.close()
    return [text for (text,) in rows]


def _machine(world: World, machine: Document) -> Document:
    config = machine["config"]
    metadata = dict(config["metadata"])
    latest = (world.store.get("fly_secrets", machine["_app"]) or {"version": 0})["version"]
    lease = machine["_lease"]
    return {
        **{key: machine[key] for key in ("name", "region", "state", "cordoned", "_secrets")},
        "config": {
            **config,
            "mounts": [{**mount, "volume": "the volume"} for mount in config.get("mounts") or ()],
            "metadata": {
                key: metadata[key] for key in metadata if not key.startswith(("fly_release", "pulumi_secrets"))
            },
        },
        "has the latest secrets": int(metadata["pulumi_secrets_version"]) == latest,
        "checks": [(check["name"], check["status"]) for check in machine["checks"]],
        "leased": bool(lease and lease["expires_at"] > world.clock.now()),
    }
