"""Preflight finds what would stop a launch, with a remedy, and changes nothing."""

import shutil
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from harness.appstore import records
from harness.driver import Driven
from harness.inprocess import FLY_TOKEN, Doubles, control, route_to
from harness.program import IMAGE
from preflight.__main__ import CHECKS, main, table
from preflight.finding import Finding, Subject, Verdict, blocked, ok, run
from providers.fly.app import AppProvider
from providers.fly.image import ImageProvider
from providers.fly.machine import MachineProvider
from providers.fly.secrets import SecretsProvider
from providers.fly.volume import VolumeProvider
from rehearsal.cloud.world import World
from tests.preflight.conftest import APP, Preflight

READING_POST = "/v1/platform/placements"
Arrange = Callable[[World, Preflight], object]


def test_all_rows_ok(preflight: Preflight) -> None:
    findings = preflight()

    assert [
        (name, finding) for name, row in findings.items() for finding in row if finding.verdict is not Verdict.OK
    ] == []
    assert list(findings) == [name for group in CHECKS.values() for name in group]


def test_read_only(world: World, preflight: Preflight) -> None:
    before = len(world.journal.entries())

    preflight()

    calls = world.journal.entries()[before:]
    writes = [call for call in calls if call["method"] not in ("GET", "HEAD") and call["path"] != READING_POST]
    assert len(calls) > 10
    assert {call["status"] for call in writes} == {409}, "empty requests, which show what the key may do"


def stranger(world: World, name: str) -> None:
    control(world, "POST", "/fly/apps", {"name": name, "org": "strangers"})


def image_of_stranger(world: World, preflight: Preflight) -> None:
    stranger(world, "solos-taken")
    preflight.values["image"] = "registry.fly.io/solos-taken:1.0.0"


def without_record(world: World, preflight: Preflight) -> None:
    for app in world.store.all("appstore.apps"):
        world.store.delete("appstore.apps", app["id"])


def without_bundle_id(world: World, preflight: Preflight) -> None:
    without_record(world, preflight)
    preflight.values["bundleId"] = "com.sollabs.new"


def built(world: World, preflight: Preflight) -> None:
    """Build 0 is at Apple, and this stack knows nothing of it."""
    (app,) = world.store.all("appstore.apps")
    attributes = {"version": "0", "processingState": "VALID"}
    release = records(world).new("preReleaseVersions", {"version": "1.0.0"}, {"app": app["id"]})
    links = {"app": app["id"], "preReleaseVersion": release["id"]}
    now = world.clock.now()
    times = {"visible_at": now, "valid_at": now, "beta_at": now, "uploaded_at": now, "outcome": "VALID"}
    records(world).save({**records(world).new("builds", attributes, links), **times})


def configure(**values: Any) -> Arrange:
    return lambda world, preflight: preflight.values.update(values)


