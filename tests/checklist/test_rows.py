"""Each row: its evidence, what is open, and what to do about it."""

from typing import Any

import pytest
from msgspec.structs import replace

from checklist.ios_build import PROCESS
from checklist.known import Observed
from checklist.row import Finding, State
from checklist.rows import ROWS, examine
from tests.checklist.proven import ADA, BACKEND, DIGEST, MONITORING, PROVEN, known, observed, without_monitor

MACHINE = PROVEN["machine"]


def finding(key: str, changes: dict[str, Any] | None = None, **more: Any) -> Finding:
    """The finding of one row in the changed stack."""
    return next(finding for finding in examine(known(changes, **more), {}) if finding.row.key == key)


EVIDENCE = {
    "app": "solos in organisation sol-labs, solos.fly.dev",
    "machine": "machine 148e in sjc, 1 shared CPU, 512 MB",
    "database": "SQLite on volume vol_1 in sjc, 10 GB, encrypted",
    "secrets": "SESSION_SECRET (version 1)",
    "image": f"registry.fly.io/solserver:1.0.0 is {DIGEST}",
    "address": "solos.fly.dev: v6 2a09::1",
    "healthy": "https://solos.fly.dev/health returned 200 2 times, slowest 31 ms, instance 01M8, verified 2026-11-27T09:00:00+00:00; "
    "last update: started in 3 s, checks after 2 s, 0.4 s down at most",
    "logging": "11 lines accepted by https://logs.example, 12 counted by 2026-11-27T09:00:00+00:00",
    "monitoring": "https://solos.fly.dev/health healthy from ord in 4.2 ms, certificate for 80 days, 14 rules, all armed, sources up: app, logs; "
    "seen 2026-11-27T09:00:00+00:00; outside of Fly: no uptime check",
    "alerting": "drill for solos fired 2026-11-27T09:00:00+00:00, accepted by the receiver page after 0.8 s, "
    "resolved 2026-11-27T09:00:00+00:00",
    "backups": "snapshot vs_1 restored and counted 2026-11-27T09:00:00+00:00, 4.5 s: 3 notes, not compared with the live database",
    "bundle-id": "example.sollabs.solos (B1)",
    "app-record": "SolOS, Apple ID 640, SKU solos",
    "signing": "Apple Distribution: Sol Labs, serial number 76EC, until 2027-11-01; profile 'SolOS App Store 3267' until 2027-11-01",
    "endpoint": "Info.plist of the uploaded build: API_BASE_URL = https://solos.fly.dev",
    "uploaded": f"1.0.0 (0), sha256:{'a' * 64}, upload U1",
    "processed": "build P1, 1.0.0 (0)",
    "group": "Internal Testers (internal), G1",
    "testers": ADA,
    "distributed": "IN_BETA_TESTING; What to Test in en-US",
    "installed": f"{ADA}: iPhone17,1",
    "no-crashes": "none in 9 sessions, seen 2026-11-27T09:00:00+00:00",
    "smoke-test": f"5 of 5 sign-offs of 1.0.0 (0) with registry.fly.io/solserver:1.0.0, by {ADA}",
    "launched": "v0 is launched, declared by Mara at 2026-11-27T09:00:00+00:00: 1.0.0 (0) with "
    f"registry.fly.io/solserver@{DIGEST}",
}


def test_every_row_proven() -> None:
    findings = examine(known(), {})

    assert {finding.row.key: finding.text for finding in findings} == EVIDENCE
    assert {finding.state for finding in findings} == {State.OK}


