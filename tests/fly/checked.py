"""The checks of a running backend as one stack: restore drills, the monitor's sources and alerts, and the record of the launch.

The programs that they start in the machine are shell scripts here, because each journey starts them hundreds of times. The real ones
run in `tests/checks` and in the rehearsal.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import pytest

from providers.checks.alert_drill import AlertDrillProvider
from providers.checks.launch_record import LaunchRecordProvider
from providers.checks.replica_drill import ReplicaDrillProvider
from providers.checks.restore_drill import RestoreDrillProvider
from providers.checks.watch import WatchProvider
from providers.fly.image import ImageProvider
from rehearsal.cloud.fly import commands
from rehearsal.cloud.world import World
from tests.fly.alertmanager import alertmanager, alerts_of
from tests.fly.backend import APP, HOSTNAME, Backend, held

DRILL = "AppDrill"
DATABASE = "/data/solos.db"
PROGRAMS = Path(__file__).with_name("programs")


class Checked(Backend):
    def restore(self) -> None:
        """The restore drill of the volume."""
        python = self.do("python", ImageProvider, reference="docker.io/library/python:3.13-alpine")
        with programs():
            self.do(
                "restore drill",
                RestoreDrillProvider,
                app=APP,
                machine_id=self.resources["machine"].id,
                volume_id=self.resources["volume"].id,
                region="sjc",
                image=python["pinned"],
                mount="/data",
                database=DATABASE,
                release="1.0.0",
            )

    def check(self) -> None:
        """The checks that create nothing at Fly."""
        machine = self.resources["machine"].id
        with programs():
            self.do(
                "replica drill",
                ReplicaDrillProvider,
                app=APP,
                machine_id=machine,
                database=DATABASE,
                release="1.0.0",
            )
            self.do(
                "watch",
                WatchProvider,
                app=APP,
                machine_id=machine,
                hostname=HOSTNAME,
                sources=["health", "logs"],
                rules={"Down": ["up"]},
                revision="1.0.0",
            )
        self.do(
            "launch",
            LaunchRecordProvider,
            label="v0",
            declared_by="Mara Lindqvist",
            hostname=HOSTNAME,
            org="sol-labs",
            app=APP,
            machine_id=machine,
            verified_at=self.resources["rollout"].outputs["verified_at"],
        )


@dataclass
class Monitored(Backend):
    """Its machine is that of Alertmanager too."""

    world: World = field(repr=False, kw_only=True)

    def drill(self) -> None:
        """The alert drill."""
        with alertmanager(self.world):
            self.do(
                "alert drill",
                AlertDrillProvider,
                app=APP,
                machine_id=self.resources["machine"].id,
                watched=APP,
                alert=DRILL,
                route="1",
            )

    def copy(self, world: World) -> Self:
        return replace(super().copy(world), world=world)


def alerts_held(world: World) -> dict[str, Any]:
    return {**held(world), "alerts": alerts_of(world)}


@contextmanager
def programs() -> Iterator[None]:
    """Machines have the scripts in PROGRAMS in place of the programs with these names."""
    with pytest.MonkeyPatch.context() as patch:
        for script in PROGRAMS.iterdir():
            patch.setitem(commands.PROGRAMS_HERE, script.name, str(script))
        yield