BLOCKED: dict[str, tuple[str, Arrange, str, str]] = {
    "the CLI cannot use the stack": (
        "Stack",
        lambda world, preflight: setattr(preflight, "problem", "no stack named 'prod' found"),
        "no stack named 'prod' found",
        "pulumi stack init prod",
    ),
    "a wrong version": ("Settings", configure(version="1.0.0 (v0)"), "solos:version", ""),
    "a secret that everybody can read": (
        "Secrets",
        lambda world, preflight: preflight.secrets.discard("monitoringSecrets"),
        "is not encrypted",
        "pulumi config set --secret",
    ),
    "no IPA": ("IPA", configure(archive="", ipa="build/none.ipa"), "build/none.ipa", "set `archive`"),
    "a revoked Fly token": (
        "Fly token",
        configure(flyApiToken="nonsense"),
        "Fly refuses it",
        "fly tokens create org",
    ),
    "no Fly token": ("Fly token", configure(flyApiToken=""), "the Fly token is missing", ""),
    "a token of another organisation": (
        "Fly token",
        configure(flyApiToken="fo1_strangers"),
        "does not belong to organisation 'sol-labs'",
        "fly tokens create org -o sol-labs",
    ),
    "a token for one other app": (
        "Fly token",
        lambda world, preflight: world.store.put(
            "fly_token", "fo1_rehearsal", {"token": "fo1_rehearsal", "org": "sol-labs", "may": "all", "apps": ["other"]}
        ),
        "limited to other; the stack has solos-prod",
        "fly tokens create org",
    ),
    "an organisation that is not ours": (
        "Organisation",
        configure(org="nobody"),
        "no organisation 'nobody'",
        "fly orgs list",
    ),
    "a taken app name": ("App name", lambda world, preflight: stranger(world, APP), "is taken", "`app`"),
    "a taken monitor name": (
        "App name",
        lambda world, preflight: stranger(world, f"{APP}-monitor"),
        "solos-prod-monitor is taken",
        "`app`",
    ),
    "a full region": (
        "Region",
        lambda world, preflight: world.store.put("fly_full", "sjc", {}),
        "sjc has no capacity",
        "primary_region of fly.toml",
    ),
    "a region that does not exist": (
        "Region",
        configure(monitoring={"page": "webhook", "logs": "false", "region": "xxx"}),
        "no region 'xxx'",
        "monitoring.region",
    ),
    "an image that was never pushed": (
        "Image",
        configure(image="registry.fly.io/solserver:9.9.9"),
        "HTTP 404",
        "push it first",
    ),
    "an image in a repository without an app": (
        "Image",
        configure(image="registry.fly.io/solos-images:1.0.0"),
        "registry.fly.io/solos-images takes no push: there is no app solos-images",
        "`fly apps create solos-images -o sol-labs`, `fly auth docker`, then push",
    ),
    "an image in the repository of somebody else": (
        "Image",
        image_of_stranger,
        "the app solos-taken belongs to another organisation",
        "set `image` to its repository",
    ),
    "a metrics token that is refused": (
        "Metrics token",
        lambda world, preflight: preflight.values["monitoringSecrets"].update(metricsToken="nonsense"),
        "refuses the monitor's token",
        "fly tokens create readonly",
    ),
    "a token of Better Stack that is refused": (
        "Uptime check",
        lambda world, preflight: preflight.values.update(
            betterStackApiToken="nonsense",
            monitoring={**preflight.values["monitoring"], "uptimeCheck": "betterstack"},
        ),
        "Invalid Team API token",
        "set BETTERSTACK_API_TOKEN",
    ),
    "a revoked key": (
        "App Store key",
        lambda world, preflight: control(world, "DELETE", f"/appstore/keys/{preflight.values['ascKeyId']}"),
        "Apple refuses it",
        "create a new key there",
    ),
    "no key": ("App Store key", configure(ascKeyId=""), "the App Store Connect key ID is missing", ""),
    "an agreement that nobody has signed": (
        "Agreements",
        lambda world, preflight: control(world, "POST", "/appstore/agreements", {"in_effect": False}),
        "a required agreement",
        "the Account Holder signs it",
    ),
    "no app record": ("App record", without_record, "missing", "Bundle ID: com.sollabs.solos; SKU"),
    "a tester without an account": (
        "Testers",
        configure(testers=[{"email": "noor@sollabs.example"}]),
        "noor@sollabs.example is not a user of the team",
        "https://appstoreconnect.apple.com/access/users",
    ),
    "a build number that is used up": (
        "Build number",
        built,
        "1.0.0 already has 0",
        "make next-build` sets 0.1",
    ),
}


@pytest.mark.parametrize("case", BLOCKED)
def test_blocked_with_remedy(world: World, preflight: Preflight, case: str) -> None:
    name, arrange, text, remedy = BLOCKED[case]
    arrange(world, preflight)

    blocked = [finding for finding in preflight.row(name) if finding.verdict is Verdict.BLOCKED]

    assert blocked, preflight.row(name)
    assert text in blocked[0].text
    assert remedy in f"{blocked[0].text} {blocked[0].remedy}"


def test_individual_key(world: World, preflight: Preflight) -> None:
    """An individual key cannot use provisioning endpoints."""
    known = world.store.get("appstore.keys", preflight.values["ascKeyId"])
    assert known
    control(world, "POST", "/appstore/keys", {**known, "issuer_id": None})
    preflight.values["ascIssuerId"] = ""

    (finding,) = preflight.row("App Store key")

    assert finding.verdict is Verdict.BLOCKED
    assert "use a team key with the role Admin" in finding.remedy


def with_role(world: World, preflight: Preflight, role: str) -> None:
    key = world.store.get("appstore.keys", preflight.values["ascKeyId"]) or {}
    world.store.put("appstore.keys", key["key_id"], {**key, "role": role})