ABSENT: list[tuple[str, str, str]] = [
    ("app", "app", "the app is not created yet"),
    ("machine", "machine", "the machine is not created yet"),
    ("database", "volume", "there is neither a volume nor a Postgres cluster"),
    ("secrets", "secrets", "no secret is set yet"),
    ("image", "machine", "no machine runs an image yet"),
    ("address", "address", "the app has no public address yet"),
    ("healthy", "rollout", "the backend is not verified yet"),
    ("logging", "watch", "the monitor has not been asked for log lines yet"),
    ("monitoring", "watch", "the monitor has not been asked yet what it sees"),
    ("alerting", "alert", "no alert drill has run yet"),
    ("backups", "restore", "no backup has been restored yet"),
    ("bundle-id", "bundle-id", "the bundle ID is not registered yet"),
    ("app-record", "app-record", "there is no app record yet"),
    ("signing", "certificate", "the stack manages no certificate and profile"),
    ("endpoint", "build", "no build yet"),
    ("uploaded", "build", "no build yet"),
    ("processed", "processed", "Apple has not processed the build yet"),
    ("group", "group", "the group does not exist yet"),
    ("testers", "testers", "no testers are in the group yet"),
    ("distributed", "distribution", "the build is not distributed yet"),
    ("installed", "installations", "nobody has installed the build yet"),
    ("no-crashes", "installations", "Apple has not been asked yet"),
    ("launched", "record", "nobody has declared it launched"),
]


@pytest.mark.parametrize(
    ("declared", "database", "backups"),
    [
        ({"managed": "none"}, "none, as `database` declares", "none, as `database` declares"),
        (
            {"managed": "external", "host": "db.example", "restored_on": "2026-11-20", "restored_by": "Mara"},
            "external Postgres at db.example",
            "restored on 2026-11-20 by Mara, who declares it: db.example is not reached from here",
        ),
        (
            {"managed": "external", "host": "db.example"},
            "external Postgres at db.example",
            "nobody has declared that a backup of the external database was restored",
        ),
    ],
)
def test_database_managed_elsewhere(declared: dict[str, str], database: str, backups: str) -> None:
    outputs = {"host": "", "restored_on": "", "restored_by": "", **declared}
    proven = known({"volume": None, "restore": None})
    elsewhere = replace(proven, resources=(*proven.resources, observed("checks:DeclaredDatabase", BACKEND, **outputs)))

    found = {finding.row.key: finding for finding in examine(elsewhere, {})}

    assert (found["database"].text, found["backups"].text) == (database, backups)


@pytest.mark.parametrize(("key", "resource", "text"), ABSENT)
def test_missing_resource(key: str, resource: str, text: str) -> None:
    found = finding(key, {resource: None})

    assert (found.state, found.text) == (State.WAITING if key == "launched" else State.MISSING, text)
    assert found.remedy


