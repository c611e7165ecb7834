"""The settings of a stack: which are accepted, and which are refused before any resource is declared."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from checklist.rows import waiver_problem
from components.backend.image_build import source_of
from components.settings import CREDENTIALS, BadSettings, Settings, read
from harness.program import ROOT, create_project, engine_config

GOOD: dict[str, Any] = {
    "org": "sol-labs",
    "image": "registry.fly.io/solserver:1.0.0",
    "bundleId": "com.sollabs.solos",
    "version": "1.0.0",
    "build": "0",
    "label": "v0",
    "ipa": "build/solmobile.ipa",
    "archive": "make ipa",
    "testers": [{"email": "ada@sollabs.example", "firstName": "Ada", "lastName": "Ferreira"}],
}
SIGNED = {"certificate": "DISTRIBUTION"}
TRIED = {"build": "1.0.0 (0)", "image": "registry.fly.io/solserver:1.0.0"}
MONITORING_SECRETS = {
    "metricsToken": "fm2_readonly",
    "page": "https://page.example/1",
    "ticket": "https://ticket.example/1",
    "heartbeat": "https://beat.example/1",
    "sinkToken": "glc_1",
}

Read = Callable[..., Settings]
Problems = Callable[..., tuple[str, ...]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project folder whose fly.toml a test may change."""
    create_project(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def settings(folder: Path) -> Read:
    def of(secret: tuple[str, ...] = (), **changes: Any) -> Settings:
        return read(engine_config({**GOOD, **changes}), [f"solos:{key}" for key in secret], folder, "solos")

    return of


@pytest.fixture
def problems(settings: Read) -> Problems:
    def of(secret: tuple[str, ...] = (), **changes: Any) -> tuple[str, ...]:
        with pytest.raises(BadSettings) as refused:
            settings(secret, **changes)
        return tuple(str(problem) for problem in refused.value.problems)

    return of


def edit(folder: Path, before: str, after: str) -> None:
    """Change one line of the folder's fly.toml."""
    text = (folder / "fly.toml").read_text()
    assert text.count(before) == 1
    (folder / "fly.toml").write_text(text.replace(before, after))


def test_project_declares_all_keys(folder: Path) -> None:
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    declared = {key: about for key, about in project.items() if ":" not in key}
    values = {key: about.get("default", "x") for key, about in declared.items()}

    with pytest.raises(BadSettings) as refused:
        read(engine_config({**values, "misspelt": "x"}), (), folder, "solos")

    (unknown,) = (problem for problem in refused.value.problems if problem.message == "is unknown")
    assert all(about["description"] for about in declared.values())
    assert unknown.key == "misspelt"
    assert set(unknown.remedy.removeprefix("known keys are ").split(", ")) == {*values, *CREDENTIALS}


def test_nested_defaults_are_stated(settings: Read) -> None:
    """The text of Pulumi.yaml states them as `region` (ord), and the code adds the same."""
    secrets = {name: value for name, value in MONITORING_SECRETS.items() if name not in ("ticket", "sinkToken")}
    found = settings(
        secret=("monitoringSecrets",),
        database={},
        imageBuild={"command": "make image"},
        monitoring={"page": "webhook", "uptimeCheck": "betterstack"},
        monitoringSecrets=secrets,
        signing={"certificate": "DISTRIBUTION"},
        xcode={"checkout": "."},
    )
    database, monitoring, signing, xcode = (
        found.backend.database,
        found.monitoring,
        found.ios.signing,
        found.ios.xcode,
    )
    assert monitoring
    assert signing
    assert xcode
    assert found.backend.image_build
    added: dict[str, dict[str, object]] = {
        "database": {
            "kind": database.kind,
            "plan": database.plan,
            "diskSizeGb": database.disk_size_gb,
            "pgMajorVersion": database.pg_major_version,
            "restoreDrill": database.restore_drill,
        },
        "imageBuild": {"context": found.backend.image_build.context},
        "monitoring": {
            "region": monitoring.region,
            "logs": monitoring.logs,
            "drill": monitoring.drill,
            "uptimeSeconds": monitoring.uptime_seconds,
        },
        "signing": {
            "profile": signing.profile,
            "renewBeforeDays": signing.renew_before_days,
            "revokeReplaced": signing.revoke,
        },
        "xcode": {"xcconfig": xcode.xcconfig, "exportOptions": xcode.export_options},
    }

    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    for key, defaults in added.items():
        stated = dict(re.findall(r"`(\w+)` \(([^<)]+)\)", project[key]["description"]))
        assert stated == {
            name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in defaults.items()
        }


def test_reports_all_problems(folder: Path, problems: Problems) -> None:
    edit(folder, "internal_port = 8080", 'internal_port = "8080"')

    found = problems(version="1.0.0-v0", testers=[], orgg="sol-labs", image="Not An Image")

    assert [problem.split(": ")[0] for problem in found] == [
        "version",
        "image",
        "fly.toml:29",
        "testers",
        "orgg",
    ]


def test_ipa_is_not_read(settings: Read) -> None:
    assert settings(archive=None, ipa="build/none.ipa").ios.ipa == Path("build/none.ipa")


def test_environment_of_commands(settings: Read, problems: Problems) -> None:
    always = ("PATH", "HOME", "LANG", "TMPDIR", "DEVELOPER_DIR")

    assert settings(passEnvironment="SSH_AUTH_SOCK PATH").ios.passed == (*always, "SSH_AUTH_SOCK")
    assert [problem.split("; ")[0] for problem in problems(passEnvironment="FLY_API_TOKEN a-b")] == [
        "passEnvironment: FLY_API_TOKEN is a credential of this launch, which commands do not get",
        "passEnvironment: 'a-b' is not the name of an environment variable",
    ]


def test_error_lists_problems(settings: Read) -> None:
    with pytest.raises(BadSettings) as refused:
        settings(label="", orgg="x")

    assert str(refused.value) == (
        "the settings have 2 problems; nothing was changed:\n"
        "  solos:label: is missing; run `pulumi config set label VALUE --stack STACK`\n"
        "  solos:orgg: is unknown; did you mean org?"
    )


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("protect", "perhaps", "must be true or false, not 'perhaps'"),
        ("waitForAppRecord", "long", "must be a whole number, not 'long'"),
        ("endpoints", ["http://127.0.0.1"], "must be an object"),
        ("testers", {"email": "ada@sollabs.example"}, "must be a list"),
        (
            "version",
            "1.0.0 (v0)",
            "version '1.0.0 (v0)' is not valid: Apple accepts one to three whole numbers joined by dots",
        ),
        ("build", "v0", "build 'v0' is not valid: Apple accepts one to three whole numbers joined by dots"),
        (
            "bundleId",
            "solos",
            "'solos' is not a valid bundle ID; use letters, digits and hyphens, in parts joined by dots",
        ),
        ("appName", "S", "the app name 'S' has 1 characters; Apple allows 2 to 30"),
        ("usesNonExemptEncryption", "no", "must be true or false, not 'no'"),
        (
            "minimumOs",
            "seventeen",
            "iOS 'seventeen' is not valid: Apple accepts one to three whole numbers joined by dots",
        ),
        (
            "usageDescriptions",
            "camera",
            "camera is not a usage description key; use, for example, NSCameraUsageDescription",
        ),
        (
            "withdrawn",
            "rows were lost",
            "is set, and `declaredBy` is empty, so there is no launch to withdraw; set `declaredBy` to who declared the launch",
        ),
        (
            "domain",
            "https://api.sollabs.example",
            "'https://api.sollabs.example' is not a valid hostname; write it in lower case, without https:// and without a path",
        ),
        ("domain", "*.sollabs.example", "*.sollabs.example is a wildcard; set the hostname that the app calls"),
        ("app", "Solos", "'Solos' is not a valid Fly app name; use 2 to 63 lower-case letters, digits and dashes"),
    ],
)
def test_refused_value(problems: Problems, key: str, value: Any, problem: str) -> None:
    assert problems(**{key: value}) == (f"{key}: {problem}",)


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("endpoints", {"flyy": "http://127.0.0.1"}, "endpoints.flyy: is unknown; did you mean fly?"),
        ("database", {"kind": "mysql"}, "database.kind: must be sqlite, postgres, external or none, not 'mysql'"),
        (
            "earlierReleases",
            {"v1": "gone"},
            "earlierReleases.v1: must be 'launched' or 'withdrawn: REASON', not 'gone'",
        ),
        (
            "earlierReleases",
            {"v0": "launched"},
            "earlierReleases.v0: is the current release, `label`; remove it, or change `label`",
        ),
        (
            "database",
            {"plan": "launch"},
            "database.plan: is only for kind postgres, but `database.kind` is sqlite; remove it",
        ),
        ("whatToTest", {"en-US": ["go"]}, "whatToTest.en-US: must be a string"),
        (
            "signOffs",
            {"of": TRIED, "eve@sollabs.example": {}},
            "signOffs.eve@sollabs.example: is not one of `testers`; these are ada@sollabs.example",
        ),
        (
            "waivers",
            {"alerting": {"reason": "later"}},
            "waivers.alerting: needs a `reason` and, in `by`, the name of who waives it; `until` is optional",
        ),
        (
            "waivers",
            {"no-crashes": {"reason": "Apple counts later", "by": "Mara", "until": "tomorrow"}},
            "waivers.no-crashes.until: must be a date like 2026-11-29, not 'tomorrow'",
        ),
        (
            "waivers",
            {"montoring": {"reason": "later", "by": "Mara"}},
            f"waivers.montoring: {waiver_problem('montoring')}",
        ),
        (
            "waivers",
            {"launched": {"reason": "later", "by": "Mara"}},
            "waivers.launched: cannot be waived: it does not block a launch",
        ),
        ("testers", ["ada@sollabs.example"], "testers[0]: must be an object"),
        ("testers", [{"mail": "ada@sollabs.example"}], "testers[0].mail: is unknown; did you mean email?"),
    ],
)
def test_refused_nested_value(problems: Problems, key: str, value: Any, problem: str) -> None:
    assert problems(**{key: value})[0] == problem


