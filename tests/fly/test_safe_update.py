"""The safe update, step by step: what each step does when it goes well, and what people get when it fails."""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.driver import Driven
from harness.inprocess import Doubles, route_to
from providers.errors import Incomplete, ProviderError
from providers.fly.machine import MachineProvider
from providers.fly.secrets import SecretsProvider
from rehearsal.cloud.faults import Fault
from rehearsal.cloud.world import World
from tests.fly.backend import HOSTNAME, add_note, at_fly, machines
from tests.fly.conftest import CONFIG, Configured, push

ENV = {**CONFIG["env"], "LOG_LEVEL": "debug"}


@pytest.fixture
def served(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a machine that serves the public."""
    definition = {"app": "solos", "http_service": {"internal_port": 8080}}
    return {
        **arguments,
        "hostname": HOSTNAME,
        "expect_body": '"1.0.0"',
        "healthy_seconds": 20.0,
        "definition": definition,
    }


@pytest.fixture
def running(configured: Configured, served: dict[str, Any]) -> Driven:
    machine = Driven(configured(MachineProvider))
    machine.up(**served)
    return machine


def changed(arguments: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The next release: the same but for an env variable, and the changes."""
    return {**arguments, "config": {**CONFIG, "env": ENV}, **changes}


def by_hand(world: World, **changes: Any) -> None:
    """Somebody changes the machine's document."""
    machine = at_fly(world)
    world.store.put("fly_machine", machine["id"], {**machine, **changes})


def calls(world: World, since: int = 0) -> list[str]:
    """What was asked of Fly: method and last part of the path."""
    entries = world.journal.entries("fly")[since:]
    return [f"{entry['method']} {entry['path'].rpartition('/')[2]}" for entry in entries]


def failure(machine: Driven, arguments: dict[str, Any]) -> str:
    """The error of an update that fails: one line."""
    with pytest.raises(ProviderError) as failed:
        machine.up(**arguments)
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_the_steps_come_in_their_order(running: Driven, served: dict[str, Any], world: World) -> None:
    before, id = len(world.journal.entries("fly")), running.id

    running.up(**changed(served))

    asked = list(dict.fromkeys(calls(world, before)))
    order = [asked.index(step) for step in ("POST snapshots", "POST lease", f"POST {id}", "DELETE lease")]
    assert order == sorted(order)
    assert at_fly(world)["_lease"] is None


def test_what_was_measured_is_told(running: Driven, served: dict[str, Any], world: World) -> None:
    running.up(**changed(served))

    outputs = running.outputs
    assert world.delays.machine_start <= outputs["start_seconds"] <= outputs["checks_seconds"]
    assert outputs["checks_seconds"] <= outputs["downtime_seconds"] < 5
    assert len(outputs["latencies_ms"]) == 3
    assert outputs["verified_at"].startswith("2026-")


def test_the_volume_is_snapshotted_as_it_was_before(running: Driven, served: dict[str, Any], world: World) -> None:
    add_note(world, "before the update")

    running.up(**changed(served))

    (snapshot,) = world.store.all("fly_snapshot")
    database: Path = machines(world).disks.folder / "snapshots" / snapshot["id"] / "solos.db"
    assert running.outputs["snapshot_id"] == snapshot["id"]
    assert b"before the update" in database.read_bytes()


def test_without_a_snapshot_nothing_is_touched(running: Driven, served: dict[str, Any], world: World) -> None:
    before = at_fly(world)["instance_id"]
    world.faults.arm(Fault("refuse", service="fly", method="POST", path="snapshots$", status=422))

    assert "take a snapshot of volume" in failure(running, changed(served))
    assert at_fly(world)["instance_id"] == before


def test_a_lease_of_somebody_else_is_waited_for(running: Driven, served: dict[str, Any], world: World) -> None:
    expires_at = world.clock.now() + 40
    by_hand(world, _lease={"nonce": "theirs", "expires_at": expires_at, "owner": "mara", "description": "fly deploy"})

    running.up(**changed(served))

    assert world.clock.now() > expires_at
    assert at_fly(world)["config"]["env"]["LOG_LEVEL"] == "debug"


def test_a_lease_that_does_not_end_is_told_and_nothing_is_touched(
    running: Driven, served: dict[str, Any], world: World
) -> None:
    before = at_fly(world)["instance_id"]
    lease = {"nonce": "theirs", "expires_at": world.clock.now() + 3600, "owner": "mara@sollabs.example"}
    by_hand(world, _lease=lease)

    told = failure(running, changed(served))

    assert "lease currently held by mara@sollabs.example" in told
    assert "fly machine leases clear" in told
    assert at_fly(world)["instance_id"] == before


def test_a_lease_is_kept_as_long_as_the_update_takes(running: Driven, served: dict[str, Any], world: World) -> None:
    world.delays = dataclasses.replace(world.delays, machine_start=100.0)
    before = len(world.journal.entries("fly"))

    running.up(**changed(served, healthy_seconds=300.0))

    kept = [entry for entry in world.journal.entries("fly")[before:] if entry["path"].endswith("/lease")]
    times = [entry["at"] for entry in kept]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 30
    assert len({entry["answer"]["data"]["nonce"] for entry in kept[:-1]}) == 1


def test_a_lease_that_was_lost_on_the_way_is_taken_again(running: Driven, served: dict[str, Any], world: World) -> None:
    world.faults.arm(Fault("hang", service="fly", method="GET", path=f"{running.id}$", skip=2, times=2))

    running.up(**changed(served, healthy_seconds=200.0))

    assert at_fly(world)["config"]["env"]["LOG_LEVEL"] == "debug"
    assert at_fly(world)["_lease"] is None


def test_what_somebody_else_has_changed_is_not_overwritten_before_it_was_seen(
    running: Driven, served: dict[str, Any], world: World
) -> None:
    config = {**at_fly(world)["config"], "env": {**CONFIG["env"], "HOTFIX": "on"}}
    by_hand(world, config=config, instance_id="01HOTFIX000000000000000000")

    told = failure(running, changed(served))
    left = at_fly(world)["config"]["env"]
    running.refresh()
    running.up(**changed(served))

    assert "env.HOTFIX" in told
    assert "pulumi refresh" in told
    assert left["HOTFIX"] == "on"
    assert at_fly(world)["config"]["env"] == ENV


def test_what_somebody_else_changes_at_the_last_moment_is_left_as_it_is(
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

    told = failure(running, changed(served))

    assert "Another client has changed the machine meanwhile" in told
    assert at_fly(world)["config"]["env"]["HOTFIX"] == "on"


def test_a_lease_that_cannot_be_given_back_ends_by_itself(
    running: Driven, served: dict[str, Any], world: World
) -> None:
    world.faults.arm(Fault("refuse", service="fly", method="DELETE", path="/lease$", times=99))

    running.up(**changed(served))

    assert at_fly(world)["config"]["env"] == ENV
    assert at_fly(world)["_lease"]["expires_at"] <= world.clock.now() + 60


def test_an_update_that_fly_refuses_leaves_what_runs(running: Driven, served: dict[str, Any], world: World) -> None:
    before = at_fly(world)["instance_id"]
    world.faults.arm(Fault("refuse", service="fly", method="POST", path=f"{running.id}$", status=422))

    told = failure(running, changed(served))

    assert "failed at the update" in told
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
def test_a_bad_release_is_put_back_and_the_error_says_at_which_step_and_why(
    running: Driven, served: dict[str, Any], world: World, *, broken: str, step: str, evidence: str
) -> None:
    image = push(world, "1.0.0-bad", broken=broken, version="1.0.0")

    told = failure(running, changed(served, image=image))

    now = at_fly(world)
    assert f"failed at the {step}" in told
    assert evidence in told
    assert "log lines" in told
    assert f"Rolled back to the previous version, which is healthy ({served['image']})" in told
    assert (now["config"]["image"], now["state"]) == (served["image"], "started")
    assert now["config"]["env"] == CONFIG["env"]
    assert now["_lease"] is None


def test_a_release_that_answers_otherwise_than_expected_is_put_back(
    running: Driven, served: dict[str, Any], world: World
) -> None:
    told = failure(running, changed(served, image=push(world, "1.0.1"), expect_body='"1.0.2"'))

    assert "failed at the public address" in told
    assert "without '\"1.0.2\"' in the body" in told
    assert at_fly(world)["config"]["image"] == served["image"]


def test_a_check_without_a_result_is_not_passing(running: Driven, served: dict[str, Any], world: World) -> None:
    world.delays = dataclasses.replace(world.delays, check_seconds_cap=15.0)

    told = failure(running, changed(served, healthy_seconds=5.0))

    assert "service checks have no result yet" in told


@pytest.mark.parametrize(
    ("config", "command"),
    [
        (CONFIG, "`fly machine update {id} -a solos-prod --image {image} --yes`"),
        ({**CONFIG, "env": ENV}, "`fly deploy -a solos-prod --image {image}` with the previous fly.toml"),
    ],
)
def test_when_putting_back_fails_too_the_error_begins_with_that_and_says_what_to_do(
    running: Driven, served: dict[str, Any], world: World, *, config: dict[str, Any], command: str
) -> None:
    bad = push(world, "1.0.1", broken="unhealthy")
    world.store.delete("fly_image", "registry.fly.io/solserver:1.0.0")  # Fly prunes images that nobody deploys.

    told = failure(running, {**served, "config": config, "image": bad})

    assert told.startswith("ROLLBACK FAILED")
    assert command.format(id=running.id, image=served["image"]) in told
    assert world.store.all("fly_snapshot")[0]["id"] in told
    assert "failed at the health checks" in told


def test_after_a_failed_way_back_the_next_up_goes_on(running: Driven, served: dict[str, Any], world: World) -> None:
    bad, good = push(world, "1.0.1", broken="unhealthy"), push(world, "1.0.2")
    world.store.delete("fly_image", "registry.fly.io/solserver:1.0.0")
    failure(running, changed(served, image=bad))

    running.up(**changed(served, image=good, expect_body='"1.0.2"'))

    assert at_fly(world)["config"]["image"] == good


def test_secrets_that_keep_the_server_from_starting_are_named_as_what_cannot_be_put_back(
    configured: Configured, served: dict[str, Any], world: World
) -> None:
    secrets, machine = Driven(configured(SecretsProvider)), Driven(configured(MachineProvider))
    needy = push(world, "1.0.0-needy", requires=["SESSION_KEY"], version="1.0.0")
    secrets.up(app="solos-prod", values={"SESSION_KEY": "one"})
    machine.up(**{**served, "image": needy}, secrets_version=secrets.outputs["version"])

    secrets.up(app="solos-prod", values={"OTHER": "two"})
    told = failure(machine, {**served, "image": needy, "secrets_version": secrets.outputs["version"]})
    secrets.up(app="solos-prod", values={"SESSION_KEY": "three"})
    machine.up(**{**served, "image": needy}, secrets_version=secrets.outputs["version"])

    assert "Fly keeps no earlier secrets" in told
    assert at_fly(world)["_secrets"] == {"SESSION_KEY": "three"}
    assert at_fly(world)["state"] == "started"


def test_a_first_deployment_that_is_unhealthy_is_kept_and_finished_by_the_next_up(
    configured: Configured, served: dict[str, Any], world: World
) -> None:
    machine = Driven(configured(MachineProvider))
    with pytest.raises(Incomplete, match="failed at the health checks"):
        machine.up(**{**served, "image": push(world, "0.9.0", broken="unhealthy")})
    made = machine.id

    machine.up(**served)

    assert machine.id == made == at_fly(world)["id"]
    assert at_fly(world)["config"]["image"] == served["image"]


def test_a_second_bad_release_after_a_bad_first_one_has_nothing_to_go_back_to(
    configured: Configured, served: dict[str, Any], world: World
) -> None:
    machine = Driven(configured(MachineProvider))
    for tag in ("0.9.0", "0.9.1"):
        image = push(world, tag, broken="unhealthy")
        with pytest.raises(Incomplete, match="failed at the health checks"):
            machine.up(**{**served, "image": image})

    assert machine.outputs["image"] == image == at_fly(world)["config"]["image"]


@pytest.mark.parametrize("state", ["stopped", "suspended"])
def test_a_machine_that_was_stopped_by_hand_is_shown_by_refresh_and_started_as_it_is(
    running: Driven, served: dict[str, Any], world: World, state: str
) -> None:
    by_hand(world, state=state, _since=world.clock.now())
    before = at_fly(world)["instance_id"]

    running.refresh()
    shown = running.outputs["state"]
    running.up(**served)

    assert shown == state
    assert (at_fly(world)["state"], at_fly(world)["instance_id"]) == ("started", before)


@pytest.mark.parametrize("state", ["stopped", "suspended"])
def test_an_update_of_a_stopped_machine_starts_it(
    running: Driven, served: dict[str, Any], world: World, state: str
) -> None:
    by_hand(world, state=state, _since=world.clock.now())

    running.up(**changed(served))

    assert at_fly(world)["state"] == "started"
    assert at_fly(world)["config"]["env"] == ENV


def test_a_machine_that_the_proxy_may_stop_is_left_stopped(
    running: Driven, served: dict[str, Any], world: World
) -> None:
    (service,) = CONFIG["services"]
    napping = {**served, "config": {**CONFIG, "services": [{**service, "autostop": "stop", "autostart": True}]}}
    running.up(**napping)
    by_hand(world, state="stopped", _since=world.clock.now())

    running.refresh()

    assert not running.diff(**napping).changes


@pytest.mark.parametrize("status", ["unreachable", "unknown"])
def test_on_a_failed_host_nothing_is_tried_but_to_destroy(
    running: Driven, served: dict[str, Any], world: World, status: str
) -> None:
    by_hand(world, host_status=status)
    before = len(calls(world))

    told = failure(running, changed(served))
    writes = [call for call in calls(world, before) if not call.startswith("GET")]
    running.refresh()
    shown = running.outputs["host_status"]
    running.destroy()

    assert f"on a host that Fly reports as {status}: nothing was changed" in told
    assert writes == []
    assert shown == status
    assert at_fly(world)["state"] == "destroyed"


def test_an_image_that_was_pushed_a_moment_ago_is_waited_for(
    running: Driven, served: dict[str, Any], world: World
) -> None:
    missing = {"error": "failed to get manifest registry.fly.io/solserver: MANIFEST_UNKNOWN: manifest unknown"}
    world.faults.arm(
        Fault("refuse", service="fly", method="POST", path=f"{running.id}$", status=400, body=missing, times=3)
    )

    running.up(**changed(served))

    assert at_fly(world)["config"]["env"] == ENV


def test_each_update_is_a_release_that_fly_deploy_would_find(
    running: Driven, served: dict[str, Any], world: World
) -> None:
    running.up(**changed(served))
    failure(running, changed(served, image=push(world, "1.0.1", broken="unhealthy")))

    releases = sorted(world.store.all("fly_release"), key=lambda each: each["version"])
    metadata = at_fly(world)["config"]["metadata"]
    assert [each["status"] for each in releases] == ["complete", "complete", "failed"]
    assert releases[1]["definition"] == {"app": "solos-prod", "http_service": {"internal_port": 8080}}
    assert metadata["fly_release_id"] == releases[1]["id"]
    assert metadata["fly_release_version"] == "2"
    assert metadata["fly_platform_version"] == "v2"


def test_another_file_of_the_same_machine_is_no_change(running: Driven, served: dict[str, Any]) -> None:
    assert not running.diff(**{**served, "definition": {"deploy": {"wait_timeout": "9m"}}}).changes


def test_a_token_that_may_not_write_releases_deploys_nevertheless(
    running: Driven, served: dict[str, Any], world: World
) -> None:
    world.faults.arm(Fault("refuse", service="fly_platform", method="POST", status=403, times=9))

    running.up(**changed(served))

    assert at_fly(world)["config"]["env"] == ENV
