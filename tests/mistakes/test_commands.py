"""Commands on a live stack: the wrong one, in the wrong order, after a loss, or on a computer without the IPA."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import pytest

from harness.engine import StackInProcess
from harness.inprocess import FLY_TOKEN, Doubles
from harness.program import encrypted
from rehearsal.cloud.faults import Fault
from tests.mistakes.production import APP, SETTINGS, Outages, edge, held, is_served

REPLICA = {
    name: encrypted(name.lower())
    for name in ("BUCKET_NAME", "AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
}
Event = Callable[[StackInProcess], None]


def fly(stack: StackInProcess, method: str, path: str) -> httpx.Response:
    """What somebody does with flyctl."""
    with httpx.Client(transport=Doubles(stack.world), base_url=stack.world.addresses["fly"]) as client:
        return client.request(method, f"/v1/apps/{APP}{path}", headers={"Authorization": f"Bearer {FLY_TOKEN}"})


def machine_of(stack: StackInProcess) -> str:
    (machine,) = (found for found in fly(stack, "GET", "/machines").json() if found["name"] == "solserver")
    return str(machine["id"])


def volume_of(stack: StackInProcess) -> str:
    listed = fly(stack, "GET", "/volumes").json()
    (volume,) = (found for found in listed if found["name"] == "data" and "destroy" not in found["state"])
    return str(volume["id"])


def lose_machine(stack: StackInProcess) -> None:
    assert fly(stack, "DELETE", f"/machines/{machine_of(stack)}?force=true").is_success
    stack.world.clock.sleep(60)


def lose_volume(stack: StackInProcess) -> None:
    """With its machine, as when a host dies."""
    volume = volume_of(stack)
    lose_machine(stack)
    assert fly(stack, "DELETE", f"/volumes/{volume}").is_success


def lose_app(stack: StackInProcess) -> None:
    assert fly(stack, "DELETE", "?force=true").is_success
    stack.world.clock.sleep(60)


def lose_address(stack: StackInProcess) -> None:
    (address,) = (found for found in fly(stack, "GET", "/ip_assignments").json()["ips"] if ":" in found["ip"])
    assert fly(stack, "DELETE", f"/ip_assignments/{address['ip']}").is_success


def turn_protection_off(stack: StackInProcess) -> None:
    """In the stack file, without an `up`."""
    stack.configure(protect="false")


def configure_snapshot(stack: StackInProcess) -> None:
    """The restore of the runbook, without the word that the volume is lost."""
    lose_volume(stack)
    stack.configure(database={"kind": "sqlite", "fromSnapshot": "vs_1"})


def nothing(stack: StackInProcess) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Mistake:
    name: str
    command: tuple[str, ...]
    says: str
    fails: bool = True
    before: Event = nothing
    """What has happened."""
    lost: tuple[str, ...] = ()
    """What was lost before the command, and stays so."""
    made_again: tuple[str, ...] = ()
    """What has another id than before, because it was lost."""


PROTECTED = "cannot be deleted because it is protected"
GONE = "is gone, and `pulumi up` would create an empty one in its place"
MISTAKES = (
    Mistake(name="destroy", command=("destroy",), says=PROTECTED),
    Mistake(name="destroy-without-preview", command=("destroy", "--skip-preview"), says=PROTECTED),
    Mistake(
        name="destroy-without-protected",
        command=("destroy", "--skip-preview", "--exclude-protected"),
        says="deleted",
        fails=False,
    ),
    Mistake(
        name="destroy-after-an-edit",
        command=("destroy", "--skip-preview"),
        says=PROTECTED,
        before=turn_protection_off,
    ),
    Mistake(name="refresh-without-a-loss", command=("refresh",), says="unchanged", fails=False),
    Mistake(
        name="refresh-after-lost-volume",
        command=("refresh",),
        says=GONE,
        before=lose_volume,
        lost=("machines", "volumes"),
    ),
    Mistake(
        name="preview-after-lost-volume",
        command=("preview", "--refresh"),
        says='FLY_LOST="vol_',
        before=lose_volume,
        lost=("machines", "volumes"),
    ),
    Mistake(
        name="up-after-lost-volume",
        command=("up", "--refresh"),
        says=GONE,
        before=lose_volume,
        lost=("machines", "volumes"),
    ),
    Mistake(
        name="up-with-snapshot-only",
        command=("up", "--refresh"),
        says=GONE,
        before=configure_snapshot,
        lost=("machines", "volumes"),
    ),
    Mistake(
        name="up-after-lost-app",
        command=("up", "--refresh"),
        says=GONE,
        before=lose_app,
        lost=("addresses", "apps", "machines", "secrets", "volumes"),
    ),
    Mistake(
        name="up-after-lost-machine",
        command=("up", "--refresh"),
        says="solos-backend-machine created",
        fails=False,
        before=lose_machine,
        made_again=("machines",),
    ),
    Mistake(
        name="up-after-lost-address",
        command=("up", "--refresh"),
        says="solos-backend-address-v6 created",
        fails=False,
        before=lose_address,
        made_again=("addresses",),
    ),
    Mistake(
        name="up-of-one-target",
        command=("up", "--target", "**solos-backend-machine"),
        says="unchanged",
        fails=False,
    ),
    Mistake(name="up-of-misspelt-target", command=("up", "--target", "**machin"), says="unchanged", fails=False),
    Mistake(
        name="up-of-one-target-after-lost-address",
        command=("up", "--refresh", "--target", "**solos-backend-address-v6"),
        says="solos-backend-address-v6 created",
        fails=False,
        before=lose_address,
        made_again=("addresses",),
    ),
    Mistake(
        name="up-of-one-target-after-lost-volume",
        command=("up", "--refresh", "--target", "**solos-backend-volume"),
        says=GONE,
        before=lose_volume,
        lost=("machines", "volumes"),
    ),
    Mistake(
        name="destroy-of-one-target",
        command=("destroy", "--skip-preview", "--target", "**solos-backend-machine"),
        says="will be destroyed but was not specified in --target list",
    ),
    *(
        Mistake(
            name=f"destroy-of-{target}-and-dependents",
            command=("destroy", "--skip-preview", "--target", f"**solos-backend-{target}", "--target-dependents"),
            says=PROTECTED,
        )
        for target in ("machine", "volume")
    ),
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_command(live: StackInProcess, mistake: Mistake) -> None:
    """It loses nothing, and the next `up` finds everything that people use."""
    before = held(live)
    mistake.before(live)
    outages = Outages(live)

    assert (live.run(*mistake.command) != 0) == mistake.fails, live.text

    assert mistake.says in live.text
    after = held(live)
    assert {kind for kind in before if before[kind] - after[kind]} == {*mistake.lost, *mistake.made_again}
    assert all(len(after[kind]) == len(before[kind]) for kind in mistake.made_again)
    assert is_served(live) == (not mistake.lost)
    assert not outages.seen or "machines" in (*mistake.lost, *mistake.made_again)
    if not mistake.lost:
        live.configure(protect="true")
        assert live.run("up", "--skip-preview") == 0, live.text
        assert {kind: held(live)[kind] for kind in before} == after


def test_lost_volume_is_restored(live: StackInProcess) -> None:
    """With both words of a person: what the new volume begins with, and that the old one is lost."""
    volume = volume_of(live)
    fly(live, "POST", f"/volumes/{volume}/snapshots")
    live.world.clock.sleep(60)
    listed = fly(live, "GET", f"/volumes/{volume}/snapshots").json()
    snapshot = max(listed, key=lambda taken: str(taken["created_at"]))["id"]
    lose_volume(live)
    live.configure(database={"kind": "sqlite", "fromSnapshot": snapshot})
    live.give("FLY_LOST", volume)

    assert live.run("up", "--refresh") == 0, live.text

    assert volume_of(live) != volume
    assert is_served(live)


def test_lost_volume_needs_its_data(live: StackInProcess) -> None:
    """Lost, and there is no replica: no run makes an empty volume, with FLY_LOST or afterwards without, before a person says so."""
    volume = volume_of(live)
    fly(live, "POST", f"/volumes/{volume}/snapshots")
    live.world.clock.sleep(60)
    lose_volume(live)
    live.give("FLY_LOST", volume)
    assert live.run("up", "--refresh") == 1
    assert f"would be empty in place of {volume}" in live.text

    live.give("FLY_LOST", "")
    assert live.run("up") == 1
    assert f"would be empty in place of {volume}" in live.text

    live.give("FLY_LOST", f"{volume} empty")
    assert live.run("up") == 0, live.text
    assert volume_of(live) != volume


def test_restore_required_after_failure(live: StackInProcess) -> None:
    """The run with FLY_LOST ends between the new volume and its machine. The next run, without FLY_LOST, requires the restore too:
    with an empty bucket the server would begin with an empty database."""
    lost = volume_of(live)
    lose_volume(live)
    live.configure(secrets={**SETTINGS["secrets"], **REPLICA}, database={"kind": "sqlite", "restoreDrill": "false"})
    live.give("FLY_LOST", lost)
    live.world.faults.arm(Fault("refuse", service="fly", method="POST", path="/machines$", status=422))
    assert live.run("up", "--refresh") == 1
    assert volume_of(live) != lost

    live.give("FLY_LOST", "")
    assert live.run("up") == 0, live.text

    assert "RESTORE_REQUIRED" in fly(live, "GET", f"/machines/{machine_of(live)}").json()["config"]["env"]


def test_lost_group_is_made_again(live: StackInProcess) -> None:
    """With the listed testers and the build. Others who were in it have to be added by hand: Apple has forgotten them too."""
    (group,) = live.control("GET", "/appstore/state")["betaGroups"]
    live.world.store.delete("appstore.betaGroups", group["id"])

    assert live.run("up", "--refresh") == 0, live.text

    (made,) = live.control("GET", "/appstore/state")["betaGroups"]
    assert made["id"] != group["id"]
    assert sorted(made["links"]["betaTesters"]) == sorted(group["links"]["betaTesters"])
    assert made["links"]["builds"] == group["links"]["builds"]


def test_protection_comes_back(live: StackInProcess) -> None:
    """A resource that was unprotected is protected again by the next `up`."""
    (urn,) = (found["urn"] for found in live.resources() if found["urn"].endswith("::solos-backend-machine"))
    assert live.command("state", "unprotect", urn, "--yes") == 0, live.text

    assert live.run("up") == 0, live.text

    assert live.command("state", "delete", "--target-dependents", urn, "--yes") != 0
    assert "is protected" in live.text


@pytest.fixture
def colleague(live: StackInProcess) -> StackInProcess:
    """On another laptop: a clone and the credentials, without an IPA, and without a way to archive one."""
    shutil.rmtree(live.project / ".rehearsal")
    live.configure(archive="exit 1")
    return live


def test_release_without_ipa(colleague: StackInProcess) -> None:
    """Forward, and back again."""
    image = {"reference": "registry.fly.io/solserver:1.0.1", "version": "1.0.1"}
    colleague.control("POST", "/fly/images", image)
    for version in ("1.0.1", "1.0.0"):
        colleague.configure(image=f"registry.fly.io/solserver:{version}", expectBody=f'"{version}"')

        assert colleague.run("up", "--refresh") == 0, colleague.text

        assert edge(colleague, "GET", "/health").json()["version"] == version
    assert is_served(colleague)


def test_secret_without_ipa(colleague: StackInProcess) -> None:
    secrets = {**colleague.config["solos:secrets"], "SESSION_SECRET": encrypted("rotated")}
    colleague.configure(secrets=secrets)

    assert colleague.run("up") == 0, colleague.text

    assert (APP, "SESSION_SECRET", "rotated") in held(colleague)["secrets"]


def test_restore_without_ipa(colleague: StackInProcess) -> None:
    test_lost_volume_is_restored(colleague)