def without_volume(folder: Path) -> None:
    """Take what SQLite needs out of the folder's fly.toml."""
    text = (folder / "fly.toml").read_text()
    text = re.sub(r"\[\[mounts\]\].*?(?=^\[)", "", text, flags=re.DOTALL | re.MULTILINE)
    (folder / "fly.toml").write_text(re.sub(r".*DATABASE_PATH.*\n", "", text))


def test_sqlite_needs_volume(folder: Path, problems: Problems) -> None:
    without_volume(folder)

    assert (
        "fly.toml:1: [[mounts]] is missing; add it: without a volume the SQLite rows are lost at the next deploy"
        in problems()
    )


def test_both_kinds_of_problems(folder: Path, problems: Problems) -> None:
    """What cannot be read, and what is wrong with the rest, in one preview."""
    edit(folder, 'strategy = "rolling"', 'strategy = "fastest"\n  release_command = "bin/migrate"')
    edit(folder, "internal_port = 8080", "internal_port = 81")

    organisation, strategy, port, command = problems(org="Sol Labs")

    assert organisation.startswith("org: ")
    assert "[deploy] strategy must be one of rolling" in strategy
    assert "internal_port is 81" in port
    assert "release_command runs in a machine of its own" in command


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[[mounts]]", "[[mount_s]]"),
        ("[env]", "[envv]"),
        ("internal_port = 8080", 'internal_port = "web"'),
        ("primary_region =", "primary_regoin ="),
        ("destination = ", "destinatoin = "),
    ],
)
def test_no_consequences_of_problems(folder: Path, problems: Problems, before: str, after: str) -> None:
    """What cannot be read is not reported as missing too."""
    edit(folder, before, after)

    expected = ("is unknown; did you mean", "must be a whole number", "destination is missing")
    for problem in problems():
        assert any(text in problem for text in expected)