@pytest.mark.parametrize(
    ("key", "changes", "state", "problem"),
    [
        (
            "image",
            {"machine": {"image": "other@sha256:1"}},
            "failed",
            "the machine runs other@sha256:1, which is not the image of the stack: run `pulumi up`",
        ),
        (
            "logging",
            {"logs": {"config": {}}},
            "missing",
            "no log sink keeps the lines, and Fly keeps them for 7 days: set `monitoring.sink`",
        ),
        (
            "logging",
            {"logs": None},
            "missing",
            (
                'no machine reads the log stream, and Fly keeps lines for 7 days: set `monitoring.logs` to "true", '
                "and a sink in `monitoring.sink`"
            ),
        ),
        (
            "logging",
            {"watch": {"lines_kept": 0.0}},
            "missing",
            (
                "the log sink https://logs.example had not accepted any of 12 lines when the monitor was asked: read `fly logs` of the "
                "monitor for the sink's answer, fix `monitoring.sinkUrl` or the secret sinkToken, then run `pulumi up --replace "
                "'**watch'`"
            ),
        ),
        (
            "logging",
            {"watch": {"lines": 0.0}},
            "missing",
            (
                "no log line had arrived when the monitor was asked: check that the server logs its requests, then run "
                "`pulumi up --replace '**watch'`"
            ),
        ),
        ("monitoring", without_monitor(), "missing", "monitoring is not configured: set `monitoring`"),
        ("alerting", without_monitor(), "missing", "monitoring is not configured: set `monitoring`"),
        ("logging", without_monitor(), "missing", "monitoring is not configured: set `monitoring`"),
        (
            "signing",
            {"profile": {"profile_state": "INVALID"}},
            "failed",
            "profile 'SolOS App Store 3267' is INVALID: run `pulumi up`, which replaces it",
        ),
        (
            "signing",
            {"certificate": {"expires_at": "2026-11-01T00:00:00+00:00"}},
            "failed",
            "the certificate expired 2026-11-01: run `pulumi up`, which renews it",
        ),
        (
            "endpoint",
            {"build": {"info": {"API_BASE_URL": "https://staging.example"}}},
            "failed",
            "no key of the build's Info.plist is https://solos.fly.dev: build with that URL, raise `build`, and run `pulumi up`",
        ),
        (
            "endpoint",
            {"rollout": None},
            "missing",
            "the backend that the build should point at is not verified yet: run `pulumi up`",
        ),
        (
            "testers",
            {"testers": {"testers": []}},
            "missing",
            "the group has no testers: add them to `testers` and run `pulumi up`",
        ),
        (
            "testers",
            {"testers": {"invited": {ADA: "I1"}}},
            "waiting",
            f"invited to the team, not accepted yet: {ADA}: ask them to accept Apple's e-mail, then run `pulumi up`",
        ),
        (
            "distributed",
            {"distribution": {"internal_state": "EXPIRED"}},
            "failed",
            (
                "the build's internal state is EXPIRED, not READY_FOR_BETA_TESTING or IN_BETA_TESTING: look at it in App "
                "Store Connect; if it expired, raise `build` and run `pulumi up`"
            ),
        ),
        (
            "installed",
            {"installations": {"missing": [ADA]}},
            "waiting",
            f"not installed yet by {ADA}: ask the testers to install it from TestFlight, then run `pulumi up --refresh`",
        ),
        (
            "no-crashes",
            {"installations": {"crashes": 1.0}},
            "failed",
            "1 crash in 9 sessions: fix the build, raise `build`, and run `pulumi up`",
        ),
        (
            "no-crashes",
            {"installations": {"crashes": 1.0, "sessions": 0.0}},
            "failed",
            "1 crash in 0 sessions: fix the build, raise `build`, and run `pulumi up`",
        ),
        (
            "no-crashes",
            {"installations": {"sessions": 0.0}},
            "waiting",
            "Apple has counted no use of the build yet: run `pulumi up --refresh` later: Apple's counts are hours behind",
        ),
        (
            "launched",
            {"record": {"withdrawn": "rows were lost", "withdrawn_at": "2026-11-27T10:00:00+00:00"}},
            "failed",
            "withdrawn 2026-11-27T10:00:00+00:00: rows were lost: declare the next release under a new label",
        ),
        (
            "app",
            {"app": {"hostname": None}},
            "failed",
            "fly:App id has no hostname: run `pulumi up`",
        ),
    ],
)
def test_open_row(key: str, changes: dict[str, Any], state: str, problem: str) -> None:
    found = finding(key, changes)

    assert (found.state, found.problem) == (state, problem)


@pytest.mark.parametrize(
    ("restored", "evidence"),
    [
        (
            {"rows": {"notes": 3.0}, "compared": True, "newest": "2026-11-27T08:59:00+00:00"},
            "3 notes, as in the live database, newest row 2026-11-27T08:59:00+00:00",
        ),
        ({"rows": {"notes": 0.0}}, "an empty database was restored (0 notes), not compared with the live database"),
        ({"rows": {}}, "an empty database was restored (no tables), not compared with the live database"),
    ],
)
def test_restored_rows(restored: dict[str, Any], evidence: str) -> None:
    assert finding("backups", {"restore": restored}).text.endswith(evidence)


def test_instance_after_rollback() -> None:
    """What was seen of one instance proves nothing about another one of the same image."""
    found = finding("healthy", {"machine": {"instance_id": "01M9"}})

    assert (found.state, found.remedy) == (State.MISSING, "run `pulumi up`")
    assert found.text == "instance 01M8 was verified, and 01M9 of the same image runs"


def test_rule_that_cannot_fire() -> None:
    """It is proven that the monitor works, and the evidence says which rules have nothing to look at."""
    found = finding("monitoring", {"watch": {"unarmed": {"AppRestartLoop": ["fly_instance_cpu"]}}})

    assert found.state is State.OK
    assert "14 rules, not armed: AppRestartLoop (no fly_instance_cpu), sources up" in found.text


