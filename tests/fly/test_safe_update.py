"""The safe update: what each step does, and what people read when it fails."""

import dataclasses
import itertools
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.driver import Driven
from harness.inprocess import Doubles, control, route_to
from providers.errors import Incomplete, ProviderError
from providers.fly.api.client import Fly
from providers.fly.machine import MachineProvider
from providers.fly.machine_record import packed
from providers.fly.secrets import SecretsProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.fly.backend import HOSTNAME, add_note, at_fly, machines_of
from tests.fly.conftest import CONFIG, Configured, push

ENV = {**CONFIG["env"], "LOG_LEVEL": "debug"}


@pytest.fixture
def served(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a machine with a public hostname."""
    definition = {"app": "solos", "http_service": {"internal_port": 8080}}
    return {
        **arguments,
        "hostname": HOSTNAME,
        "expect_body": '"1.0.0"',
        "healthy_seconds": 20.0,
        "definition": packed(definition),
        "tag": "registry.fly.io/solserver:1.0.0",
    }


@pytest.fixture
def running(configured: Configured, served: dict[str, Any]) -> Driven:
    machine = Driven(configured(MachineProvider))
    machine.up(**served)
    return machine


def changed(arguments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The next release: another env variable, and the changes."""
    return {**arguments, "config": {**CONFIG, "env": ENV}, **changes}


def by_hand(world: World, **changes: Any) -> None:
    """Another client changes the machine."""
    machine = at_fly(world)
    world.store.put("fly_machine", machine["id"], {**machine, **changes})


def calls(world: World, since: int = 0) -> list[str]:
    """The calls to Fly: method and last part of the path."""
    entries = world.journal.entries("fly")[since:]
    return [f"{entry['method']} {entry['path'].rpartition('/')[2]}" for entry in entries]


def failure(machine: Driven, arguments: dict[str, Any]) -> str:
    """The error of a failing update: one line."""
    with pytest.raises(ProviderError) as failed:
        machine.up(**arguments)
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_order_of_update_steps(running: Driven, served: dict[str, Any], world: World) -> None:
    before, id = len(world.journal.entries("fly")), running.id

    running.up(**changed(served))

    asked = list(dict.fromkeys(calls(world, before)))
    order = [asked.index(step) for step in ("POST snapshots", "POST lease", f"POST {id}", "DELETE lease")]
    assert order == sorted(order)
    assert at_fly(world)["_lease"] is None


def test_measurements_are_outputs(running: Driven, served: dict[str, Any], world: World) -> None:
    running.up(**changed(served))

    outputs = running.outputs
    assert world.delays.machine_start <= outputs["start_seconds"] <= outputs["checks_seconds"]
    assert outputs["checks_seconds"] <= outputs["downtime_seconds"] < 5
    assert len(outputs["latencies_ms"]) == 3
    assert outputs["verified_at"].startswith("2026-")


def test_snapshot_precedes_update(running: Driven, served: dict[str, Any], world: World) -> None:
    add_note(world, "before the update")

    running.up(**changed(served))

    (snapshot,) = world.store.all("fly_snapshot")
    database: Path = machines_of(world).disks.folder / "snapshots" / snapshot["id"] / "solos.db"
    assert running.outputs["snapshot_id"] == snapshot["id"]
    assert b"before the update" in database.read_bytes()


def test_no_update_without_snapshot(running: Driven, served: dict[str, Any], world: World) -> None:
    before = at_fly(world)["instance_id"]
    world.faults.arm(Fault("refuse", service="fly", method="POST", path="snapshots$", status=422))

    assert "take a snapshot of volume" in failure(running, changed(served))
    assert at_fly(world)["instance_id"] == before


def test_foreign_lease_is_waited_for(running: Driven, served: dict[str, Any], world: World, shown: list[str]) -> None:
    """With a line while it lasts."""
    expires_at = world.clock.now() + 40
    by_hand(world, _lease={"nonce": "theirs", "expires_at": expires_at, "owner": "mara", "description": "fly deploy"})

    running.up(**changed(served))

    assert world.clock.now() > expires_at
    assert [line for line in shown if line.startswith("waiting for lease: another client") and "s left)" in line]
    assert at_fly(world)["config"]["env"]["LOG_LEVEL"] == "debug"


def test_endless_foreign_lease_is_reported(running: Driven, served: dict[str, Any], world: World) -> None:
    before = at_fly(world)["instance_id"]
    lease = {"nonce": "theirs", "expires_at": world.clock.now() + 3600, "owner": "mara@sollabs.example"}
    by_hand(world, _lease=lease)

    message = failure(running, changed(served))

    assert "lease currently held by mara@sollabs.example" in message
    assert "fly machine leases clear" in message
    assert at_fly(world)["instance_id"] == before


def test_lease_is_kept_during_update(running: Driven, served: dict[str, Any], world: World) -> None:
    world.delays = dataclasses.replace(world.delays, machine_start=100.0)
    before = len(world.journal.entries("fly"))

    running.up(**changed(served, healthy_seconds=300.0))

    kept = [entry for entry in world.journal.entries("fly")[before:] if entry["path"].endswith("/lease")]
    times = [entry["at"] for entry in kept]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 30
    assert len({entry["response"]["data"]["nonce"] for entry in kept[:-1]}) == 1


def test_lost_lease_is_retaken(running: Driven, served: dict[str, Any], world: World) -> None:
    world.faults.arm(Fault("hang", service="fly", method="GET", path=f"{running.id}$", skip=2, times=2))

    running.up(**changed(served, healthy_seconds=200.0))

    assert at_fly(world)["config"]["env"]["LOG_LEVEL"] == "debug"
    assert at_fly(world)["_lease"] is None


def test_foreign_change_is_not_overwritten(running: Driven, served: dict[str, Any], world: World) -> None:
    config = {**at_fly(world)["config"], "env": {**CONFIG["env"], "HOTFIX": "on"}}
    by_hand(world, config=config, instance_id="01HOTFIX000000000000000000")

    message = failure(running, changed(served))
    left = at_fly(world)["config"]["env"]
    running.refresh()
    running.up(**changed(served))

    assert "env.HOTFIX" in message
    assert "pulumi refresh" in message
    assert left["HOTFIX"] == "on"
    assert at_fly(world)["config"]["env"] == ENV


def test_concurrent_change_is_left(
    running: Driven, served: dict[str, Any], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Meddled(Doubles):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST" and request.url.path.endswith(running.id) and not meddled:
                meddled.append(at_fly(world)["config"] | {"env": {**CONFIG["env"], "HOTFIX": "on"}})
                by_hand(world, config=meddled[0], instance_id="01HOTFIX000000000000000000")
            return super().handle_request(request)

    meddled: list[dict[str, Any]] = []
    route_to(monkeypatch, world, Meddled(world))

    message = failure(running, changed(served))

    assert "Another client has changed the machine meanwhile" in message
    assert at_fly(world)["config"]["env"]["HOTFIX"] == "on"


def test_unreleased_lease_expires(running: Driven, served: dict[str, Any], world: World) -> None:
    world.faults.arm(Fault("refuse", service="fly", method="DELETE", path="/lease$", times=99))

    running.up(**changed(served))

    assert at_fly(world)["config"]["env"] == ENV
    assert at_fly(world)["_lease"]["expires_at"] <= world.clock.now() + 60


def test_refused_update_changes_nothing(running: Driven, served: dict[str, Any], world: World) -> None:
    before = at_fly(world)["instance_id"]
    world.faults.arm(Fault("refuse", service="fly", method="POST", path=f"{running.id}$", status=422))

    message = failure(running, changed(served))

    assert "failed at the update" in message
    assert at_fly(world)["instance_id"] == before


@pytest.mark.parametrize(
    ("broken", "step", "evidence"),
    [
        ("launch", "start", "it is failed"),
        ("crash", "start", "exits: exit code 1"),
        ("oom", "start", "killed for using too much memory (exit code 137)"),
        ("unhealthy", "health checks", "servicecheck-00-http-8080 is critical"),
        ("restless", "log scan", "exits: exit code 1"),
    ],
)
def test_rollback_names_failed_step(
    running: Driven, served: dict[str, Any], world: World, *, broken: str, step: str, evidence: str
) -> None:
    image = push(world, "1.0.0-bad", broken=broken, version="1.0.0")

    message = failure(running, changed(served, image=image))

    now = at_fly(world)
    assert f"failed at the {step}" in message
    assert evidence in message
    assert "log lines" in message
    assert f"Rolled back to the previous version, which is healthy ({served['image']})" in message
    assert (now["config"]["image"], now["state"]) == (served["image"], "started")
    assert now["config"]["env"] == CONFIG["env"]
    assert now["_lease"] is None


@pytest.mark.parametrize("is_ours", [True, False], ids=["by-pulumi", "by-flyctl"])
def test_reverted_update_is_recognised(running: Driven, served: dict[str, Any], world: World, *, is_ours: bool) -> None:
    """Fly accepts an update, cannot pull the image, and keeps the previous version running, whoever deployed it."""
    if not is_ours:
        by_hand(world, config={**at_fly(world)["config"], "metadata": {"fly_platform_version": "v2"}})
        running.refresh()
    before, began = at_fly(world)["instance_id"], world.clock.now()

    message = failure(running, changed(served, image=push(world, "1.0.1", broken="pull"), healthy_seconds=300.0))

    assert "Fly has reverted the update" in message
    assert "failed to pull image" in message
    assert "Rolled back to the previous version" in message
    assert at_fly(world)["instance_id"] == before
    assert world.clock.now() - began < 20


def test_outdated_response_is_ignored(
    running: Driven, served: dict[str, Any], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the new version was shown, single responses still have the previous one."""
    outdated = [dict(at_fly(world))] * 2

    class Stale(Doubles):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            is_new = at_fly(world)["instance_id"] != outdated[0]["instance_id"] if outdated else False
            if request.method == "GET" and request.url.path.endswith(running.id) and is_new:
                return httpx.Response(200, json={**response.json(), "instance_id": outdated.pop()["instance_id"]})
            return response

    route_to(monkeypatch, world, Stale(world))

    running.up(**changed(served))

    assert outdated == []
    assert at_fly(world)["config"]["env"] == ENV


def test_slow_address_within_budget(running: Driven, served: dict[str, Any], world: World) -> None:
    """An application that answers late is healthy, as long as the whole budget lasts."""
    world.faults.arm(Fault("refuse", service="proxy", status=503, times=120))

    running.up(**changed(served, healthy_seconds=300.0))

    assert at_fly(world)["config"]["env"] == ENV
    assert running.outputs["downtime_seconds"] > 90


def test_steps_share_one_budget(running: Driven, served: dict[str, Any], world: World, shown: list[str]) -> None:
    """What the start has used is missing at the public address; what is left is shown."""
    world.delays = dataclasses.replace(world.delays, machine_start=40.0)

    message = failure(running, changed(served, image=push(world, "1.0.1"), expect_body='"9"', healthy_seconds=60.0))

    (seconds,) = re.findall(r"timed out after ([\d.]+) s waiting for https:.* to answer as expected", message)
    assert 0 < float(seconds) < 20
    assert re.search(r"starting machine: .* \((5\d|60) s left\)", "\n".join(shown))
    assert re.search(r"checking health: HTTP 200.* \(1\d s left\)", "\n".join(shown))
    assert "(config keys healthPath and expectBody)" in message


def test_wrong_response_is_rolled_back(running: Driven, served: dict[str, Any], world: World) -> None:
    message = failure(running, changed(served, image=push(world, "1.0.1"), expect_body='"1.0.2"'))

    assert "failed at the public address" in message
    assert "without '\"1.0.2\"' in the body" in message
    assert at_fly(world)["config"]["image"] == served["image"]


def test_missing_check_result_is_unhealthy(running: Driven, served: dict[str, Any], world: World) -> None:
    world.delays = dataclasses.replace(world.delays, check_seconds_cap=15.0)

    message = failure(running, changed(served, healthy_seconds=5.0))

    assert "service checks have no result yet" in message


@pytest.mark.parametrize(
    ("config", "command"),
    [
        (CONFIG, "`fly machine update {id} -a solos-prod --image {image} --yes`"),
        ({**CONFIG, "env": ENV}, "`fly deploy -a solos-prod --image {image}` with the previous fly.toml"),
    ],
)
def test_failed_rollback_names_recovery(
    running: Driven, served: dict[str, Any], world: World, *, config: dict[str, Any], command: str
) -> None:
    bad = push(world, "1.0.1", broken="unhealthy")
    world.store.delete("fly_image", "registry.fly.io/solserver:1.0.0")  # Fly prunes images that nobody deploys.

    message = failure(running, {**served, "config": config, "image": bad})

    assert message.startswith("ROLLBACK FAILED")
    assert command.format(id=running.id, image=served["image"]) in message
    assert world.store.all("fly_snapshot")[0]["id"] in message
    assert "failed at the health checks" in message


def test_recovery_of_full_volume(running: Driven, served: dict[str, Any], world: World, fly: Fly) -> None:
    (volume,) = world.store.all("fly_volume")
    world.store.put("fly_volume", volume["id"], {**volume, "_full": True})

    message = failure(running, changed(served))
    fly.call("PUT", f"/apps/solos-prod/volumes/{volume['id']}/extend", doing="extend", body={"size_gb": 2})
    running.up(**changed(served))

    assert f"fly volumes extend {volume['id']} -a solos-prod" in message
    assert at_fly(world)["config"]["env"] == ENV


def test_recovery_of_full_host(running: Driven, served: dict[str, Any], world: World) -> None:
    """The update succeeds, and the host has no room for the rollback."""
    full = {"error": "could not reserve resource for machine", "status": "insufficient_capacity"}
    world.faults.arm(
        Fault("refuse", service="fly", method="POST", path=f"{running.id}$", status=422, body=full, skip=1, times=9)
    )

    message = failure(running, changed(served, image=push(world, "1.0.1", broken="unhealthy")))

    assert message.startswith("ROLLBACK FAILED")
    assert f"wait until the host of volume {served['volume_id']} has room again" in message
    assert "choose another region" not in message


def test_recovery_of_lost_host(
    running: Driven, served: dict[str, Any], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host goes away between update and rollback."""
    updates: list[str] = []

    class Lost(Doubles):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.method == "POST" and request.url.path.endswith(running.id):
                updates.append(request.url.path)
                if len(updates) > 1:
                    by_hand(world, host_status="unreachable")
                    return httpx.Response(422, json={"error": "unavailable: deploys to this host are disabled"})
            return super().handle_request(request)

    route_to(monkeypatch, world, Lost(world))

    message = failure(running, changed(served, image=push(world, "1.0.1", broken="unhealthy")))

    assert message.startswith("ROLLBACK FAILED")
    assert "https://status.fly.io" in message
    assert f'FLY_LOST="{served["volume_id"]} {running.id}"' in message


def test_up_after_failed_rollback(running: Driven, served: dict[str, Any], world: World) -> None:
    bad, good = push(world, "1.0.1", broken="unhealthy"), push(world, "1.0.2")
    world.store.delete("fly_image", "registry.fly.io/solserver:1.0.0")
    failure(running, changed(served, image=bad))

    running.up(**changed(served, image=good, expect_body='"1.0.2"'))

    assert at_fly(world)["config"]["image"] == good


def test_rollback_names_bad_secrets(configured: Configured, served: dict[str, Any], world: World) -> None:
    secrets, machine = Driven(configured(SecretsProvider)), Driven(configured(MachineProvider))
    needy = push(world, "1.0.0-needy", requires=["SESSION_KEY"], version="1.0.0")
    secrets.up(app="solos-prod", values={"SESSION_KEY": "one"})
    machine.up(**{**served, "image": needy}, secrets_version=secrets.outputs["version"])

    secrets.up(app="solos-prod", values={"OTHER": "two"})
    message = failure(machine, {**served, "image": needy, "secrets_version": secrets.outputs["version"]})
    secrets.up(app="solos-prod", values={"SESSION_KEY": "three"})
    machine.up(**{**served, "image": needy}, secrets_version=secrets.outputs["version"])

    assert "Fly keeps no earlier secrets" in message
    assert at_fly(world)["_secrets"] == {"SESSION_KEY": "three"}
    assert at_fly(world)["state"] == "started"


def test_unhealthy_first_version_is_kept(configured: Configured, served: dict[str, Any], world: World) -> None:
    machine = Driven(configured(MachineProvider))
    with pytest.raises(Incomplete, match="failed at the health checks"):
        machine.up(**{**served, "image": push(world, "0.9.0", broken="unhealthy")})
    made = machine.id

    machine.up(**served)

    assert machine.id == made == at_fly(world)["id"]
    assert at_fly(world)["config"]["image"] == served["image"]


def test_nothing_to_roll_back_to(configured: Configured, served: dict[str, Any], world: World) -> None:
    machine = Driven(configured(MachineProvider))
    for tag in ("0.9.0", "0.9.1"):
        image = push(world, tag, broken="unhealthy")
        with pytest.raises(Incomplete, match="failed at the health checks"):
            machine.up(**{**served, "image": image})

    assert machine.outputs["image"] == image == at_fly(world)["config"]["image"]


@pytest.mark.parametrize("state", ["stopped", "suspended"])
def test_stopped_machine_is_started(running: Driven, served: dict[str, Any], world: World, state: str) -> None:
    by_hand(world, state=state, _since=world.clock.now())
    before = at_fly(world)["instance_id"]

    running.refresh()
    shown = running.outputs["state"]
    running.up(**served)

    assert shown == state
    assert (at_fly(world)["state"], at_fly(world)["instance_id"]) == ("started", before)


@pytest.mark.parametrize("state", ["stopped", "suspended"])
def test_update_starts_stopped_machine(running: Driven, served: dict[str, Any], world: World, state: str) -> None:
    by_hand(world, state=state, _since=world.clock.now())

    running.up(**changed(served))

    assert at_fly(world)["state"] == "started"
    assert at_fly(world)["config"]["env"] == ENV


def test_autostopped_machine_is_left(running: Driven, served: dict[str, Any], world: World) -> None:
    (service,) = CONFIG["services"]
    napping = {**served, "config": {**CONFIG, "services": [{**service, "autostop": "stop", "autostart": True}]}}
    running.up(**napping)
    by_hand(world, state="stopped", _since=world.clock.now())

    running.refresh()

    assert not running.diff(**napping).changes


@pytest.mark.parametrize("status", ["unreachable", "unknown"])
def test_unreachable_host_is_left(
    running: Driven, served: dict[str, Any], world: World, said: list[str], status: str
) -> None:
    """Fly returns no config. Refresh shows what is known, up and destroy refuse, and nothing is written."""
    control(world, "POST", "/fly/hosts", {"machine": running.id, "status": status})
    before = len(calls(world))

    running.refresh()
    failed = failure(running, changed(served))
    with pytest.raises(ProviderError, match=f"reports as {status}: neither it nor its volume was destroyed"):
        running.destroy()

    assert any("its config cannot be read" in line for line in said)
    assert running.outputs["host_status"] == status
    assert not running.diff(**served).changes
    assert f"on a host that Fly reports as {status}: nothing was changed" in failed
    assert [call for call in calls(world, before) if not call.startswith("GET")] == []


def test_host_that_comes_back(running: Driven, served: dict[str, Any], world: World) -> None:
    for status in ("unreachable", "ok"):
        control(world, "POST", "/fly/hosts", {"machine": running.id, "status": status})
        running.refresh()

    running.up(**changed(served))

    assert running.outputs["host_status"] == "ok"
    assert at_fly(world)["config"]["env"] == ENV


def test_unreachable_machine_is_not_adopted(
    running: Driven, served: dict[str, Any], configured: Configured, world: World
) -> None:
    control(world, "POST", "/fly/hosts", {"machine": running.id, "status": "unreachable"})
    before = len(calls(world))

    failed = failure(Driven(configured(MachineProvider)), served)

    assert "reports as unreachable: nothing was changed" in failed
    assert [call for call in calls(world, before) if not call.startswith("GET")] == []


def test_new_image_is_waited_for(running: Driven, served: dict[str, Any], world: World) -> None:
    missing = {"error": "failed to get manifest registry.fly.io/solserver: MANIFEST_UNKNOWN: manifest unknown"}
    world.faults.arm(
        Fault("refuse", service="fly", method="POST", path=f"{running.id}$", status=400, body=missing, times=3)
    )

    running.up(**changed(served))

    assert at_fly(world)["config"]["env"] == ENV


def test_update_writes_release_record(running: Driven, served: dict[str, Any], world: World) -> None:
    running.up(**changed(served))
    failure(running, changed(served, image=push(world, "1.0.1", broken="unhealthy")))

    records = sorted(world.store.all("fly_release"), key=lambda record: record["version"])
    metadata = at_fly(world)["config"]["metadata"]
    assert [item["status"] for item in records] == ["complete", "complete", "failed"]
    assert records[1]["definition"] == {"app": "solos-prod", "http_service": {"internal_port": 8080}}
    assert metadata["fly_release_id"] == records[1]["id"]
    assert metadata["fly_release_version"] == "2"
    assert metadata["fly_platform_version"] == "v2"


def test_definition_alone_changes_nothing(running: Driven, served: dict[str, Any]) -> None:
    assert not running.diff(**{**served, "definition": packed({"deploy": {"wait_timeout": "9m"}})}).changes


def test_config_is_stored_once(running: Driven, served: dict[str, Any]) -> None:
    """A diff of the machine shows the config, and fly.toml as one line. Stacks of older versions have a table in its place."""
    older = Driven(running.provider, running.id, running.inputs, {**running.outputs, "definition": {"app": "solos"}})

    assert json.dumps(running.outputs).count('"internal_port"') == 1
    assert not older.diff(**served).changes


def test_deploy_without_release_record(running: Driven, served: dict[str, Any], world: World) -> None:
    world.faults.arm(Fault("refuse", service="fly_platform", method="POST", status=403, times=9))

    running.up(**changed(served))

    assert at_fly(world)["config"]["env"] == ENV
