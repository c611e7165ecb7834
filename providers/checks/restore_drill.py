"""Restore drill for the volume: takes a snapshot, restores it to a second volume, and opens the database there.

A small machine with a public Python image mounts the restored volume, checks the integrity of the SQLite file and counts the rows of
each table; then machine and volume are deleted. The app itself is not started there: a second server with the production secrets
would, for example, send e-mails. Only the evidence and the snapshot stay. Changing `release` repeats the drill.
"""

import contextlib
from collections.abc import Callable, Iterable
from typing import Annotated

import msgspec
from msgspec.structs import asdict
from pulumi import Output

from providers import engine, waiting
from providers.decoding import Call, decode
from providers.errors import ErrorText, Problem, ProblemText, ProviderError
from providers.fly.api import execution, machine_states, machines, volumes
from providers.fly.api.config_view import Config
from providers.fly.machine import MachineProvider
from providers.fly.machine_record import MachineArgs
from providers.fly.provider import FlyGate
from providers.fly.volume import VolumeArgs, VolumeProvider
from providers.properties import REPLACES
from providers.record import Input, Record, field
from providers.resource import Resource

VOLUME, MACHINE = "restore_drill", "restore-drill"
LEFTOVER_SECONDS = 3600
"""When a drill machine stops by itself, if the program dies during the drill."""
COUNT_SECONDS = 1800.0
"""How long to wait for the count."""
RESULT = "/tmp/restore-drill.json"  # noqa: S108 (in a machine that has no other users)
COUNT = """
import json, os, sqlite3, sys
from datetime import UTC, datetime

path, result = sys.argv[1:]

def count():
    database = sqlite3.connect("file:" + path + "?mode=rw", uri=True)
    (integrity,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
    rows = {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in names.fetchall()}
    times = [value for name in rows for value in newest(database, name)]
    return {"integrity": integrity, "rows": rows, "newest": max(times, default="")}

def newest(database, table):
    for column in database.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall():
        if column[0].lower().endswith(("_at", "at", "time", "timestamp", "date", "created", "updated")):
            value = database.execute(f'SELECT max("{column[0]}") FROM "{table}"').fetchone()[0]
            try:
                number = float(value) / (1000 if float(value) > 1e11 else 1) if isinstance(value, (int, float)) else None
                when = datetime.fromtimestamp(number, UTC) if number else datetime.fromisoformat(value)
                yield when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC).isoformat(timespec="seconds")
            except (TypeError, ValueError, OverflowError):
                pass

if os.path.exists(result):
    print(open(result).read())
elif not os.path.exists(result + ".started"):
    open(result + ".started", "x").close()
    if os.fork() == 0:
        os.setsid()
        for number in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        try:
            counted = count()
        except Exception as error:
            counted = {"integrity": str(error)}
        with open(result + ".draft", "w") as file:
            json.dump(counted, file)
        os.rename(result + ".draft", result)
"""
"""The first run starts the count in the background, because Fly cuts a command at 30 s; later ones print the result once it is there.

mode=rw, because a snapshot is crash-consistent and SQLite may have to recover its WAL; it creates no new file. `newest` is the latest
time in a column that has a name like one, as text or in seconds or milliseconds since 1970.
"""
LIVE_PYTHON = """
import json, sqlite3, sys
database = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
print(json.dumps({name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for (name,) in names.fetchall()}))
"""
LIVE_NODE = """
const database = new (require("node:sqlite").DatabaseSync)(process.argv[1], {readOnly: true});
const names = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'").all();
const rows = names.map(({name}) => [name, database.prepare(`SELECT count(*) AS rows FROM "${name}"`).get().rows]);
console.log(JSON.stringify(Object.fromEntries(rows)));
"""
LIVE = (["python3", "-c", LIVE_PYTHON], ["node", "-e", LIVE_NODE])
"""Count the rows of the live database, in the app's own machine: one of these is there in most images."""


class NotRestorable(ProviderError):
    """The restored database is not as it should be; the text says what was found."""

    __module__ = "builtins"