def test_release_command_needs_no_volume(folder: Path, problems: Problems) -> None:
    edit(folder, "[deploy]\n", '[deploy]\nrelease_command = "bin/migrate"\n')

    (problem,) = problems()

    assert "release_command runs in a machine of its own, without the volume at /data" in problem
    assert problem.endswith("run that command when the server starts, before it listens, and leave it out here")


def test_file_of_a_stack(folder: Path, settings: Read, problems: Problems) -> None:
    (folder / "fly.toml").rename(folder / "fly.staging.toml")
    edit_file = folder / "fly.staging.toml"

    assert settings(flyToml="fly.staging.toml").backend.region == "sjc"
    edit_file.write_text(edit_file.read_text().replace("internal_port = 8080", "internal_port = 81"))
    assert [problem.split(": ")[0].split(":")[0] for problem in problems(flyToml="fly.staging.toml")] == [
        "fly.staging.toml"
    ]


def test_health_path_is_of_the_file(folder: Path, settings: Read, problems: Problems) -> None:
    """The path of the first HTTP check on the port of a service, or `healthPath`."""
    file = folder / "fly.toml"
    text = file.read_text()
    checks = text.index("  [[http_service.checks]]")
    rest = text[text.index("\n[", checks) :]
    file.write_text(text[:checks] + rest)

    (missing,) = problems()
    assert "there is no HTTP check with a path on the port of a service" in missing
    assert settings(healthPath="/healthz").backend.health_path == "/healthz"
    file.write_text(f'{text[:checks]}{rest}\n[checks.other]\ntype = "http"\nport = 9090\npath = "/other"\n')
    assert "there is no HTTP check" in problems()[0]
    file.write_text(f'{text[:checks]}{rest}\n[checks.ready]\ntype = "http"\nport = 8080\npath = "/ready"\n')
    assert settings().backend.health_path == "/ready"