def test_uptime_check() -> None:
    """It is part of the evidence; without one the row is proven too, and says so."""
    url = "https://solos.fly.dev/health"
    check = observed(
        "betterstack:FirstCheck", MONITORING, url=url, seconds=180.0, seen_up_at="2026-11-27T09:00:00+00:00"
    )
    stack = known()

    found = examine(replace(stack, resources=(*stack.resources, check)), {})

    (row,) = (finding for finding in found if finding.row.key == "monitoring")
    assert row.state is State.OK
    assert row.text.endswith(
        f"outside of Fly: {url} checked every 180 s by Better Stack, up at 2026-11-27T09:00:00+00:00"
    )


def test_failed_sign_off() -> None:
    """It is wrong, not missing."""
    found = finding(
        "smoke-test", failed=(f"install by {ADA} failed: it closes",), open=("Jun has not signed off install",)
    )

    assert found.state is State.FAILED
    assert found.text == f"install by {ADA} failed: it closes; Jun has not signed off install"


def test_open_sign_off() -> None:
    found = finding("smoke-test", open=(f"{ADA} has not signed off install",))

    assert (found.state, found.waits_for) == (State.WAITING, "the testers")
    assert found.problem == f"{ADA} has not signed off install: record each result with `make sign-off`"


IMAGE, NEXT = "registry.fly.io/solserver:1.0.0", "registry.fly.io/solserver:1.0.1"
NEW_LABEL = "declare it under a new label, and keep this one in `earlierReleases`"
NEXT_BUILD = {"build": {"version": "1", "upload_id": "U2"}}
PROCESSED = {"processed": {"version": "1", "upload_id": "U2", "build_id": "P2"}}
EARLIER = "this is known of an earlier build than 1.0.0 (1) only: run `pulumi up`"


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("distributed", EARLIER),
        ("installed", EARLIER),
        ("no-crashes", EARLIER),
        ("smoke-test", f"the sign-offs are of 1.0.0 (0) with {IMAGE}, not of 1.0.0 (1) with {IMAGE}: run `pulumi up`"),
        ("launched", f"v0 was declared with 1.0.0 (0); 1.0.0 (1) is not declared: {NEW_LABEL}"),
    ],
)
def test_evidence_of_an_earlier_build(key: str, problem: str) -> None:
    found = finding(key, {**NEXT_BUILD, **PROCESSED})

    assert (found.state, found.problem) == (State.MISSING, problem)


@pytest.mark.parametrize(
    "key", ["endpoint", "uploaded", "processed", "distributed", "installed", "no-crashes", "smoke-test"]
)
def test_no_build_yet(key: str) -> None:
    without = dict.fromkeys(("build", "processed", "distribution", "installations"))

    found = finding(key, without, open=(f"{ADA} has not signed off install",))

    assert (found.state, found.problem) == (
        State.MISSING,
        "no build yet: set `ipa` to the path of the IPA, then run `pulumi up`",
    )


@pytest.mark.parametrize("key", ["processed", "distributed", "installed", "no-crashes"])
def test_build_not_processed_yet(key: str) -> None:
    found = finding(key, NEXT_BUILD)

    assert found.problem == f"Apple has not processed 1.0.0 (1) yet: {PROCESS}"


OTHER = "registry.fly.io/solserver@sha256:0"
NEXT_IMAGE = {
    "machine": {"image": OTHER},
    "image": {"reference": NEXT, "pinned": OTHER},
}


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("healthy", f"registry.fly.io/solserver@{DIGEST} was verified, and {OTHER} runs: run `pulumi up`"),
        ("backups", f"the restored backup is of registry.fly.io/solserver@{DIGEST}, but {OTHER} runs: run `pulumi up`"),
        ("smoke-test", f"the sign-offs are of 1.0.0 (0) with {IMAGE}, not of 1.0.0 (0) with {NEXT}: run `pulumi up`"),
    ],
)
def test_evidence_of_an_earlier_image(key: str, problem: str) -> None:
    found = finding(key, NEXT_IMAGE)

    assert (found.state, found.problem) == (State.MISSING, problem)


