"""A Managed Postgres backup is restored to a second cluster, checked, and deleted."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.driver import Driven
from providers.checks.postgres_restore_drill import NotRestorable, PostgresRestoreDrillProvider
from providers.fly.managed_postgres import ManagedPostgresProvider
from providers.fly.postgres_backup import PostgresBackupProvider
from rehearsal.cloud.world import World

Configured = Callable[[Any], Any]


@pytest.fixture
def wanted(configured: Configured, world: World) -> dict[str, Any]:
    """The arguments of a drill, for a cluster with a backup."""
    cluster, backup = Driven(configured(ManagedPostgresProvider)), Driven(configured(PostgresBackupProvider))
    cluster.up(org="sol-labs", name="solos-prod-db", region="sjc")
    world.clock.sleep(60)
    backup.up(cluster_id=cluster.id)
    return {"org": "sol-labs", "cluster_id": cluster.id, "backup_id": backup.id, "database": "fly-db"}


def names(world: World) -> list[str]:
    return [cluster["name"] for cluster in world.store.all("fly_postgres") if cluster["_gone_at"] is None]


def test_backup_is_restored(configured: Configured, world: World, wanted: dict[str, Any]) -> None:
    drill = Driven(configured(PostgresRestoreDrillProvider))

    drill.up(**wanted)
    drill.up(**wanted)

    assert drill.steps == ["create", "same"]
    assert drill.outputs["databases"] == ["fly-db"]
    assert names(world) == ["solos-prod-db"]


def test_missing_database_is_reported(configured: Configured, world: World, wanted: dict[str, Any]) -> None:
    with pytest.raises(NotRestorable, match="was restored without database solserver \\(found: fly-db"):
        Driven(configured(PostgresRestoreDrillProvider)).up(**{**wanted, "database": "solserver"})

    assert names(world) == ["solos-prod-db"]