def test_postgres_needs_no_volume(folder: Path, settings: Read) -> None:
    without_volume(folder)

    database = settings(database={"kind": "postgres", "plan": "Launch", "diskSizeGb": "50"}).backend.database

    assert (database.kind, database.plan, database.disk_size_gb, database.pg_major_version) == (
        "postgres",
        "launch",
        50,
        "17",
    )


def test_org_by_display_name(problems: Problems) -> None:
    assert problems(org="Sol Labs, Inc.")[0] == (
        "org: 'Sol Labs, Inc.' is not the slug of a Fly organisation, but looks like its display name; "
        "use sol-labs-inc, if `fly orgs list` shows it"
    )


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("main.go", True),
        ("vendor/x.go", False),
        ("vendor/keep/x.go", True),
        ("docs/a.md", False),
        ("deep/docs/a.md", True),
        ("deep/tmp/a", False),
        ("server.log", False),
        (".dockerignore", True),
    ],
)
def test_dockerignore_counts(tmp_path: Path, file: str, counts: bool) -> None:
    """What Docker does not send changes no image."""
    (tmp_path / ".dockerignore").write_text("# comment\nvendor\n!vendor/keep\n/docs/\n**/tmp\n")
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    before = source_of(tmp_path)

    path.write_text("changed")

    assert (source_of(tmp_path) != before) == counts


def test_linked_source_counts(tmp_path: Path) -> None:
    """A change behind a link is a change of the source; a link to a folder around it ends."""
    shared, context = tmp_path / "shared", tmp_path / "context"
    shared.mkdir()
    context.mkdir()
    (shared / "lib.go").write_text("one")
    (context / "lib").symlink_to(shared)
    (context / "loop").symlink_to(context)
    before = source_of(context)

    (shared / "lib.go").write_text("two")

    assert source_of(context) != before


def test_external_database_is_given(folder: Path, settings: Read, problems: Problems) -> None:
    """Neon, Supabase or a cluster of one's own: the stack gets its URL, and only the host of it is shown."""
    without_volume(folder)
    url, given = "postgres://u:pa55@db.example:5432/app", {"kind": "external"}

    database = settings(("secrets",), database=given, secrets={"DATABASE_URL": url}).backend.database

    assert (database.kind, database.host) == ("external", "db.example")
    assert problems(database=given)[0].startswith("secrets.DATABASE_URL: is missing: connection string of the")
    (bad,) = problems(("secrets",), database=given, secrets={"DATABASE_URL": "mysql://u:pa55@h/d"})
    assert "pa55" not in bad
    assert "is not a connection string; write it like postgres://" in bad


def test_external_backup_is_declared(folder: Path, settings: Read, problems: Problems) -> None:
    without_volume(folder)
    secrets = {"DATABASE_URL": "postgres://u:p@db.example/app"}
    given = {"kind": "external", "restoredOn": "2026-11-20", "restoredBy": "Mara"}

    assert settings(("secrets",), database=given, secrets=secrets).backend.database.restored_by == "Mara"
    assert problems(("secrets",), database={**given, "restoredBy": ""}, secrets=secrets) == (
        "database: restored_on and restored_by belong together; set both, or neither",
    )
    assert problems(("secrets",), database={**given, "restoredOn": "last week"}, secrets=secrets) == (
        "database: must be a date like 2026-11-27, not 'last week'",
    )


