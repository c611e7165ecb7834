"""A Managed Postgres cluster, an app's access to it, and its backups: created once, waited for, never lost by accident."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.driver import Driven, Refused
from harness.inprocess import control
from providers.errors import ProviderError
from providers.fly.api.postgres import Unusable
from providers.fly.app import AppProvider
from providers.fly.machine import MachineProvider
from providers.fly.managed_postgres import ManagedPostgresProvider
from providers.fly.postgres_access import PostgresAccessProvider
from providers.fly.postgres_backup import PostgresBackupProvider
from providers.fly.secrets import SecretsProvider
from rehearsal.cloud.faults import Kind
from rehearsal.cloud.world import World
from tests.fly.conftest import CONFIG, push

CLUSTER: dict[str, Any] = {"org": "sol-labs", "name": "solos-prod-db", "region": "sjc"}
KINDS: list[Kind] = ["refuse", "refuse_after", "lose_before", "lose_after", "hang", "throttle"]
Configured = Callable[[Any], Any]


@pytest.fixture
def cluster(configured: Configured) -> Driven:
    cluster = Driven(configured(ManagedPostgresProvider))
    cluster.up(**CLUSTER)
    return cluster


@pytest.fixture
def wanted(configured: Configured, cluster: Driven) -> dict[str, Any]:
    """The arguments of an access."""
    Driven(configured(AppProvider)).up(name="solos-prod", org="sol-labs")
    return {"cluster_id": cluster.id, "app": "solos-prod", "database": "solserver", "username": "solserver"}


@pytest.fixture
def access(configured: Configured, wanted: dict[str, Any]) -> Driven:
    access = Driven(configured(PostgresAccessProvider))
    access.up(**wanted)
    return access


def clusters(world: World) -> list[dict[str, Any]]:
    """The objects at Fly that cost money."""
    return [cluster for cluster in world.store.all("fly_postgres") if cluster["_gone_at"] is None]


def test_cluster_is_adopted(cluster: Driven, configured: Configured, world: World) -> None:
    second = Driven(configured(ManagedPostgresProvider))  # Another stack, or one made by `fly mpg create`.

    cluster.up(**CLUSTER)
    second.up(**CLUSTER)

    assert cluster.steps == ["create", "same"]
    assert second.id == cluster.id
    assert len(clusters(world)) == 1


def test_different_cluster_is_refused(configured: Configured, cluster: Driven) -> None:
    with pytest.raises(ProviderError, match="exists already, with region sjc, plan basic"):
        Driven(configured(ManagedPostgresProvider)).up(**{**CLUSTER, "region": "ams", "plan": "launch"})


@pytest.mark.usefixtures("cluster")
def test_ambiguous_cluster_is_refused(configured: Configured, world: World) -> None:
    (first,) = world.store.all("fly_postgres")
    world.store.put("fly_postgres", "second", {**first, "id": "second"})

    with pytest.raises(ProviderError, match="has 2 Postgres clusters solos-prod-db"):
        Driven(configured(ManagedPostgresProvider)).up(**CLUSTER)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"region": "ams"}, "region cannot change from sjc to ams: that would be another, empty cluster"),
        ({"name": "other-db"}, "name cannot change from solos-prod-db to other-db"),
        ({"plan": "launch"}, "plan cannot change from basic to launch here, because Fly's API has no call for it"),
        ({"disk_size_gb": 20}, "disk_size_gb cannot change from 10 to 20 here"),
        ({"plan": "tiny"}, "plan must be one of basic, starter, launch, scale, performance, not 'tiny'"),
    ],
)
def test_cluster_change_is_refused(cluster: Driven, change: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        cluster.up(**{**CLUSTER, **change})


def test_lost_cluster_is_kept_in_state(cluster: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropped from the state, it would be replaced by an empty one."""
    Driven(cluster.provider, id=cluster.id, outputs=cluster.outputs).destroy()

    with pytest.raises(ProviderError, match="restore a backup into a cluster of the same name first"):
        cluster.refresh()

    monkeypatch.setenv("FLY_LOST", cluster.id)
    assert cluster.refresh() is False


def test_restored_cluster_takes_the_place(configured: Configured, cluster: Driven) -> None:
    Driven(cluster.provider, id=cluster.id, outputs=cluster.outputs).destroy()
    restored = Driven(configured(ManagedPostgresProvider))
    restored.up(**CLUSTER)

    assert cluster.refresh() is False
    cluster.up(**CLUSTER)

    assert cluster.id == restored.id


def test_dashboard_change_is_drift(cluster: Driven, world: World) -> None:
    (found,) = world.store.all("fly_postgres")
    world.store.put("fly_postgres", found["id"], {**found, "plan": "launch", "disk_size_gb": 50})

    cluster.refresh()
    cluster.up(**{**CLUSTER, "plan": "launch"})

    assert cluster.steps == ["create", "read", "same"]


