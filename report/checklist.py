"""The checklist of PR #42: each row, and how its evidence is found in the state of a stack. The one place where it is kept.

A row without `find` is one that no part of the program proves so far: it says "not yet", never "ok".
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from report.links import link
from report.state import Resource, Stack

BACKEND, MONITORING = "solos:Backend", "solos:Monitoring"
TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")
State = Literal["ok", "missing", "failed", "not yet", "waived"]


class NotThere(Exception):
    """The stack does not hold what a row asks for; the message says what is missing."""


class NotRight(Exception):
    """The stack holds it, but not as it should be; the message says why."""


@dataclass(frozen=True)
class Row:
    """`key` names the row in waivers, `find` gives the evidence or raises NotThere or NotRight."""

    key: str
    group: str
    title: str
    find: Callable[[Stack], str] | None = None


@dataclass(frozen=True)
class Finding:
    """What became of a row; `evidence` is the proof, or what is missing or wrong, `link` where a person can look."""

    row: Row
    state: State
    evidence: str
    link: str | None = None

    @property
    def holds(self) -> bool:
        """Whether this row lets a launch go on; a row that nothing proves so far does not stand in the way."""
        return self.state in ("ok", "waived", "not yet")


def examine(stack: Stack) -> list[Finding]:
    """Look for the evidence of every row."""
    waivers = stack.outputs.get("waivers") or {}
    return [_examine(row, stack, waivers.get(row.key)) for row in ROWS]


def _examine(row: Row, stack: Stack, waiver: dict[str, str] | None) -> Finding:
    where = link(row.key, stack)
    try:
        if row.find:
            return Finding(row, "ok", readable(row.find(stack)), where)
        state: State = "not yet"
        text = "no part of the program proves this so far"
    except NotThere as missing:
        state, text = "missing", readable(str(missing))
    except NotRight as wrong:
        state, text = "failed", readable(str(wrong))
    if waiver:
        return Finding(row, "waived", f"{waiver.get('reason')} ({waiver.get('by')}); without the waiver: {text}", where)
    return Finding(row, state, text, where)


def readable(text: str) -> str:
    """The text with its times as people write them."""
    return TIME.sub(r"\1 \2 UTC", text)


def _the(stack: Stack, kind: str, name: str | None = None) -> Resource:
    resource = stack.find(kind, name)
    if resource is None:
        raise NotThere(f"no {kind} in the stack")
    if resource.errors:
        raise NotRight("; ".join(resource.errors))
    return resource


# Backend.


def _app(stack: Stack) -> str:
    app = _the(stack.part(BACKEND), "fly:App").outputs
    return f"{app['name']} in organisation {app['org']}, {app['hostname']}"


def _machine(stack: Stack) -> str:
    machine = _the(stack.part(BACKEND), "fly:Machine")
    count = len(list(stack.part(BACKEND).all("fly:Machine")))
    if count > 1:
        raise NotRight(f"{count} machines in the stack; v0 runs on one")
    guest = (machine.outputs.get("config") or {}).get("guest") or {}
    size = f", {guest.get('cpus')} {guest.get('cpu_kind')} CPU, {guest.get('memory_mb')} MB" if guest else ""
    return f"machine {machine.id} in {machine.outputs['region']}{size}"


def _database(stack: Stack) -> str:
    if stack.find("fly:ManagedPostgres"):
        cluster = _the(stack, "fly:ManagedPostgres")
        access, backup = _the(stack, "fly:PostgresAccess").outputs, _the(stack, "fly:PostgresBackup").outputs
        about = cluster.outputs
        return (
            f"Postgres {about['pg_major_version']}, cluster {cluster.id} in {about['region']}, plan {about['plan']}, "
            f"database {access['database']} at {access['host']}, backed up {backup['finished_at']}"
        )
    volume = _the(stack, "fly:Volume")
    encrypted = "encrypted" if volume.outputs.get("encrypted") else "not encrypted"
    return f"SQLite on volume {volume.id} in {volume.outputs['region']}, {volume.outputs['size_gb']} GB, {encrypted}"


def _secrets(stack: Stack) -> str:
    secrets = _the(stack.part(BACKEND), "fly:Secrets").outputs
    names = ", ".join(sorted(secrets.get("digests") or {}))
    return f"{names} (version {secrets['version']})"


def _image(stack: Stack) -> str:
    image = _the(stack.part(BACKEND), "fly:Image", "image").outputs  # The server's: a drill has one of its own.
    return f"{image['reference']} is {image['digest']}"


def _address(stack: Stack) -> str:
    _the(stack, "fly:IpAddress")
    addresses = [f"{ip.outputs['type']} {ip.outputs['address']}" for ip in stack.all("fly:IpAddress")]
    own = "".join(
        f", {gate.outputs['hostname']} with a certificate until {gate.outputs['expires_at'][:10]}"
        for gate in stack.all("fly:IssuedCertificate")
    )
    return f"{_the(stack.part(BACKEND), 'fly:App').outputs['hostname']}{own}: {', '.join(addresses)}"


def _healthy(stack: Stack) -> str:
    rollout = _the(stack, "checks:Rollout").outputs
    latencies = rollout["latencies_ms"]
    address = f"https://{rollout['hostname']}{rollout['path']}"
    return (
        f"{address} answered {rollout.get('expect_status', 200)} {len(latencies)} times, slowest {max(latencies):.0f} ms, "
        f"instance {rollout['instance_id']}, verified {rollout['verified_at']}{_last_update(stack)}"
    )


def _last_update(stack: Stack) -> str:
    machine = stack.part(BACKEND).find("fly:Machine")
    if machine is None or not machine.outputs.get("downtime_seconds"):
        return ""
    return "; last update: started in {start_seconds:g} s, checks after {checks_seconds:g} s, {downtime_seconds:g} s down at most".format(
        **machine.outputs
    )


# Operations.


def _monitoring(stack: Stack) -> str:
    watch = _the(stack, "checks:Watch").outputs
    region = _the(stack.part(MONITORING), "fly:Machine").outputs["region"]
    return (
        f"{watch['url']} healthy from {region} in {watch['latency_ms']} ms, certificate for {watch['certificate_days']} days, "
        f"{watch['rules']} rules, sources up: {', '.join(watch['sources'])}; seen {watch['seen_at']}"
    )


def _logging(stack: Stack) -> str:
    watch = _the(stack, "checks:Watch").outputs
    machines = {machine.outputs["name"]: machine.outputs for machine in stack.part(MONITORING).all("fly:Machine")}
    if "logs" not in machines:
        raise NotThere("no machine reads the log stream: Fly keeps the lines for 7 days, and nowhere else are they")
    if not watch["lines"]:
        raise NotThere("no log line had come when the monitor was asked")
    sink = machines["logs"]["config"]["env"].get("LOG_SINK_URL")
    if not sink:
        raise NotThere(f"{watch['lines']} lines came, and no sink keeps them: set solos:monitoring.sink")
    return f"kept at {sink}; {watch['lines']} lines counted by {watch['seen_at']}"


def _alerting(stack: Stack) -> str:
    drill = _the(stack, "checks:AlertDrill").outputs
    return (
        f"drill for {drill['watched']} fired {drill['fired_at']}, taken by the receiver {drill['receiver']} after "
        f"{drill['delivered_seconds']} s, resolved {drill['resolved_at']}"
    )


def _backups(stack: Stack) -> str:
    if stack.find("fly:ManagedPostgres"):
        restored = _the(stack, "checks:PostgresRestoreDrill").outputs
        return (
            f"backup {restored['backup_id']} restored to a second cluster {restored['restored_at']}, {restored['seconds']} s, "
            f"with the databases {', '.join(restored['databases'])}; rows not counted"
        )
    drill = _the(stack, "checks:RestoreDrill").outputs
    rows = ", ".join(f"{count} {table}" for table, count in sorted(drill["rows"].items()))
    snapshot = (
        f"snapshot {drill['snapshot_id']} restored and counted {drill['restored_at']}, {drill['seconds']} s: {rows}"
    )
    replicas = [
        f"; replica off-site restored {each.outputs['restored_at']}" for each in stack.all("checks:ReplicaDrill")
    ]
    return snapshot + "".join(replicas)


# iOS build.


def _bundle_id(stack: Stack) -> str:
    bundle_id = _the(stack, "appstore:BundleId")
    return f"{bundle_id.outputs['identifier']} ({bundle_id.id})"


def _app_entry(stack: Stack) -> str:
    app = _the(stack, "appstore:App")
    return f"{app.outputs['name']}, Apple ID {app.id}, SKU {app.outputs['sku']}"


def _signing(stack: Stack) -> str:
    if stack.find("appstore:Certificate") is None:
        raise NotThere(
            "the stack keeps no certificate: set solos:signing, or waive this row where builds are signed elsewhere"
        )
    certificate, profile = _the(stack, "appstore:Certificate").outputs, _the(stack, "appstore:Profile").outputs
    if profile["profile_state"] != "ACTIVE":
        raise NotRight(
            f"profile '{profile['full_name']}' is {profile['profile_state']}: run up again, which replaces it"
        )
    over = [
        each for each in (certificate["expires_at"], profile["expires_at"]) if each <= datetime.now(UTC).isoformat()
    ]
    if over:
        raise NotRight(f"expired {over[0][:10]}: run up again, which renews it")
    return (
        f"{certificate['name']}, serial number {certificate['serial_number']}, until {certificate['expires_at'][:10]}; "
        f"profile '{profile['full_name']}' until {profile['expires_at'][:10]}"
    )


def _uploaded(stack: Stack) -> str:
    build = _the(stack, "appstore:Build").outputs
    return f"{build['short_version']} ({build['version']}), sha256 {build['sha256'][:16]}…, upload {build['upload_id']}"


def _processed(stack: Stack) -> str:
    build = _the(stack, "appstore:ProcessedBuild").outputs
    return f"build {build['build_id']}, {build['short_version']} ({build['version']})"


def _group(stack: Stack) -> str:
    group = _the(stack, "appstore:BetaGroup")
    return f"{group.outputs['name']} ({'internal' if group.outputs['internal'] else 'external'}), {group.id}"


def _testers(stack: Stack) -> str:
    group = _the(stack, "appstore:BetaTesters").outputs
    testers = group["testers"]
    if not testers:
        raise NotThere("the group has no testers")
    if group.get("invited"):
        raise NotThere(f"invited, and not accepted yet: {', '.join(group['invited'])}")
    return ", ".join(tester["email"] for tester in testers)


def _distributed(stack: Stack) -> str:
    distribution = _the(stack, "appstore:BuildDistribution").outputs
    if distribution["internal_state"] != "IN_BETA_TESTING":
        raise NotRight(f"the build's internal state is {distribution['internal_state']}, not IN_BETA_TESTING")
    return "IN_BETA_TESTING; What to Test in " + ", ".join(sorted(distribution["whats_new"]))


def _installed(stack: Stack) -> str:
    evidence = _the(stack, "appstore:Installations").outputs
    if evidence.get("missing"):
        raise NotThere(f"not installed yet by {', '.join(evidence['missing'])}")
    return "; ".join(f"{tester}: {', '.join(devices)}" for tester, devices in sorted(evidence["devices"].items()))


def _no_crashes(stack: Stack) -> str:
    evidence = _the(stack, "appstore:Installations").outputs
    if evidence["crashes"]:
        raise NotRight(f"{evidence['crashes']} crashes in {evidence['sessions']} sessions")
    if not evidence["sessions"]:
        raise NotThere("Apple has counted no use of the build yet")
    return f"none in {evidence['sessions']} sessions, seen {evidence['seen_at']}"


def _endpoint(stack: Stack) -> str:
    build = _the(stack, "appstore:Build").outputs
    url = stack.outputs.get("url")
    keys = [key for key, value in (build.get("info") or {}).items() if value == url]
    if not keys:
        raise NotRight(f"no key of the build's Info.plist is {url}")
    return f"Info.plist of the uploaded build: {keys[0]} = {url}"


# Launch.


def _smoke_test(stack: Stack) -> str:
    test = stack.outputs.get("smokeTest") or {"of": 0, "open": ["no smoke test in the stack"]}
    if test["open"]:
        raise NotThere("; ".join(test["open"]))
    return f"{test['signedOff']} of {test['of']} sign-offs, by {', '.join(stack.outputs.get('testers') or [])}"


def _launched(stack: Stack) -> str:
    label = (stack.outputs.get("launch") or {}).get("label")
    record = next((each.outputs for each in stack.all("checks:LaunchRecord") if label in (None, each.id)), None)
    if record is None:
        raise NotThere("nobody has declared it launched")
    if record.get("withdrawn"):
        raise NotRight(f"withdrawn {record.get('withdrawn_at')}: {record['withdrawn']}")
    return f"{record['label']} is launched, declared by {record['declared_by']} at {record['declared_at']}"


ROWS: Iterable[Row] = (
    Row("app", "Backend", "App created on Fly.io", _app),
    Row("machine", "Backend", "fly.toml finalised: one machine, one region", _machine),
    Row("database", "Backend", "Production database", _database),
    Row("secrets", "Backend", "Secrets set on Fly.io", _secrets),
    Row("image", "Backend", "Released image, by digest", _image),
    Row("address", "Backend", "Public address", _address),
    Row("healthy", "Backend", "Deployed and verified healthy", _healthy),
    Row("logging", "Operations", "Logs kept outside of Fly.io", _logging),
    Row("monitoring", "Operations", "Monitoring from outside", _monitoring),
    Row("alerting", "Operations", "An alert fired, arrived and resolved", _alerting),
    Row("backups", "Operations", "Backup taken and restored", _backups),
    Row("bundle-id", "iOS build", "Bundle ID registered", _bundle_id),
    Row("app-entry", "iOS build", "App entry in App Store Connect", _app_entry),
    Row("signing", "iOS build", "Distribution certificate and profile", _signing),
    Row("endpoint", "iOS build", "Release build points at production", _endpoint),
    Row("uploaded", "iOS build", "Build uploaded", _uploaded),
    Row("processed", "iOS build", "Build processed by Apple", _processed),
    Row("group", "TestFlight", "Group of internal testers", _group),
    Row("testers", "TestFlight", "Testers in the group", _testers),
    Row("distributed", "TestFlight", "Build in the testers' hands", _distributed),
    Row("installed", "TestFlight", "Installed by every tester", _installed),
    Row("no-crashes", "TestFlight", "No crash of the build", _no_crashes),
    Row("smoke-test", "Launch", "Smoke test signed off", _smoke_test),
    Row("launched", "Launch", "v0 declared launched", _launched),
)
