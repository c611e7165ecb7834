"""What `up`, `refresh` and `destroy` do to a stack that runs: each change in place, with the data kept, and no more calls than it takes."""

import re
import time
from typing import Any

import httpx

from harness.program import IMAGE, Stack, appstore, calls, encrypted, fly, people
from tests.processes import wait_until

Running = tuple[Stack, dict[str, str]]
API = {"Authorization": "Bearer fo1_rehearsal"}


def app_of(addresses: dict[str, str]) -> str:
    (app,) = fly(addresses)["fly_app"]
    return str(app["name"])


def machine_of(addresses: dict[str, str]) -> dict[str, Any]:
    """The one machine, as the API shows it."""
    (machine,) = httpx.get(f"{addresses['fly']}/v1/apps/{app_of(addresses)}/machines", headers=API).json()
    found: dict[str, Any] = machine
    return found


def edge(addresses: dict[str, str], method: str, path: str, **options: Any) -> httpx.Response:
    """A request as a user's, through the public edge; a server that is being started is given its time."""
    headers = {"Host": f"{app_of(addresses)}.fly.dev"}
    deadline = time.monotonic() + 30
    while True:
        response = httpx.request(method, f"{addresses['proxy']}{path}", headers=headers, **options)
        if response.status_code != 503 or time.monotonic() > deadline:
            return response.raise_for_status()
        time.sleep(0.1)


def push(addresses: dict[str, str], version: str, **how: str) -> str:
    """Put an image into the registry; its digest."""
    image = {"reference": f"registry.fly.io/solserver:{version}", "version": version, **how}
    digest = httpx.post(f"{addresses['control']}/fly/images", json=image).raise_for_status().json()["digest"]
    return str(digest)


def v6_addresses(addresses: dict[str, str]) -> list[str]:
    return [address["ip"] for address in fly(addresses)["fly_ip"] if ":" in address["ip"]]


def updates(made: list[str], machine: str) -> int:
    """How often the machine was given another configuration."""
    return sum(call.startswith("fly POST") and call.endswith(f"/machines/{machine}") for call in made)


def test_unchanged_up_makes_no_call(running: Running) -> None:
    stack, addresses = running
    before = calls(addresses)

    assert stack.run("up", "--expect-no-changes") == 0, stack.text

    assert calls(addresses) == before


def test_changed_variable_keeps_rows(running: Running) -> None:
    """The machine is updated in place, once."""
    stack, addresses = running
    before, made = machine_of(addresses), len(calls(addresses))
    edge(addresses, "POST", "/notes", json={"text": "kept"})
    stack.edit("fly.toml", 'LOG_LEVEL = "info"', 'LOG_LEVEL = "debug"')

    assert stack.run("up") == 0, stack.text

    after = machine_of(addresses)
    assert (after["id"], after["config"]["env"]["LOG_LEVEL"]) == (before["id"], "debug")
    assert updates(calls(addresses)[made:], before["id"]) == 1
    took = re.search(
        r"started after (\S+) s, checks passed after (\S+) s, down for (\S+) s at most, snapshot vs_",
        stack.outputs()["lastUpdate"],
    )
    assert took
    assert 0 < float(took[1]) <= float(took[2]) <= float(took[3])
    assert [note["text"] for note in edge(addresses, "GET", "/notes").json()] == ["kept"]


def test_changed_secrets_are_batched(running: Running) -> None:
    """One call sets all of them, the machine is updated once, and no value is shown or stored in plain text."""
    stack, addresses = running
    made = len(calls(addresses))
    given = {"SESSION_SECRET": "not-in-any-output", "AWS_ACCESS_KEY_ID": "neither-is-this"}
    given |= {"AWS_SECRET_ACCESS_KEY": "nor-this", "BUCKET_NAME": "b", "AWS_ENDPOINT_URL_S3": addresses["bucket"]}
    stack.configure(secrets={name: encrypted(value) for name, value in given.items()})

    assert stack.run("up") == 0, stack.text

    now = calls(addresses)[made:]
    assert [call for call in now if "/secrets" in call and " GET " not in call] == [
        f"fly POST /v1/apps/{app_of(addresses)}/secrets"
    ]
    assert updates(now, machine_of(addresses)["id"]) == 1
    kept = stack.state()
    assert not [
        value for value in given.values() if len(value) > 1 and "http" not in value and value in stack.text + kept
    ]


def test_new_image_runs_by_digest(running: Running) -> None:
    stack, addresses = running
    digest = push(addresses, "1.0.1")
    stack.configure(image="registry.fly.io/solserver:1.0.1", expectBody='"1.0.1"')

    assert stack.run("up") == 0, stack.text

    assert machine_of(addresses)["config"]["image"].endswith(digest)
    assert edge(addresses, "GET", "/health").json()["version"] == "1.0.1"


def test_missing_image_changes_nothing(running: Running) -> None:
    stack, addresses = running
    made = len(calls(addresses))
    stack.edit("fly.toml", 'LOG_LEVEL = "info"', 'LOG_LEVEL = "debug"')
    stack.configure(
        image="registry.fly.io/solserver:9.9.9", secrets={"SESSION_SECRET": encrypted("of the next release")}
    )

    assert stack.run("up") != 0

    assert "the image does not exist" in stack.text
    assert [call for call in calls(addresses)[made:] if call.startswith("fly ") and " GET " not in call] == []


