"""The rows of operations: logs, monitoring, alerts, backups.

All of them block: a team that cannot see a failure or undo a loss is not ready for testers. A team that decides otherwise waives the
row.
"""

from collections.abc import Mapping, Sequence

import msgspec

from checklist.backend import BACKEND, NO_DATABASE, UP, DeclaredDatabase, Machine, ManagedPostgres, fly_page
from checklist.known import Known, Shape, ShapeT
from checklist.row import Missing, Phase, need, row

MONITORING = "Monitoring"
PROVE_MONITOR = 'run `pulumi up`, with `monitoring.drill` "true", as it is by default'


class Watch(Shape, frozen=True, kw_only=True):
    kind = "checks:Watch"

    url: str
    latency_ms: float
    certificate_days: float
    loaded_rules: int
    unarmed: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    """The rules that cannot fire, each with the series that Prometheus does not have."""
    sources: Sequence[str]
    lines: int
    """Log lines that the monitor had counted when it was asked."""
    lines_kept: int = 0
    """Those of them that the log sink had accepted."""
    seen_at: str


class UptimeCheck(Shape, frozen=True, kw_only=True):
    kind = "betterstack:FirstCheck"

    url: str
    seconds: int
    seen_up_at: str


class AlertDrill(Shape, frozen=True, kw_only=True):
    kind = "checks:AlertDrill"

    watched: str
    receiver: str
    fired_at: str
    delivered_seconds: float
    resolved_at: str


class RestoreDrill(Shape, frozen=True, kw_only=True):
    kind = "checks:RestoreDrill"

    release: str
    """The image whose database was restored."""
    snapshot_id: str
    restored_at: str
    seconds: float
    rows: Mapping[str, int] = msgspec.field(default_factory=dict)
    newest: str = ""
    compared: bool = False
    """Whether the live database had the same rows."""


class ReplicaDrill(Shape, frozen=True, kw_only=True):
    kind = "checks:ReplicaDrill"

    release: str
    restored_at: str


class PostgresRestoreDrill(Shape, frozen=True, kw_only=True):
    kind = "checks:PostgresRestoreDrill"

    backup_id: str
    restored_at: str
    seconds: float
    databases: Sequence[str] = ()


def _of_monitor(known: Known, shape: type[ShapeT]) -> ShapeT:
    """A resource of the monitor. Raises Missing, with a remedy, if there is no monitor."""
    if known.first(Machine, within=MONITORING) is None:
        if known.has_component(MONITORING):
            raise Missing("the monitor is not deployed yet", remedy=UP)
        raise Missing("monitoring is not configured", remedy="set `monitoring`")
    return need(known, shape)


@row(
    "logging",
    Phase.OPERATIONS,
    "Logs kept outside of Fly.io",
    absent="the monitor has not been asked for log lines yet",
    remedy=PROVE_MONITOR,
)
def logging(known: Known) -> str:
    """A sink is configured, and lines have arrived. Fly keeps them for 7 days only."""
    watch = _of_monitor(known, Watch)
    reader = next((machine for machine in known.all(Machine, within=MONITORING) if machine.name == "logs"), None)
    if reader is None:
        raise Missing(
            "no machine reads the log stream, and Fly keeps lines for 7 days",
            remedy='set `monitoring.logs` to "true", and a sink in `monitoring.sink`',
        )
    sink = (reader.config.get("env") or {}).get("LOG_SINK_URL")
    if not sink:
        raise Missing("no log sink keeps the lines, and Fly keeps them for 7 days", remedy="set `monitoring.sink`")
    if not watch.lines:
        raise Missing(
            "no log line had arrived when the monitor was asked",
            remedy="check that the server logs its requests, then run `pulumi up --replace '**watch'`",
        )
    if not watch.lines_kept:
        raise Missing(
            f"the log sink {sink} had not accepted any of {watch.lines} lines when the monitor was asked",
            remedy="read `fly logs` of the monitor for the sink's answer, fix `monitoring.sinkUrl` or the secret sinkToken, then run "
            "`pulumi up --replace '**watch'`",
        )
    return f"{watch.lines_kept} lines accepted by {sink}, {watch.lines} counted by {watch.seen_at}"