NOT_ON_VOLUME = ProblemText("database", "database {database} is not below {mount}, where the volume is mounted")
NO_VOLUME = ErrorText(
    "volume {volume_id} of app {app} does not exist: there is nothing to take a snapshot of", error=NotRestorable
)
DAMAGED = ErrorText(
    "snapshot {snapshot_id} of volume {volume_id} is damaged: {integrity}",
    remedy="look at the live database, and do not deploy until a snapshot can be restored",
    error=NotRestorable,
)
DIFFERENT = ErrorText(
    "snapshot {snapshot_id} of volume {volume_id} is restored with other rows than the live database had: {differences}",
    remedy="check that DATABASE_PATH is on the volume, and that the server writes there, then run `pulumi up` again",
    error=NotRestorable,
)


class RestoreDrillArgs(Record):
    app: Annotated[Input[str], REPLACES]
    volume_id: Annotated[Input[str], REPLACES]
    region: Annotated[Input[str], REPLACES]
    image: Input[str]
    """An image with Python, by digest. Ignored after the drill."""
    mount: Input[str]
    """Where the app mounts the volume; the drill mounts it there too."""
    database: Input[str]
    """Path of the SQLite file."""
    release: Input[str]
    """What runs, for example the image of the app. Changing it repeats the drill."""
    machine_id: Input[str] = field(default="")
    """The app's machine, whose live database the restored one is compared with. Ignored after the drill."""


class RestoreDrillState(RestoreDrillArgs):
    snapshot_id: str = ""
    snapshot_bytes: int = 0
    restored_at: str = ""
    """RFC 3339, in UTC."""
    seconds: float = 0.0
    """From the snapshot call until the rows were counted: what a restore takes."""
    rows: dict[str, int] = field(default_factory=dict)
    """By table."""
    newest: str = ""
    """The latest time in the restored rows, RFC 3339 in UTC; empty if no column has one."""
    compared: bool = False
    """Whether the live database had the same tables and numbers of rows. False if they could not be counted there."""


class Counted(msgspec.Struct):
    """What COUNT prints."""

    integrity: str
    """"ok", or what SQLite found."""
    rows: dict[str, int] = {}
    newest: str = ""


class Left(msgspec.Struct, frozen=True):
    """Ids of the drill's machines and volumes."""

    machines: list[str]
    volumes: list[str]