def test_no_database_is_needed(folder: Path, settings: Read) -> None:
    without_volume(folder)

    assert settings(database={"kind": "none"}).backend.database.kind == "none"


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3"])
def test_bucket_needs_its_keys(problems: Problems, missing: str) -> None:
    names = ("BUCKET_NAME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_S3")
    secrets = {name: "x" for name in names if name != missing}

    (problem,) = problems(("secrets",), secrets=secrets)

    assert problem.startswith(f"secrets.{missing}: is missing, and BUCKET_NAME is set:")


def test_replica_of_the_database(folder: Path, settings: Read, problems: Problems) -> None:
    """Litestream with another path would replicate a file that does not exist, and stop the server's boot."""
    text = "dbs:\n  - path: /data/other.sqlite3\n"
    (folder / "litestream.yml").write_text(text)
    edit(folder, 'local_path = "monitoring/litestream.yml"', 'local_path = "litestream.yml"')

    (problem,) = problems()

    assert "litestream.yml replicates /data/other.sqlite3, and DATABASE_PATH is /data/solos.sqlite3" in problem
    (folder / "litestream.yml").write_text(text.replace("/data/other.sqlite3", "${DATABASE_PATH}"))
    assert settings().backend.database.kind == "sqlite"


def test_postgres_refuses_sqlite_settings(problems: Problems) -> None:
    found = problems(("secrets",), database={"kind": "postgres"}, secrets={"BUCKET_NAME": "b"})

    assert found == (
        (
            "fly.toml:18: [[mounts]] is only for SQLite, but `database.kind` is postgres; "
            "remove it; if the volume has rows, read infra-docs/SCALING.md, step 3, first"
        ),
        "fly.toml:15: [env] DATABASE_PATH is only for sqlite, but `database.kind` is postgres; remove it",
        "secrets.BUCKET_NAME: is only for sqlite, but `database.kind` is postgres; remove it",
    )


@pytest.mark.parametrize(
    ("database", "problem"),
    [
        ({"plan": "tiny"}, "database: plan must be one of basic, starter, launch, scale, performance, not 'tiny'"),
        ({"diskSizeGb": "5"}, "database: disk_size_gb must be 10 to 1000, not 5"),
        ({"diskSizeGb": "much"}, "database.diskSizeGb: must be a whole number, not 'much'"),
        ({"pgMajorVersion": "9"}, "database.pgMajorVersion: must be 16 or 17, not '9'"),
        (
            {"size": "5"},
            "database.size: is unknown; known keys are diskSizeGb, fromSnapshot, kind, name, pgMajorVersion, plan, restoreDrill, restoredBy, restoredOn, server",
        ),
    ],
)
def test_refused_cluster(folder: Path, problems: Problems, database: dict[str, str], problem: str) -> None:
    without_volume(folder)

    assert problems(database={"kind": "postgres", **database}) == (problem,)


def test_image_source_hash(folder: Path, settings: Read) -> None:
    def source() -> str:
        build = settings(imageBuild={"command": "make push", "context": "server"}).backend.image_build
        assert build is not None
        return build.source

    (folder / "server" / "node_modules").mkdir(parents=True)
    (folder / "server" / "Dockerfile").write_text("FROM node")
    first = source()
    (folder / "server" / "node_modules" / "left-pad.js").write_text("pad")

    assert source() == first
    (folder / "server" / "Dockerfile").chmod(0o755)
    assert source() != first


@pytest.mark.parametrize(
    ("build", "image", "problem"),
    [
        (
            {"context": "."},
            "solserver:1.0.0",
            "imageBuild.command: is missing; set the command that builds the image and pushes it as $IMAGE",
        ),
        (
            {"command": "make", "context": "nowhere"},
            "solserver:1.0.0",
            "imageBuild.context: the folder nowhere does not exist; set the folder with the Dockerfile",
        ),
        (
            {"command": "make"},
            f"solserver@sha256:{'0' * 64}",
            "image: is a digest, which is not known before imageBuild has run; set a tag",
        ),
    ],
)
def test_refused_image_build(problems: Problems, build: dict[str, str], image: str, problem: str) -> None:
    assert problems(imageBuild=build, image=image) == (problem,)