@row(
    "monitoring",
    Phase.OPERATIONS,
    "Monitoring from outside",
    absent="the monitor has not been asked yet what it sees",
    remedy=PROVE_MONITOR,
    link=fly_page(within=MONITORING),
)
def monitoring(known: Known) -> str:
    """A monitor in another region sees the backend as healthy, and has its sources and rules."""
    watch = _of_monitor(known, Watch)
    region = need(known, Machine, within=MONITORING).region
    return (
        f"{watch.url} healthy from {region} in {watch.latency_ms} ms, certificate for {watch.certificate_days} days, "
        f"{watch.loaded_rules} rules, {_armed(watch)}, sources up: {', '.join(watch.sources)}; seen {watch.seen_at}; "
        f"outside of Fly: {_outside(known)}"
    )


def _outside(known: Known) -> str:
    check = known.first(UptimeCheck, within=MONITORING)
    if check is None:
        return "no uptime check"
    return f"{check.url} checked every {check.seconds} s by Better Stack, up at {check.seen_up_at}"


def _armed(watch: Watch) -> str:
    unarmed = [f"{rule} (no {', '.join(series)})" for rule, series in sorted(watch.unarmed.items())]
    return f"not armed: {'; '.join(unarmed)}" if unarmed else "all armed"


@row(
    "alerting",
    Phase.OPERATIONS,
    "An alert fired, arrived and resolved",
    absent="no alert drill has run yet",
    remedy=PROVE_MONITOR,
    link=fly_page("/machines", MONITORING),
)
def alerting(known: Known) -> str:
    """A test alert reached the receiver, and was resolved."""
    drill = _of_monitor(known, AlertDrill)
    return (
        f"drill for {drill.watched} fired {drill.fired_at}, accepted by the receiver {drill.receiver} after "
        f"{drill.delivered_seconds} s, resolved {drill.resolved_at}"
    )


@row(
    "backups",
    Phase.OPERATIONS,
    "Backup taken and restored",
    absent="no backup has been restored yet",
    remedy='run `pulumi up`, with `database.restoreDrill` "true", as it is by default',
    link=fly_page("/volumes"),
)
def backups(known: Known) -> str:
    """The database was restored from a backup; for SQLite the rows were counted. For an external database, somebody says so."""
    if declared := known.first(DeclaredDatabase):
        return _declared_restore(declared)
    if known.first(ManagedPostgres):
        restored = need(known, PostgresRestoreDrill)
        return (
            f"backup {restored.backup_id} restored to a second cluster {restored.restored_at}, {restored.seconds} s, "
            f"with the databases {', '.join(restored.databases)}; rows not counted"
        )
    drill, runs = need(known, RestoreDrill), need(known, Machine, within=BACKEND).image
    for release in (drill.release, *(found.release for found in known.all(ReplicaDrill))):
        if release != runs:
            raise Missing(f"the restored backup is of {release}, but {runs} runs", remedy=UP)
    rows = ", ".join(f"{count} {table}" for table, count in sorted(drill.rows.items()))
    replicas = [f"; replica off-site restored {found.restored_at}" for found in known.all(ReplicaDrill)]
    return (
        f"snapshot {drill.snapshot_id} restored and counted {drill.restored_at}, {drill.seconds} s: "
        f"{_found(drill, rows)}{''.join(replicas)}"
    )


def _declared_restore(database: DeclaredDatabase) -> str:
    if database.managed == "none":
        return NO_DATABASE
    if not database.restored_on:
        raise Missing(
            "nobody has declared that a backup of the external database was restored",
            remedy="restore one where the database is, look at the rows, and set `database.restoredOn` and restoredBy",
        )
    return f"restored on {database.restored_on} by {database.restored_by}, who declares it: {database.host} is not reached from here"


def _found(drill: RestoreDrill, rows: str) -> str:
    """What the restored database proves: an empty one proves little."""
    compared = "as in the live database" if drill.compared else "not compared with the live database"
    if not any(drill.rows.values()):
        return f"an empty database was restored ({rows or 'no tables'}), {compared}"
    return f"{rows}, {compared}{f', newest row {drill.newest}' if drill.newest else ''}"


ROWS = (logging, monitoring, alerting, backups)