class RestoreDrillProvider(FlyGate[RestoreDrillArgs, RestoreDrillState]):
    Args = RestoreDrillArgs
    State = RestoreDrillState

    def validate(self, args: RestoreDrillArgs, old: RestoreDrillArgs | None) -> Iterable[Problem]:
        if not args.database.startswith(f"{args.mount.rstrip('/')}/"):
            yield NOT_ON_VOLUME(database=args.database, mount=args.mount)

    def changed_fields(self, state: RestoreDrillState, args: RestoreDrillArgs) -> Iterable[str]:
        return [name for name in super().changed_fields(state, args) if name not in ("image", "machine_id")]

    def ensure(self, args: RestoreDrillArgs) -> tuple[str, RestoreDrillState]:
        return f"{args.app}/{args.volume_id}", self._drill(args)

    def sync(self, id: str, state: RestoreDrillState, args: RestoreDrillArgs) -> RestoreDrillState:
        return self._drill(args)

    def remove(self, id: str, state: RestoreDrillState) -> None:
        """Delete what a drill that died has left."""
        self._discard(state, lambda: self._left(state))

    def _drill(self, args: RestoreDrillArgs) -> RestoreDrillState:
        started_at = waiting.clock.now()
        self._discard(args, lambda: self._left(args))
        source = volumes.find(self.fly, args.app, args.volume_id)
        if source is None:
            raise NO_VOLUME(volume_id=args.volume_id, app=args.app)
        before = self._live(args)
        snapshot = volumes.take_snapshot(self.fly, args.app, args.volume_id)
        after = self._live(args)
        engine.progress("restoring snapshot")(f"{snapshot.id} to a second volume")
        volume_id, _ = self._volumes.ensure(
            VolumeArgs(
                app=args.app,
                name=VOLUME,
                region=args.region,
                size_gb=source.size_gb,
                snapshot_retention=1,
                scheduled_snapshots=False,
                from_snapshot=snapshot.id,
            )
        )
        machine_id, _ = self._machines.ensure(
            MachineArgs(
                app=args.app,
                name=MACHINE,
                region=args.region,
                image=args.image,
                volume_id=volume_id,
                config=_config(args),
            )
        )
        counted = self._count(args, machine_id)
        self._discard(args, lambda: Left([machine_id], [volume_id]))
        if counted.integrity != "ok":
            raise DAMAGED(snapshot_id=snapshot.id, volume_id=args.volume_id, integrity=counted.integrity[:200])
        if before is not None and after is not None and (different := _differences(before, counted.rows, after)):
            raise DIFFERENT(snapshot_id=snapshot.id, volume_id=args.volume_id, differences="; ".join(different))
        return RestoreDrillState(
            **asdict(args),
            snapshot_id=snapshot.id,
            snapshot_bytes=snapshot.size,
            restored_at=waiting.utc_now().isoformat(timespec="seconds"),
            seconds=round(waiting.clock.now() - started_at, 1),
            rows=counted.rows,
            newest=counted.newest,
            compared=before is not None and after is not None,
        )

    def _live(self, args: RestoreDrillArgs) -> dict[str, int] | None:
        """The rows of each table of the live database; None if no program there can count them."""
        for command in LIVE if args.machine_id else ():
            with contextlib.suppress(ProviderError):
                output = execution.execute(self.fly, args.app, args.machine_id, [*command, args.database])
                call = Call(doing=f"count the rows of {args.database}", source="the drill's script")
                return decode(output.encode(), dict[str, int], call)
        return None

    def _count(self, args: RestoreDrillArgs, machine_id: str) -> Counted:
        """The rows of each table; for a file that SQLite cannot read, its error as `integrity`."""
        command = ["python3", "-c", COUNT, args.database, RESULT]

        def counted() -> str | None:
            return execution.execute(self.fly, args.app, machine_id, command).strip() or None

        output = waiting.poll(
            counted,
            seconds=COUNT_SECONDS,
            waiting_for=f"the rows of {args.database} to be counted",
            last_seen=lambda: f"{args.database}, no result yet",
            action="counting rows",
            first_pause=0.5,
        )
        call = Call(doing=f"count the rows of {args.database}", source="the drill's script")
        return decode(output.encode(), Counted, call)

    def _left(self, args: RestoreDrillArgs) -> Left:
        """What a drill that died has left."""
        return Left(
            machines=[machine.id for machine in machines.living(self.fly, args.app) if machine.name == MACHINE],
            volumes=[volume.id for volume in volumes.living(self.fly, args.app, VOLUME, args.region)],
        )

    def _discard(self, args: RestoreDrillArgs, look: Callable[[], Left]) -> None:
        """Delete what `look` finds. It is called again while the volume is attached: Fly shows a new machine with a delay."""

        def deleted() -> bool | None:
            left = look()
            for id in left.machines:
                machine_states.destroy(self.fly, args.app, id, at_once=True)  # It only sleeps: no need to stop it.
            return all(volumes.delete(self.fly, args.app, id) for id in left.volumes) or None

        waiting.poll(
            deleted,
            seconds=volumes.DETACH_SECONDS,
            waiting_for=f"volume {VOLUME} of app {args.app} to be detached from machine {MACHINE}",
            first_pause=0.5,
        )

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


def _differences(before: dict[str, int], restored: dict[str, int], after: dict[str, int]) -> list[str]:
    """The tables whose restored rows are not between those of the live database before and after the snapshot."""
    return [
        f"{table} has {restored.get(table, 'no table')}, not {low if low == high else f'{low} to {high}'}"
        for table in sorted(before.keys() & after.keys())
        for low, high in [sorted((before[table], after[table]))]
        if not low <= restored.get(table, -1) <= high
    ]


def _config(args: RestoreDrillArgs) -> Config:
    return {
        "init": {"cmd": ["sleep", str(LEFTOVER_SECONDS)]},
        "auto_destroy": True,
        "restart": {"policy": "no"},
        "guest": {"cpu_kind": "shared", "cpus": 1, "memory_mb": 256},
        "mounts": [{"path": args.mount, "name": VOLUME}],
    }


class RestoreDrill(Resource[RestoreDrillArgs], module="checks", name="RestoreDrill"):
    """Evidence that the volume's database can be restored from a snapshot; its id is `<app>/<volume>`.

    app, volume_id, region: replaces. release, mount, database: repeats the drill. image, machine_id: ignored.
    """

    provider = RestoreDrillProvider

    snapshot_id: Output[str]
    restored_at: Output[str]
    rows: Output[dict[str, int]]
    newest: Output[str]
    compared: Output[bool]