def test_invited_testers_need_names(problems: Problems) -> None:
    found = problems(testers=[{"email": "ada@sollabs.example", "firstName": "Ada"}], inviteTesters="true")

    assert found == ("testers: ada@sollabs.example needs a first and a last name to be invited",)


def test_refused_testers(problems: Problems) -> None:
    emails = ["ada@sollabs.example", "ada.sollabs.example", "ADA@sollabs.example"]

    found = problems(testers=[{"email": email} for email in emails])

    assert found == (
        "testers: 'ada.sollabs.example' is not a valid e-mail address",
        "testers: ada@sollabs.example is listed 2 times",
    )


def test_app_name_leaves_room(problems: Problems) -> None:
    (problem,) = problems(app="a" * 57, uniqueNames="true")

    assert "is not a valid Fly app name" in problem


def test_unencrypted_credential(problems: Problems) -> None:
    (problem,) = problems(flyApiToken="fo1_verysecret")

    assert problem.startswith("flyApiToken: is not encrypted")
    assert "verysecret" not in problem


def test_encrypted_credential(settings: Read) -> None:
    assert settings(("flyApiToken",), flyApiToken="fo1_verysecret").backend.org == "sol-labs"


def test_no_signing(settings: Read) -> None:
    assert settings().ios.signing is None


def test_signing_settings(settings: Read) -> None:
    signing = settings(signing={"certificate": "DISTRIBUTION", "renewBeforeDays": "45"}).ios.signing

    assert signing is not None
    assert (signing.profile, signing.renew_before_days, signing.revoke) == ("SolOS App Store", 45, False)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"certificate": "DEVELOPMENT"}, "signing.certificate: must be DISTRIBUTION or IOS_DISTRIBUTION"),
        ({"certificate": "DISTRIBUTION", "renewBeforeDays": "400"}, "signing.renewBeforeDays: "),
        (
            {"certificate": "DISTRIBUTION", "renewBeforeDays": "soon"},
            "signing.renewBeforeDays: must be a whole number",
        ),
        ({"certificate": "DISTRIBUTION", "revokeReplaced": "yes"}, "signing.revokeReplaced: must be"),
        ({"certificate": "DISTRIBUTION", "profile": "x" * 51}, "signing.profile: "),
    ],
)
def test_refused_signing(problems: Problems, changes: dict[str, str], problem: str) -> None:
    (found,) = problems(signing=changes)

    assert found.startswith(problem)


def test_extensions(settings: Read) -> None:
    given = {"Share": "APP_GROUPS PUSH_NOTIFICATIONS", "watchkitapp": ""}
    signing = settings(signing={"certificate": "DISTRIBUTION"}, extensions=given).ios.signing

    assert signing is not None
    assert signing.extensions == {"Share": {"APP_GROUPS": {}, "PUSH_NOTIFICATIONS": {}}, "watchkitapp": {}}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"extensions": {"Share": ""}}, "extensions: is set, and `signing` is empty"),
        (
            {"extensions": {"Share it": ""}, "signing": SIGNED},
            "extensions: 'Share it' is not the end of a bundle ID",
        ),
        ({"extensions": {"Share": "push"}, "signing": SIGNED}, "extensions: 'push' is not a capability type"),
    ],
)
def test_refused_extensions(problems: Problems, changes: dict[str, Any], problem: str) -> None:
    (found,) = problems(**changes)

    assert found.startswith(problem)


def test_p12_with_wrong_password(problems: Problems) -> None:
    secret = {"p12": "bm8gcDEy", "password": "hunter2"}

    (problem,) = problems(("signingSecrets",), signing={"certificate": "DISTRIBUTION"}, signingSecrets=secret)

    assert problem.startswith("signingSecrets.p12: the p12 does not open with its password")
    assert "hunter2" not in problem


def test_unencrypted_p12(problems: Problems) -> None:
    found = problems(signing={"certificate": "DISTRIBUTION"}, signingSecrets={"p12": "bm8gcDEy"})

    assert any("signingSecrets: is not encrypted" in problem for problem in found)


