"""A restore that was really done: a snapshot of the volume, a second volume made from it, and the database opened there.

A small machine of a public Python image mounts the restored volume, checks the integrity of the SQLite file and counts the rows
of each table; then machine and volume are deleted. The app itself is not started on it: a second server with the production
secrets would send what servers send. Nothing stays but the evidence and the snapshot. It is done again when `release` changes.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from pulumi import Output

from providers import engine, waiting
from providers.errors import ProviderError
from providers.fly.api import execution, machines, volumes
from providers.fly.machine import MachineArgs, MachineProvider
from providers.fly.provider import FlyProvider
from providers.fly.volume import VolumeArgs, VolumeProvider
from providers.properties import REPLACES
from providers.record import Input, field, record
from providers.resource import Resource

VOLUME, MACHINE = "restore_drill", "restore-drill"
LEFTOVER_SECONDS = 3600
"""After which a drill machine deletes itself, should the program die in the middle."""
COUNT = """
import json, sqlite3, sys
database = sqlite3.connect("file:" + sys.argv[1] + "?mode=rw", uri=True)
(integrity,) = database.execute("PRAGMA integrity_check(1)").fetchone()
tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
rows = {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in tables.fetchall()}
print(json.dumps({"integrity": integrity, "rows": rows}))
"""
"""mode=rw: a snapshot is crash-consistent, so opening it may have to finish what its WAL holds; but it makes no new file."""


@record
class RestoreDrillArgs:
    app: Annotated[Input[str], REPLACES]
    volume_id: Annotated[Input[str], REPLACES]
    region: Annotated[Input[str], REPLACES]
    image: Input[str]
    """Of Python, by digest. Ignored once the drill was done."""
    mount: Input[str]
    """Where the app mounts the volume, and the drill too."""
    database: Input[str]
    """Path of the SQLite file."""
    release: Input[str]
    """Changes when the drill is to be done again: what runs, say."""


@record
class RestoreDrillState(RestoreDrillArgs):
    snapshot_id: str = ""
    snapshot_bytes: int = 0
    restored_at: str = ""
    """RFC 3339, in UTC."""
    seconds: float = 0.0
    """From the order of the snapshot to the count of its rows: what a restore takes."""
    rows: dict[str, int] = field(default_factory=dict)
    """By table."""


class NotRestorable(ProviderError):
    """The database did not come back as it should; the text says what was found."""

    __module__ = "builtins"


class RestoreDrillProvider(FlyProvider[RestoreDrillArgs, RestoreDrillState]):
    Args = RestoreDrillArgs
    State = RestoreDrillState

    def validate(self, args: RestoreDrillArgs, old: RestoreDrillArgs | None) -> Iterable[str]:
        if not args.database.startswith(f"{args.mount.rstrip('/')}/"):
            yield f"the database {args.database} is not below {args.mount}, where the volume is mounted"

    def changed_fields(self, state: RestoreDrillState, args: RestoreDrillArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if name != "image"]

    def ensure(self, args: RestoreDrillArgs) -> tuple[str, RestoreDrillState]:
        return f"{args.app}/{args.volume_id}", self._drill(args)

    def observe(self, id: str, state: RestoreDrillState) -> RestoreDrillState:
        """The evidence stays what it was."""
        return state

    def sync(self, id: str, state: RestoreDrillState, args: RestoreDrillArgs) -> RestoreDrillState:
        return self._drill(args)

    def remove(self, id: str, state: RestoreDrillState) -> None:
        """Delete what a drill that died has left."""
        self._clear(state)

    def _drill(self, args: RestoreDrillArgs) -> RestoreDrillState:
        started_at, progress = waiting.clock.now(), engine.progress()
        self._clear(args)
        source = volumes.find(self.fly, args.app, args.volume_id)
        if source is None:
            raise NotRestorable(
                f"the volume {args.volume_id} of {args.app!r} is gone: there is nothing to take a snapshot of"
            )
        snapshot = volumes.take_snapshot(self.fly, args.app, args.volume_id, progress=progress)
        progress(f"restoring {snapshot['id']} to a volume of its own")
        restored, _ = self._volumes.ensure(
            VolumeArgs(
                app=args.app,
                name=VOLUME,
                region=args.region,
                size_gb=source["size_gb"],
                snapshot_retention=1,
                scheduled_snapshots=False,
                from_snapshot=snapshot["id"],
            )
        )
        machine, _ = self._machines.ensure(
            MachineArgs(
                app=args.app,
                name=MACHINE,
                region=args.region,
                image=args.image,
                volume_id=restored,
                config=_config(args),
            )
        )
        found = self._count(args, machine)
        self._discard(args, [machine], [restored])
        if found["integrity"] != "ok":
            raise NotRestorable(
                f"the snapshot {snapshot['id']} of {args.volume_id} came back damaged: {found['integrity'][:200]}; "
                "look at the live database, and do not deploy before a snapshot comes back whole"
            )
        return RestoreDrillState(
            **vars(args),
            snapshot_id=snapshot["id"],
            snapshot_bytes=int(snapshot.get("size") or 0),
            restored_at=datetime.fromtimestamp(waiting.clock.wall(), UTC).isoformat(timespec="seconds"),
            seconds=round(waiting.clock.now() - started_at, 1),
            rows=found["rows"],
        )

    def _count(self, args: RestoreDrillArgs, machine_id: str) -> dict[str, Any]:
        """`{"integrity": "ok", "rows": {table: number}}`; of a file that SQLite cannot read, what it says of it."""
        command = ["python3", "-c", COUNT, args.database]
        try:
            found: dict[str, Any] = json.loads(execution.execute(self.fly, args.app, machine_id, command))
        except execution.CommandFailed as failed:
            return {"integrity": str(failed), "rows": {}}
        return found

    def _clear(self, args: RestoreDrillArgs) -> None:
        """Delete what a drill that died has left."""
        left = [each["id"] for each in machines.living(self.fly, args.app) if each["name"] == MACHINE]
        self._discard(args, left, [each["id"] for each in volumes.living(self.fly, args.app, VOLUME, args.region)])

    def _discard(self, args: RestoreDrillArgs, machine_ids: Iterable[str], volume_ids: Iterable[str]) -> None:
        """The machine only sleeps and has nothing to finish, so it is killed."""
        for id in machine_ids:
            machines.destroy(self.fly, args.app, id, at_once=True)
        for id in volume_ids:
            self._volumes.remove(id, VolumeProvider.State(app=args.app, name=VOLUME, region=args.region))

    @property
    def _volumes(self) -> VolumeProvider:
        provider = VolumeProvider()
        provider.config = self.config
        return provider

    @property
    def _machines(self) -> MachineProvider:
        provider = MachineProvider()
        provider.config = self.config
        return provider


def _config(args: RestoreDrillArgs) -> dict[str, Any]:
    return {
        "init": {"cmd": ["sleep", str(LEFTOVER_SECONDS)]},
        "auto_destroy": True,
        "restart": {"policy": "no"},
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
        "mounts": [{"path": args.mount, "name": VOLUME}],
    }


class RestoreDrill(Resource[RestoreDrillArgs], module="checks", name="RestoreDrill"):
    """Evidence that the volume's database comes back from a snapshot; its id is `<app>/<volume>`.

    app, volume_id, region: replaces. release, mount, database: the drill is done again. image: create-only.
    """

    provider = RestoreDrillProvider

    snapshot_id: Output[str]
    restored_at: Output[str]
    rows: Output[dict[str, int]]