@pytest.mark.parametrize(
    ("role", "changes", "denied"),
    [
        ("ADMIN", {"inviteTesters": "true"}, ""),
        ("APP_MANAGER", {}, "certificates"),
        ("APP_MANAGER", {"signing": {}}, ""),
        ("APP_MANAGER", {"signing": {}, "inviteTesters": "true"}, "userInvitations"),
        ("DEVELOPER", {"signing": {}}, "bundleIds"),
        ("DEVELOPER", {}, "bundleIds, profiles, certificates"),
    ],
)
def test_role(world: World, preflight: Preflight, role: str, changes: dict[str, Any], denied: str) -> None:
    """What the key may do is known before the first write."""
    with_role(world, preflight, role)
    preflight.values.update({"signing": {"certificate": "DISTRIBUTION"}, **changes})

    (finding,) = preflight.row("Key's role")

    assert (finding.verdict is Verdict.BLOCKED) == bool(denied)
    assert not denied or finding.text == f"it may not create {denied}"


def test_users_hidden(world: World, preflight: Preflight) -> None:
    with_role(world, preflight, "APP_MANAGER")
    control(world, "POST", "/appstore/settings", {"users_need_admin": True})

    (finding,) = preflight.row("Testers")

    assert (finding.verdict, finding.text) == (Verdict.WARNING, "this key cannot see the team's users")


def test_refused_key_reported_once(world: World, preflight: Preflight) -> None:
    control(world, "DELETE", f"/appstore/keys/{preflight.values['ascKeyId']}")

    findings = preflight()

    assert findings["Testers"][0].remedy == "fix the row App Store key first"
    assert findings["Fly token"][0].verdict is Verdict.OK


@pytest.mark.parametrize(("seconds", "verdict"), [(5, Verdict.OK), (45, Verdict.WARNING), (300, Verdict.BLOCKED)])
def test_clock_skew(
    world: World, preflight: Preflight, monkeypatch: pytest.MonkeyPatch, seconds: float, verdict: Verdict
) -> None:
    """Clock skew is reported before Apple refuses tokens."""
    monkeypatch.setattr(world.clock, "wall", lambda: world.clock.now() + seconds)

    (apples, flys) = preflight.row("Clock")

    assert (apples.verdict, flys.verdict) == (verdict, verdict)
    assert ("set the clock" in apples.remedy) == (verdict is Verdict.BLOCKED)


@pytest.mark.parametrize(("free", "verdict"), [(50e9, Verdict.OK), (1e9, Verdict.WARNING), (1e8, Verdict.BLOCKED)])
def test_disk_space(preflight: Preflight, monkeypatch: pytest.MonkeyPatch, free: float, verdict: Verdict) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=free))

    assert preflight.row("Disk")[0].verdict is verdict


@pytest.mark.parametrize(
    ("version", "verdict"),
    [("v3.260.0", Verdict.OK), ("v3.100.1", Verdict.WARNING), ("v2.25.2", Verdict.BLOCKED), ("", Verdict.BLOCKED)],
)
def test_cli_version(preflight: Preflight, monkeypatch: pytest.MonkeyPatch, version: str, verdict: Verdict) -> None:
    monkeypatch.setattr("preflight.computer._version", lambda program: version)

    (finding,) = preflight.row("Pulumi CLI")

    assert finding.verdict is verdict
    assert finding.remedy.startswith("update it") == (verdict is not Verdict.OK)


