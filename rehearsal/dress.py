"""What is different when the production stack is launched against the doubles, from nothing."""

from pathlib import Path
from typing import Any

from project.files import read_toml
from rehearsal.cloud.fly.registry import app_of
from rehearsal.doubles import Doubles
from rehearsal.receivers import METRICS_TOKEN, receivers
from rehearsal.stack import RehearsalStack
from rehearsal.standins import ipa

LATER = ("signOffs", "declaredBy", "withdrawn", "earlierReleases")
"""Keys that are set after a launch. A first launch has none of them."""
OWN = ("imageBuild", "xcode", "archive")
"""Keys that build the image and the IPA with the team's own tools."""
MADE_HERE = ("signingSecrets", "flyApiToken", "ascKeyId", "ascIssuerId", "ascPrivateKey")
"""Secrets of the vendors that the doubles replace."""
SET = ("endpoints", "credentialsFile", "protect", "monitoring")
"""Keys that get another value, because the vendors and the receivers of alerts are doubles. Without a monitor, it gets none."""
PLACEHOLDER = "rehearsal"
PLACEHOLDERS = {"DATABASE_URL": "postgres://rehearsal:rehearsal@database.example/rehearsal"}
"""Secrets that have to have a form."""
OUTSIDE = ("external", "none")
"""The kinds of `database` for which the doubles have none."""


def changes(stack: RehearsalStack, doubles: Doubles) -> dict[str, Any]:
    """The keys to set in the copy of the production stack; None removes one. Prints what they are."""
    config = stack.config
    changed: dict[str, Any] = {
        "endpoints": doubles.endpoints,
        "credentialsFile": str(stack.folder / "credentials.json"),
        "protect": False,
        **(receivers(stack, doubles.control) if config.get("monitoring") else {}),
    }
    removed = [key for key in (*LATER, *OWN, *MADE_HERE) if key in config]
    changed |= dict.fromkeys(removed)
    database = config.get("database") or {}
    if "fromSnapshot" in database:
        changed["database"] = {key: value for key, value in database.items() if key != "fromSnapshot"}
        removed.append("database.fromSnapshot")
    replaced = [path for path in stack.removed_secrets if path.startswith(("secrets.", "monitoringSecrets."))]
    for path in replaced:
        key, _, name = path.partition(".")
        if key == "secrets":
            changed[key] = {
                **changed.get(key, config.get(key, {})),
                name: stack.encrypted(PLACEHOLDERS.get(name, PLACEHOLDER)),
            }
    if "archive" in removed or "xcode" in removed or not Path(str(config.get("ipa"))).exists():
        changed["ipa"] = str(_stand_in(stack))
        replaced.append("ipa")
    print(f"In the copy of the stack file, changed: {', '.join(key for key in SET if key in changed)}.")
    print(f"Replaced by values of this rehearsal: {', '.join(sorted(replaced)) or 'nothing'}.")
    print(
        f"Left out: {', '.join(sorted({*removed, *stack.removed_secrets} - {*replaced})) or 'nothing'}.\n", flush=True
    )
    return changed


def add_to_world(stack: RehearsalStack, doubles: Doubles) -> None:
    """Add the organisation, the image and the testers that the stack names: a dress rehearsal is about the rest.

    `make preflight` looks for them at the vendors.
    """
    config = stack.config
    org = config["org"]
    for token, may in ((doubles.credentials["FLY_API_TOKEN"], "all"), (METRICS_TOKEN, "read")):
        doubles.do("/fly/tokens", token=token, org=org, may=may)
    if app := app_of(config["image"]):
        doubles.do("/fly/apps", name=app, org=org, for_images=True)
    outside = (config.get("database") or {}).get("kind") in OUTSIDE
    doubles.do("/fly/images", reference=config["image"], health=_health_paths(config), own_database=outside)
    for tester in config["testers"]:
        doubles.do("/appstore/users", **tester)
    if domain := config.get("domain"):
        app = _app(config)
        doubles.do("/fly/dns", hostname=domain, points_to=app, challenge_of=app, owned_by=app)
    print(
        f"Assumed to exist: the organisation {config['org']}, {config['image']}, and the testers as users of the team. "
        "`make preflight` looks for them.\n",
        flush=True,
    )


def _stand_in(stack: RehearsalStack) -> Path:
    """An IPA that fits the stack."""
    config = stack.config
    return ipa.write(
        stack.folder / "solmobile.ipa",
        bundle_id=str(config["bundleId"]),
        version=str(config["version"]),
        build=str(config["build"]),
        info={"API_BASE_URL": f"https://{config.get('domain') or f'{_app(config)}.fly.dev'}"},
    )


def _health_paths(config: dict[str, Any]) -> list[str]:
    """Where the team's server answers: the paths of the HTTP checks of its fly.toml, and `healthPath`."""
    machine = _fly_toml(config)
    checks = _tables(machine.get("http_service", {}).get("checks"))
    for service in _tables(machine.get("services")):
        checks += _tables(service.get("http_checks"))
    named = machine.get("checks", {})
    checks += list(named.values()) if isinstance(named, dict) else _tables(named)
    return sorted({str(path) for path in (*(check.get("path") for check in checks), config.get("healthPath")) if path})


def _tables(found: Any) -> list[dict[str, Any]]:
    """A list of tables, which older files write as a single one."""
    return [found] if isinstance(found, dict) else list(found or ())


def _app(config: dict[str, Any]) -> str:
    return str(config.get("app") or _fly_toml(config).get("app", ""))


def _fly_toml(config: dict[str, Any]) -> dict[str, Any]:
    return read_toml(Path(config.get("flyToml") or "fly.toml"))