def test_access_waits_for_cluster(access: Driven, world: World) -> None:
    (found,) = clusters(world)

    assert found["_databases"] == ["fly-db", "solserver"]
    assert found["_users"]["solserver"]["role"] == "schema_admin"
    assert found["_attached"] == ["solos-prod"]
    assert access.outputs["url"] == (
        f"postgresql://solserver:{found['_users']['solserver']['password']}"
        f"@pgbouncer.{found['id']}.flympg.net:5432/solserver"
    )


@pytest.mark.parametrize("status", ["failed", "error"])
def test_failed_cluster_names_remedy(configured: Configured, wanted: dict[str, Any], world: World, status: str) -> None:
    (found,) = clusters(world)
    world.store.put("fly_postgres", found["id"], {**found, "_failed": status})

    with pytest.raises(Unusable, match=f"fly mpg destroy {found['id']}"):
        Driven(configured(PostgresAccessProvider)).up(**wanted)


def test_role_changes_in_place(access: Driven, wanted: dict[str, Any], world: World) -> None:
    access.up(**wanted, role="writer")

    assert access.steps == ["create", "update"]
    assert clusters(world)[0]["_users"]["solserver"]["role"] == "writer"


def test_rotated_password_is_drift(access: Driven, world: World) -> None:
    before = access.outputs["url"]
    (found,) = clusters(world)
    found["_users"]["solserver"]["password"] = "new-and/strange"
    world.store.put("fly_postgres", found["id"], found)

    assert access.refresh() is True

    assert access.outputs["url"] == before.replace(before.split(":")[2].split("@")[0], "new-and%2Fstrange")


@pytest.mark.parametrize("gone", ["_databases", "_users", "_attached"])
def test_removed_access_is_restored(access: Driven, wanted: dict[str, Any], world: World, gone: str) -> None:
    (found,) = clusters(world)
    world.store.put("fly_postgres", found["id"], {**found, gone: type(found[gone])()})

    assert access.refresh() is False
    access.up(**wanted)

    (found,) = clusters(world)
    assert "solserver" in found["_databases"]
    assert "solserver" in found["_users"]
    assert found["_attached"] == ["solos-prod"]


def test_removed_access_keeps_rows(access: Driven, world: World) -> None:
    access.destroy()

    (found,) = clusters(world)
    assert found["_databases"] == ["fly-db", "solserver"]
    assert list(found["_users"]) == ["fly-user"]
    assert found["_attached"] == []


def test_passwords_stay_secret(access: Driven, world: World) -> None:
    password = clusters(world)[0]["_users"]["solserver"]["password"]

    assert password in access.outputs["url"]
    assert password not in str(world.journal.entries())


def test_backup_per_reason(configured: Configured, access: Driven, world: World) -> None:
    backup = Driven(configured(PostgresBackupProvider))
    arguments = {"cluster_id": access.inputs["cluster_id"], "reason": "1.0.0"}

    backup.up(**arguments)
    backup.up(**arguments)
    backup.up(**{**arguments, "reason": "1.0.1"})

    assert backup.steps == ["create", "same", "replace"]
    assert backup.outputs["status"] == "completed"
    assert len(clusters(world)[0]["_backups"]) == 2


def test_backup_waits_for_running_one(configured: Configured, access: Driven, world: World) -> None:
    (found,) = clusters(world)
    running = {"id": "20260101F", "type": "full", "_at": world.clock.now()}
    world.store.put("fly_postgres", found["id"], {**found, "_backups": [running]})

    backup = Driven(configured(PostgresBackupProvider))
    backup.up(cluster_id=found["id"])

    assert backup.id != "20260101F"


@pytest.mark.parametrize("broken", [False, True])
def test_url_connects(configured: Configured, access: Driven, world: World, *, broken: bool) -> None:
    url = access.outputs["url"].replace("@", "x@") if broken else access.outputs["url"]
    secrets = Driven(configured(SecretsProvider))
    secrets.up(app="solos-prod", values={"DATABASE_URL": url})
    machine = Driven(configured(MachineProvider))
    arguments = {
        "app": "solos-prod",
        "name": "solos",
        "region": "sjc",
        "config": {"services": CONFIG["services"]},
        "image": push(world, "1.0.0"),
        "secrets_version": secrets.outputs["version"],
    }

    if broken:
        with pytest.raises(ProviderError, match="cannot open the database pgbouncer"):
            machine.up(**arguments)
    else:
        assert machine.up(**arguments)["state"] == "started"


def test_cluster_survives_app(access: Driven, configured: Configured, world: World) -> None:
    app = Driven(configured(AppProvider))
    app.up(name="solos-prod", org="sol-labs")

    app.destroy()

    assert len(clusters(world)) == 1


def test_control_lists_clusters(cluster: Driven, world: World) -> None:
    assert [item["id"] for item in control(world, "GET", "/fly/state")["fly_postgres"]] == [cluster.id]