def test_missing_programs(preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preflight.computer.shutil.which", lambda program, **_: None)

    findings = preflight()

    assert "install it from" in findings["Pulumi CLI"][0].remedy
    assert "starts with 'xcodebuild', which is not installed" in findings["Archive"][0].text


def certificates(world: World, count: int) -> list[str]:
    expires = "2027-11-27T00:00:00.000+0000"
    return [
        str(
            records(world).new(
                "certificates",
                {"certificateType": "DISTRIBUTION", "serialNumber": f"5E{number}", "expirationDate": expires},
            )["id"]
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(("count", "verdict"), [(0, Verdict.OK), (2, Verdict.WARNING), (3, Verdict.BLOCKED)])
def test_certificate_limit(world: World, preflight: Preflight, count: int, verdict: Verdict) -> None:
    certificates(world, count)

    (finding,) = preflight.row("Certificates")

    assert finding.verdict is verdict
    assert ("revoke an unused one" in finding.remedy) == bool(count)


def test_builds_signed_elsewhere(world: World, preflight: Preflight) -> None:
    """Builds that are signed elsewhere need no certificate."""
    certificates(world, 3)
    preflight.values["signing"] = {}

    assert preflight.row("Certificates") == [ok("builds are signed elsewhere: `signing` is empty")]


def test_resources_of_stack_are_ok(world: World, preflight: Preflight) -> None:
    """Resources that the stack has already created block nothing."""
    built(world, preflight)
    uploaded(preflight)
    world.store.put("fly_full", "sjc", {})
    control(world, "POST", "/fly/apps", {"name": APP, "org": "sol-labs"})
    preflight.resource_ids = {
        "fly:App": frozenset({APP}),
        "fly:Machine": frozenset({"a", "b"}),
        "appstore:Certificate": frozenset(certificates(world, 3)),
    }

    findings = preflight()

    assert findings["App name"][0] == ok("solos-prod belongs to this stack")
    assert findings["Region"] == [ok("sjc: the machine exists")]
    assert findings["Certificates"] == [ok("the certificate of this stack is valid until 2027-11-27")]
    assert findings["Build number"][0].verdict is Verdict.OK


def test_unreachable_host(world: World, preflight: Preflight, configured: Callable[[Any], Any]) -> None:
    Driven(configured(AppProvider)).up(name=APP, org="sol-labs")
    image = Driven(configured(ImageProvider))
    image.up(reference=preflight.values["image"])
    volume = Driven(configured(VolumeProvider))
    volume.up(app=APP, name="data", region="sjc", size_gb=1)
    machine = Driven(configured(MachineProvider))
    machine.up(
        app=APP,
        name="solserver",
        region="sjc",
        config={"env": {"DATABASE_PATH": "/x.db"}, "mounts": [{"path": "/data", "name": "data"}]},
        image=image.outputs["pinned"],
        volume_id=volume.id,
    )
    preflight.resource_ids = {"fly:App": frozenset({APP}), "fly:Machine": frozenset({machine.id})}
    control(world, "POST", "/fly/hosts", {"machine": machine.id, "status": "unreachable"})

    _, *found = preflight.row("Region")

    assert [finding.verdict for finding in found[:2]] == [Verdict.BLOCKED, Verdict.BLOCKED]
    assert f"machine {machine.id} of app {APP} is on a host that Fly reports as unreachable" in found[0].text
    assert f"volume {volume.id} of app {APP} is on a host that Fly reports as unreachable" in found[1].text


def test_staged_secrets(world: World, preflight: Preflight, configured: Callable[[Any], Any]) -> None:
    """Somebody has run `fly secrets set --stage`."""
    Driven(configured(AppProvider)).up(name=APP, org="sol-labs")
    preflight.resource_ids = {"fly:App": frozenset({APP})}
    assert [finding.verdict for finding in preflight.row("Fly objects")] == [Verdict.OK]
    image = "registry.fly.io/solserver:1.0.0"
    fly(world, "POST", f"/v1/apps/{APP}/machines", {"region": "sjc", "config": {"image": image}})
    world.clock.sleep(5)
    fly(world, "POST", f"/v1/apps/{APP}/secrets", {"values": {"STAGED": "top-secret"}})

    finding = preflight.row("Fly objects")[-1]

    assert finding.verdict is Verdict.WARNING
    assert finding.text == f"secrets of {APP} are staged, and its next update takes them along: STAGED"


def test_app_made_by_hand(world: World, preflight: Preflight) -> None:
    """An app that is not in the stack is a warning."""
    control(world, "POST", "/fly/apps", {"name": APP, "org": "sol-labs"})

    finding = preflight.row("App name")[0]

    assert finding.verdict is Verdict.WARNING
    assert "python -m adoption --stack prod" in finding.remedy


def test_lost_state(world: World, preflight: Preflight, configured: Callable[[Any], Any]) -> None:
    """What exists is listed, and that this is not a first deployment: a preview would show only creations."""
    Driven(configured(AppProvider)).up(name=APP, org="sol-labs")
    Driven(configured(VolumeProvider)).up(app=APP, name="data", region="sjc", size_gb=10)
    Driven(configured(SecretsProvider)).up(app=APP, values={"SESSION_SECRET": "one"})

    texts = [finding.text for finding in preflight.row("Fly objects")]

    assert texts[0] == f"`up` adopts app {APP}"
    assert texts[1].startswith("`up` adopts volume vol_")
    assert texts[2] == "`up` adopts secret SESSION_SECRET, with the value that it has"
    assert texts[3] == "this is not a first deployment, but the state of the stack is empty"


def test_second_volume(world: World, preflight: Preflight, configured: Callable[[Any], Any]) -> None:
    Driven(configured(AppProvider)).up(name=APP, org="sol-labs")
    Driven(configured(VolumeProvider)).up(app=APP, name="other", region="sjc", size_gb=10)

    (finding,) = preflight.row("Fly objects")

    assert finding.verdict is Verdict.BLOCKED
    assert "this stack would not use it but volume data in sjc, which is empty" in finding.text


def test_bundle_id_of_another_stack(preflight: Preflight) -> None:
    preflight.claimed = {"bundle ID com.sollabs.solos": "production"}

    (finding,) = preflight.row("Other stacks")

    assert finding.verdict is Verdict.BLOCKED
    assert finding.text == "bundle ID com.sollabs.solos belongs to stack production of the same backend"


def test_app_record_comes_later(world: World, preflight: Preflight) -> None:
    """The app record of a new bundle ID is created after the first `up`."""
    without_bundle_id(world, preflight)

    finding = preflight.row("App record")[0]

    assert finding.verdict is Verdict.WARNING
    assert "have the Account Holder ready" in finding.remedy


def test_custom_hostname(world: World, preflight: Preflight) -> None:
    """A custom hostname needs DNS records."""
    preflight.values["domain"] = "api.sollabs.example"
    assert preflight.row("Hostname")[0].verdict is Verdict.WARNING

    certify(world, preflight.values["domain"])
    (finding,) = preflight.row("Hostname")
    assert finding.verdict is Verdict.BLOCKED
    assert "create the DNS records " in finding.remedy
    assert "api.sollabs.example" in finding.remedy
    preflight.values["waitForDomain"] = "600"
    (finding,) = preflight.row("Hostname")
    assert (finding.verdict, "`up` waits 600 s" in finding.text) == (Verdict.WARNING, True)

    control(world, "POST", "/fly/dns", {"hostname": "api.sollabs.example", "points_to": APP})
    assert preflight.row("Hostname")[0].verdict is Verdict.OK


def certify(world: World, hostname: str) -> None:
    """An app with addresses, of which a certificate was asked for."""
    control(world, "POST", "/fly/apps", {"name": APP, "org": "sol-labs"})
    world.clock.sleep(5)
    for path, body in (
        ("ip_assignments", {"type": "shared_v4"}),
        ("ip_assignments", {"type": "v6"}),
        ("certificates/acme", {"hostname": hostname}),
    ):
        fly(world, "POST", f"/v1/apps/{APP}/{path}", body)


def fly(world: World, method: str, path: str, body: dict[str, Any]) -> None:
    with httpx.Client(transport=Doubles(world), base_url="http://fly.test") as client:
        client.request(method, path, json=body, headers={"Authorization": f"Bearer {FLY_TOKEN}"}).raise_for_status()


def test_invalid_image_reference(preflight: Preflight) -> None:
    """The row of the settings reports it."""
    preflight.values["image"] = "Solserver:1.0.0"

    findings = preflight()

    assert "is not a valid image reference" in findings["Settings"][0].text
    assert findings["Image"] == [blocked("not checked", "fix the row Settings first")]


def test_image_that_is_built(world: World, preflight: Preflight) -> None:
    """The push needs an app too, which the command may create; that of another organisation is never usable."""
    preflight.values["imageBuild"] = {"command": "make image"}
    assert preflight.row("Image") == [ok(f"{IMAGE} is built by `up`: `imageBuild`")]

    preflight.values["image"] = "registry.fly.io/solos-images:1.0.0"
    missing, built_by_up = preflight.row("Image")

    assert (missing.verdict, built_by_up.verdict) == (Verdict.WARNING, Verdict.OK)
    assert "there is no app solos-images" in missing.text
    assert missing.remedy.endswith("then run `pulumi up`, which builds and pushes the image")

    image_of_stranger(world, preflight)
    assert [finding.verdict for finding in preflight.row("Image")] == [Verdict.BLOCKED]


def test_region_without_postgres(world: World, preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
    """It matters for a new cluster only."""

    class Without(Doubles):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            if not request.url.path.endswith("/platform/regions"):
                return response
            regions = [{**region, "mpg_available": False} for region in response.json()["regions"]]
            return httpx.Response(200, json={"regions": regions})

    route_to(monkeypatch, world, Without(world))
    preflight.values["database"] = {"kind": "postgres"}

    assert blocked("sjc has no Managed Postgres", "choose another region: primary_region of fly.toml") in preflight.row(
        "Region"
    )
    preflight.resource_ids = {"fly:ManagedPostgres": frozenset({"cluster"})}
    assert all(finding.verdict is Verdict.OK for finding in preflight.row("Region"))


def test_failing_check_is_isolated(preflight: Preflight) -> None:
    """A check that fails or hangs does not affect the others."""

    def breaks(subject: Subject) -> Any:
        raise ZeroDivisionError("of all things")

    def hangs(subject: Subject) -> Any:
        time.sleep(2)
        yield ok("too late")

    def works(subject: Subject) -> Any:
        yield ok("well")

    findings = run({"a": breaks, "b": hangs, "c": works}, None, seconds=0.2)  # type: ignore[arg-type]  # these checks need no subject

    assert "ZeroDivisionError: of all things (a bug, at" in findings["a"][0].text
    assert "no response within 0.2 s" in findings["b"][0].text
    assert findings["c"] == [ok("well")]


def test_table() -> None:
    rows = {name: [ok("well")] for group in CHECKS.values() for name in group}
    rows["Disk"] = [Finding(Verdict.BLOCKED, "0.1 GB free", "make room")]

    shown = "\n".join(table("prod", rows))

    assert "  blocked  Disk            0.1 GB free\n                           → make room\n" in shown
    assert shown.endswith(f"{len(rows) - 1} ok, 0 warnings, 1 blocked.")


def test_unreadable_stack(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    monkeypatch.setattr("preflight.stack.shutil.which", lambda program: None)

    assert main(["--stack", "rehearsal"]) == 1

    assert "set PULUMI_CONFIG_PASSPHRASE to the one it was created with" in capsys.readouterr().err


def test_tester_to_invite(preflight: Preflight) -> None:
    """A tester whom `up` invites is a warning."""
    noor = {"email": "noor@sollabs.example", "firstName": "Noor", "lastName": "Haddad"}
    preflight.values.update(testers=[noor], inviteTesters="true")

    (finding,) = preflight.row("Testers")

    assert (finding.verdict, finding.text) == (
        Verdict.WARNING,
        "noor@sollabs.example is not a user of the team; `up` invites them",
    )


def uploaded(preflight: Preflight, version: str = "0") -> None:
    """The stack has uploaded a build, and this computer has neither the IPA nor the program that archives it."""
    preflight.build = {"app_id": "6740000001", "short_version": "1.0.0", "version": version}
    preflight.values |= {"archive": "none-such", "ipa": "build/none.ipa"}


def test_uploaded_build_needs_no_ipa(preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
    uploaded(preflight)
    monkeypatch.setattr("preflight.computer.shutil.which", lambda program, **_: None)

    assert preflight.row("IPA") == [ok("not needed: 1.0.0 (0) is uploaded")]
    assert preflight.row("Archive") == [ok("not needed: the build is uploaded")]


def test_no_build_yet(preflight: Preflight) -> None:
    """No IPA is fine while Apple has accepted none."""
    preflight.values |= {"archive": "", "ipa": ""}
    (finding,) = preflight.row("IPA")
    assert (finding.verdict, finding.text.partition(":")[0]) == (Verdict.OK, "no build yet")

    preflight.build = {"app_id": "6740000001", "short_version": "1.0.0", "version": "0"}
    assert preflight.row("IPA") == [finding]
    preflight.resource_ids = {"appstore:ProcessedBuild": frozenset({"B1"})}
    (finding,) = preflight.row("IPA")
    assert finding.verdict is Verdict.BLOCKED
    assert "the testers would lose it" in finding.text


def test_lowered_build_number(preflight: Preflight) -> None:
    uploaded(preflight, "7")

    (finding,) = preflight.row("IPA")

    assert finding.verdict is Verdict.BLOCKED
    assert "build 0 of 1.0.0 is lower than build 7 of 1.0.0" in finding.text