def test_machine_of_an_update_side_by_side() -> None:
    """It has another id than the resource."""
    assert "machine 9d5e in" in finding("machine", {"machine": {"machine_id": "9d5e"}}).text


def test_second_machine() -> None:
    two = replace(known(), resources=(*PROVEN.values(), MACHINE))

    found = next(finding for finding in examine(two, {}) if finding.row.key == "machine")

    assert (found.state, found.text) == (State.FAILED, "2 machines, and a backend runs on one")


def test_init_errors() -> None:
    """A resource that exists and is not initialised proves nothing."""
    half = Observed(kind=MACHINE.kind, id="148e", components=MACHINE.components, outputs={}, errors=("not healthy",))
    stack = replace(known({"machine": None}), resources=(half,))

    found = next(finding for finding in examine(stack, {}) if finding.row.key == "machine")

    assert (found.state, found.text) == (State.FAILED, "not healthy")


def test_postgres() -> None:
    """With a cluster, the rows on data read the cluster and its backup."""
    cluster = (
        observed("fly:ManagedPostgres", id="c1", region="sjc", plan="starter", pg_major_version="17"),
        observed("fly:PostgresAccess", database="solserver", host="db.example"),
        observed("fly:PostgresBackup", finished_at="today"),
        observed(
            "checks:PostgresRestoreDrill", backup_id="b1", restored_at="today", seconds=9.0, databases=["solserver"]
        ),
    )
    findings = {finding.row.key: finding for finding in examine(replace(known(), resources=cluster), {})}

    assert findings["database"].text == (
        "Postgres 17, cluster c1 in sjc, plan starter, database solserver at db.example, backed up today"
    )
    assert findings["backups"].text == (
        "backup b1 restored to a second cluster today, 9 s, with the databases solserver; rows not counted"
    )


def test_links() -> None:
    """Each link leads to the vendor's page of this very app."""
    links = {finding.row.key: finding.link for finding in examine(known(), {})}

    assert links["secrets"] == "https://fly.io/apps/solos/secrets"
    assert links["alerting"] == "https://fly.io/apps/solos-monitor/machines"
    assert links["healthy"] == "https://solos.fly.dev/health"
    assert links["no-crashes"] == "https://appstoreconnect.apple.com/apps/640/testflight/crashes"
    assert not any(finding.link for finding in examine(replace(known(), resources=()), {}))


def test_keys_are_unique() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)


def test_released_before_acceptance() -> None:
    """The row says in which of the two states the build was released, and is proven in both."""
    found = finding("distributed", {"distribution": {"internal_state": "READY_FOR_BETA_TESTING"}})

    assert found.state is State.OK
    assert "READY_FOR_BETA_TESTING when it was released, before a tester accepted the invitation" in found.text


def test_profile_of_extension() -> None:
    """The rows of the bundle ID and of signing cover the extensions."""
    profile = PROVEN["profile"]
    outputs = {**profile.outputs, "full_name": "SolOS App Store 9", "profile_state": "INVALID"}
    share = observed("appstore:Profile", profile.components, **outputs)
    identifier = observed("appstore:BundleId", identifier="example.sollabs.solos.Share")
    with_extension = replace(known(), resources=(identifier, *PROVEN.values(), share))

    found = {finding.row.key: finding for finding in examine(with_extension, {})}

    assert found["bundle-id"].text == "example.sollabs.solos (B1), and 1 of extensions"
    assert found["signing"].problem == "profile 'SolOS App Store 9' is INVALID: run `pulumi up`, which replaces it"


@pytest.mark.parametrize(
    ("key", "changes", "component", "problem"),
    [
        ("alerting", without_monitor(), "solos:Monitoring", "the monitor is not deployed yet: run `pulumi up`"),
        (
            "signing",
            {"profile": None},
            "solos:Signing",
            "the certificate and the profile are not created yet: run `pulumi up`",
        ),
    ],
)
def test_component_without_resources(key: str, changes: dict[str, Any], component: str, problem: str) -> None:
    """The first `up` has failed before it created them: they are configured."""
    before = known(changes)
    after = replace(before, resources=(*before.resources, observed(component)))

    assert next(finding for finding in examine(after, {}) if finding.row.key == key).problem == problem
