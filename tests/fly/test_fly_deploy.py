"""Together with flyctl: `fly deploy` with the same file is no change; other changes of the machine are drift and repaired."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.driver import Driven
from harness.inprocess import FLY_TOKEN, Doubles
from providers.fly.appconfig import load
from providers.fly.machine import MachineProvider
from providers.fly.safe_update import machine_config
from providers.fly.secrets import SecretsProvider
from rehearsal.cloud.world import World
from tests.fly.backend import at_fly
from tests.fly.conftest import Configured
from tests.fly.flytoml import EVERYTHING, RENDERED

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def declared(arguments: dict[str, Any], configured: Configured, tmp_path: Path) -> dict[str, Any]:
    """The arguments of a machine with all supported sections of fly.toml."""
    (tmp_path / "motd").write_text("hello")
    (tmp_path / "fly.toml").write_text(EVERYTHING)
    secrets = Driven(configured(SecretsProvider))
    secrets.up(app="solos-prod", values={"KEY": "a2V5"})
    config = load(tmp_path / "fly.toml").config
    return {**arguments, "config": config, "secrets_version": secrets.outputs["version"]}


@pytest.fixture
def deployed(configured: Configured, declared: dict[str, Any]) -> Driven:
    machine = Driven(configured(MachineProvider))
    machine.up(**declared)
    return machine


def by_hand(world: World, edit: Edit) -> None:
    """Another client changes the config, for example `fly machine update`."""
    machine = at_fly(world)
    edit(machine["config"])
    world.store.put("fly_machine", machine["id"], {**machine, "instance_id": "01BYHAND000000000000000000"})


def fly_deploy(world: World) -> None:
    """`fly deploy` with the same file and image: the calls that flyctl makes, and its own rendering."""
    fly = httpx.Client(
        transport=Doubles(world), base_url="http://fly.test/v1", headers={"Authorization": f"Bearer {FLY_TOKEN}"}
    )
    (machine,) = (
        item
        for item in fly.get("/apps/solos-prod/machines").json()
        if item["config"]["metadata"].get("fly_platform_version") == "v2"
    )
    path = f"/apps/solos-prod/machines/{machine['id']}"
    nonce = fly.post(f"{path}/lease", params={"ttl": 13}).json()["data"]["nonce"]
    config = copy.deepcopy(machine["config"]) | copy.deepcopy(RENDERED)
    config["image"] = "registry.fly.io/solserver:1.0.0"
    config["mounts"][0]["volume"] = machine["config"]["mounts"][0]["volume"]
    config["metadata"] = machine["config"]["metadata"] | {
        "fly_platform_version": "v2",
        "fly_process_group": "app",
        "fly_flyctl_version": "0.4.120",
        "fly_release_id": "by-flyctl",
        "fly_release_version": "7",
        "fly_builder_id": "a-remote-builder",
    }
    headers = {"fly-machine-lease-nonce": nonce}
    fly.post(path, json={"config": config}, headers=headers).raise_for_status()
    fly.get(f"{path}/wait", params={"state": "started", "timeout": 60}).raise_for_status()
    world.clock.sleep(5)
    fly.delete(f"{path}/lease", headers=headers).raise_for_status()


def test_refresh_after_up(deployed: Driven, declared: dict[str, Any]) -> None:
    before = dict(deployed.inputs)

    deployed.refresh()

    assert deployed.inputs == before
    assert not deployed.diff(**declared).changes


def test_equal_deploy_changes_nothing(deployed: Driven, declared: dict[str, Any], world: World) -> None:
    version, before = deployed.outputs["instance_id"], dict(deployed.inputs)

    fly_deploy(world)
    deployed.refresh()
    deployed.up(**declared)

    assert deployed.outputs["instance_id"] != version
    assert deployed.inputs == before
    assert deployed.steps[-1] == "same"


def test_up_after_fly_deploy(deployed: Driven, declared: dict[str, Any], world: World) -> None:
    fly_deploy(world)  # And nobody refreshes.

    deployed.up(
        **{
            **declared,
            "config": {**declared["config"], "env": {**declared["config"]["env"], "PORT": "8080", "NEW": "1"}},
        }
    )

    assert at_fly(world)["config"]["env"]["NEW"] == "1"
    assert at_fly(world)["config"]["metadata"]["fly_platform_version"] == "v2"


def set_in(*path: Any, value: Any) -> Edit:
    """An edit of one field of the config."""

    def edit(config: dict[str, Any]) -> None:
        place: Any = config
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (set_in("env", "PORT", value="9090"), "env.PORT"),
        (set_in("env", "ADDED", value="x"), "env.ADDED"),
        (lambda config: config["env"].pop("DEBUG"), "env.DEBUG"),
        (set_in("guest", "memory_mb", value=512), "guest.memory_mb"),
        (set_in("services", 0, "concurrency", "hard_limit", value=9), "services[0].concurrency.hard_limit"),
        (set_in("services", 0, "autostop", value=True), "services[0].autostop"),
        (set_in("services", 0, "autostop", value="suspend"), "services[0].autostop"),
        (set_in("services", 0, "ports", 0, "force_https", value=False), "services[0].ports[0].force_https"),
        (set_in("services", 0, "checks", 0, "path", value="/"), "services[0].checks[0].path"),
        (set_in("services", 0, "checks", 0, "interval", value="16s"), "services[0].checks[0].interval"),
        (lambda config: config["services"].pop(), "services"),
        (set_in("checks", "ready", "kind", value="readiness"), "checks.ready.kind"),
        (lambda config: config["checks"].pop("listening"), "checks.listening"),
        (set_in("mounts", 0, "size_gb_limit", value=500), "mounts[0].size_gb_limit"),
        (set_in("mounts", 0, "path", value="/other"), "mounts[0].path"),
        (set_in("metadata", "role", value="edited"), "metadata.role"),
        (set_in("metadata", "fly_process_group", value="web"), "metadata.fly_process_group"),
        (set_in("restart", value={"policy": "no"}), "restart"),
        (set_in("stop_config", "timeout", value="1s"), "stop_config.timeout"),
        (set_in("init", "cmd", value=["sleep", "inf"]), "init.cmd"),
        (set_in("files", 0, "raw_value", value="Z28="), "files"),
        (set_in("metrics", "port", value=1), "metrics.port"),
        (set_in("schedule", value="daily"), "schedule"),
        (set_in("dns", value={"skip_registration": True}), "dns"),
    ],
)
def test_edited_field_is_repaired(
    deployed: Driven, declared: dict[str, Any], world: World, edit: Edit, field: str
) -> None:
    by_hand(world, edit)

    deployed.refresh()
    seen = machine_config.differences(declared["config"], deployed.inputs["config"])
    deployed.up(**declared)

    assert seen
    assert all(text.startswith(field) for text in seen), seen
    assert deployed.steps[-1] == "update"
    deployed.refresh()
    assert not deployed.diff(**declared).changes


def test_other_image_is_repaired(deployed: Driven, declared: dict[str, Any], world: World) -> None:
    other = f"registry.fly.io/solserver@sha256:{'0' * 64}"
    machine = at_fly(world)
    machine["config"]["image"] = other
    machine["image_ref"]["digest"] = f"sha256:{'0' * 64}"
    world.store.put("fly_machine", machine["id"], machine)

    deployed.refresh()
    shown = deployed.inputs["image"]
    deployed.up(**declared)

    assert shown == other
    assert at_fly(world)["config"]["image"] == declared["image"]


@pytest.mark.parametrize(
    ("declared", "spelled"),
    [
        ({"stop_config": {"timeout": "90s"}}, {"stop_config": {"timeout": "1m30s"}}),
        ({"stop_config": {"timeout": "90s"}}, {"stop_config": {"timeout": 90_000_000_000}}),
        ({"services": [{"autostop": "off"}]}, {"services": [{"autostop": False}]}),
        ({"services": [{"autostop": "stop"}]}, {"services": [{"autostop": True}]}),
        ({"services": [{"checks": [{"interval": "2m"}]}]}, {"services": [{"checks": [{"interval": "1m0s"}]}]}),
        ({"checks": {"a": {"type": "tcp"}}}, {"checks": {"a": {"type": "tcp", "kind": "informational"}}}),
        ({"restart": {"policy": "on-failure"}}, {"restart": {"policy": "on-failure", "max_retries": 10}}),
        ({}, {"guest": {"cpu_kind": "performance", "cpus": 8, "memory_mb": 16384}}),
        ({}, {"init": {}, "dns": {}, "services": [], "auto_destroy": False}),
        ({"env": {"PORT": 8080}}, {"env": {"PORT": "8080"}}),
        ({"metadata": {"a": "b"}}, {"metadata": {"a": "b", "fly_release_id": "x", "fly_flyctl_version": "y"}}),
        (
            {"services": [{"ports": [{"port": 443, "handlers": ["tls", "http"]}]}]},
            {"services": [{"ports": [{"port": 443, "handlers": ["http", "tls"], "force_https": False}]}]},
        ),
    ],
)
def test_equal_forms_are_equal(declared: dict[str, Any], spelled: dict[str, Any]) -> None:
    assert machine_config.differences(declared, spelled) == []
    assert machine_config.as_declared({"metadata": {}, **declared}, spelled) == {"metadata": {}, **declared}