def test_refused_capability(problems: Problems) -> None:
    (problem,) = problems(capabilities={"push": {}})

    assert problem.startswith("capabilities: 'push' is not a capability type")


COMMIT = "89abcdef01"


def test_xcode_default_files(settings: Read, folder: Path) -> None:
    (folder / "solmobile").mkdir()

    xcode = settings(signing=SIGNED, xcode={"checkout": "solmobile"}).ios.xcode

    assert xcode is not None
    assert (xcode.xcconfig, xcode.export_options, xcode.commit) == ("Release.xcconfig", "ExportOptions.plist", "")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"checkout": ""}, "xcode.checkout: is missing; set the folder where solmobile is checked out"),
        ({"xcconfig": "../Release.xcconfig"}, "xcode.xcconfig: ../Release.xcconfig is not in the checkout"),
        ({"commit": "main"}, "xcode.commit: 'main' is not a commit hash"),
        ({"workspace": ""}, "xcode: needs either a `workspace` or a `project`"),
        ({"project": "SolMobile.xcodeproj"}, "xcode: needs either a `workspace` or a `project`"),
        ({"scheme": ""}, "xcode.scheme: is missing"),
    ],
)
def test_refused_xcode(problems: Problems, folder: Path, changes: dict[str, str], problem: str) -> None:
    (folder / "solmobile").mkdir()
    good = {"checkout": "solmobile", "workspace": "SolMobile.xcworkspace", "scheme": "Release", "commit": COMMIT}

    (found,) = problems(signing=SIGNED, archive=None, xcode={**good, **changes})

    assert found.startswith(problem)


def test_refused_archive_and_xcode(problems: Problems, folder: Path) -> None:
    (folder / "solmobile").mkdir()
    xcode = {"checkout": "solmobile", "project": "SolMobile.xcodeproj", "scheme": "Release", "commit": COMMIT}

    found = problems(xcode=xcode)

    assert len(found) == 2
    assert any(problem.startswith("xcode: needs `signing`") for problem in found)
    assert any(problem.startswith("archive: builds the IPA, and so does `xcode.commit`") for problem in found)


def test_numbers_and_booleans_in_objects(settings: Read) -> None:
    """`pulumi config set --path 'database.restoreDrill' false` stores a boolean."""
    found = settings(
        signing={"certificate": "DISTRIBUTION", "renewBeforeDays": 45, "revokeReplaced": True},
        database={"restoreDrill": False},
    )

    assert found.ios.signing is not None
    assert (found.ios.signing.renew_before_days, found.ios.signing.revoke) == (45, True)
    assert found.backend.database.restore_drill is False


def test_refused_port(folder: Path, problems: Problems) -> None:
    edit(folder, "internal_port = 8080", "internal_port = 9999")

    assert list(problems()) == [
        "fly.toml:29: internal_port is 9999, but the server listens on 8080, the PORT of [env]; set both to the same port"
    ]


def test_build_number_is_not_chosen(problems: Problems) -> None:
    """`next` is refused, with the command that asks Apple."""
    (problem,) = problems(build="next")

    assert problem.startswith("build: must be a number")
    assert "`make next-build STACK=NAME`" in problem


def test_project_of_another_name(folder: Path) -> None:
    """`pulumi new` gives the project a name, and that is the namespace of its keys, also in texts."""
    values = {
        f"acme-api:{key.removeprefix('solos:')}": value for key, value in engine_config({**GOOD, "label": ""}).items()
    }

    with pytest.raises(BadSettings) as refused:
        read(values, (), folder, "acme-api")

    assert refused.value.settings.backend.org == "sol-labs"
    assert str(refused.value).endswith(
        "\n  acme-api:label: is missing; run `pulumi config set label VALUE --stack STACK`"
    )


def test_template_asks_for_names() -> None:
    """`pulumi new` asks for every key without a default, except the testers, which are a list."""
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    required = {key for key, about in project["config"].items() if not about.keys() & {"default", "value"}}
    asked = project["template"]["config"]

    assert required - {"testers"} <= asked.keys() <= project["config"].keys()
    assert all(about["description"] for about in asked.values())