def test_unhealthy_release_is_rolled_back(running: Running) -> None:
    stack, addresses = running
    before = machine_of(addresses)["config"]["image"]
    push(addresses, "1.0.2", broken="unhealthy")
    stack.edit("fly.toml", 'grace_period = "20s"', 'grace_period = "1s"')
    stack.edit("fly.toml", 'wait_timeout = "5m"', 'wait_timeout = "5s"')
    stack.configure(image="registry.fly.io/solserver:1.0.2", expectBody='"1.0.2"')

    assert stack.run("up") != 0

    assert machine_of(addresses)["config"]["image"] == before
    assert edge(addresses, "GET", "/health").json()["version"] == "1.0.0"
    stack.configure(image=IMAGE, expectBody='"1.0.0"')
    assert stack.run("up") == 0, stack.text
    (rollout,) = (found for found in stack.resources() if found["type"].endswith("checks:Rollout"))
    assert rollout["outputs"]["instance_id"] == machine_of(addresses)["instance_id"]


def test_deleted_address_is_recreated(running: Running) -> None:
    stack, addresses = running
    (address,) = v6_addresses(addresses)
    httpx.delete(
        f"{addresses['fly']}/v1/apps/{app_of(addresses)}/ip_assignments/{address}", headers=API
    ).raise_for_status()

    assert stack.run("refresh") == 0, stack.text
    assert v6_addresses(addresses) == []
    assert stack.run("up") == 0, stack.text

    assert len(v6_addresses(addresses)) == 1


def test_machine_drift_is_repaired(running: Running) -> None:
    stack, addresses = running
    machine = machine_of(addresses)
    config = {**machine["config"], "env": {**machine["config"]["env"], "LOG_LEVEL": "trace"}}
    address = f"{addresses['fly']}/v1/apps/{app_of(addresses)}/machines/{machine['id']}"
    httpx.post(address, headers=API, json={"config": config}).raise_for_status()
    wait_until(lambda: machine_of(addresses)["config"]["env"]["LOG_LEVEL"] == "trace", "updated machine")

    assert stack.run("refresh") == 0, stack.text
    assert "trace" in stack.text
    assert stack.run("up") == 0, stack.text

    assert machine_of(addresses)["config"]["env"]["LOG_LEVEL"] == "info"


def test_renamed_app_replaces_backend(running: Running) -> None:
    """Nothing of the first backend is left."""
    stack, addresses = running
    first = app_of(addresses)
    stack.configure(app="solos-renamed", uniqueNames="false", build="0.1")

    assert stack.run("up") == 0, stack.text

    assert app_of(addresses) == "solos-renamed" != first
    assert len(fly(addresses)["fly_machine"]) == len(fly(addresses)["fly_volume"]) == 1
    assert edge(addresses, "GET", "/health").json()["version"] == "1.0.0"


def held(addresses: dict[str, str]) -> dict[str, Any]:
    """What users and testers have: every object but the evidence of drills."""
    apple = ("bundleIds", "certificates", "profiles", "betaGroups", "betaTesters", "betaAppLocalizations", "builds")
    at_fly = {
        kind: sorted(
            str(item.get("id") or item.get("ip") or item) for item in objects if item.get("state") != "destroyed"
        )
        for kind, objects in fly(addresses).items()
        if kind in ("fly_app", "fly_ip", "fly_machine", "fly_volume", "fly_secrets")
    }
    return {**at_fly, **{kind: appstore(addresses)[kind] for kind in apple}}


def test_destroy_spares_protected_resources(running: Running) -> None:
    """Whatever the options, and whether the exit code is 0 or not: an `up` afterwards finds everything that people use."""
    stack, addresses = running
    stack.configure(protect="true")
    assert stack.run("up") == 0, stack.text
    before = held(addresses)

    assert stack.run("destroy") != 0
    assert stack.run("destroy", "--skip-preview") != 0
    assert stack.run("destroy", "--exclude-protected", "--skip-preview") == 0, stack.text

    assert held(addresses) == before
    assert stack.run("up") == 0, stack.text
    assert held(addresses) == before


def test_protected_app_is_not_replaced(running: Running) -> None:
    stack, addresses = running
    stack.configure(protect="true")
    assert stack.run("up") == 0, stack.text
    before = calls(addresses)

    stack.configure(app="solos-renamed", uniqueNames="false", build="0.1")
    assert stack.run("up") != 0
    assert "protect" in stack.text

    assert calls(addresses) == before


def test_protected_stack_gets_builds(running: Running) -> None:
    stack, addresses = running
    stack.configure(protect="true")
    assert stack.run("up") == 0, stack.text
    stack.configure(build="1")

    assert stack.run("up") == 0, stack.text

    assert sorted(build["version"] for build in appstore(addresses)["builds"]) == ["0", "1"]
    with people(stack, addresses) as team:
        team.install("1.0.0", "1")
