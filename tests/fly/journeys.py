"""The journeys of the backend in the fault matrix (`tests/fault_matrix.py`)."""

from dataclasses import replace
from typing import Any

from providers.errors import Incomplete
from providers.fly.safe_update.verification import NotHealthy
from rehearsal.cloud.world import World
from tests.fault_matrix import Journey
from tests.fly.alertmanager import leave_firing
from tests.fly.backend import RELEASES, Backend, Stateless, add_note, held
from tests.fly.checked import DRILL, Checked, Monitored, alerts_held
from tests.fly.conftest import push
from tests.fly.database import Database, database_held, enter_dns


def nothing_yet(world: World, settings: dict[str, Any]) -> Backend:
    """The images are in the registry."""
    for tag, broken in RELEASES.items():
        push(world, tag, broken=broken)
    return Backend(settings)


def stateless(world: World, settings: dict[str, Any]) -> Stateless:
    """A backend without a volume runs, and is updated side by side."""
    nothing_yet(world, settings)
    backend = Stateless(settings)
    backend.up()
    return backend


def lagging(world: World, settings: dict[str, Any]) -> Backend:
    """Nothing yet, and lists show no write for some seconds."""
    world.delays = replace(world.delays, list_lag=4.0)
    return nothing_yet(world, settings)


def standing(world: World, settings: dict[str, Any]) -> Backend:
    """The backend runs, with a user's row in its database."""
    backend = nothing_yet(world, settings)
    backend.up()
    add_note(world, "a user's row")
    return backend


def left_behind(world: World, settings: dict[str, Any]) -> Backend:
    """The backend runs, and the state of its stack is lost."""
    standing(world, settings)
    return Backend(settings)


def taken_over(world: World, settings: dict[str, Any]) -> Backend:
    """A stack without state has adopted the backend."""
    backend = left_behind(world, settings)
    backend.up()
    return backend


def verified(world: World, settings: dict[str, Any]) -> Checked:
    """The backend runs for ten minutes, with a user's row in its database."""
    backend = Checked(settings)
    backend.resources = standing(world, settings).resources
    world.clock.sleep(600)
    return backend


def monitored(world: World, settings: dict[str, Any]) -> Monitored:
    """The backend runs, and an Alertmanager."""
    return Monitored(settings, standing(world, settings).resources, world=world)


def interrupted(world: World, settings: dict[str, Any]) -> Monitored:
    """A drill has paged, and then its process was killed: the alert still fires."""
    stack = monitored(world, settings)
    leave_firing(world, DRILL, paged=True)
    return stack


def release(backend: Backend) -> None:
    backend.up(tag="1.0.1", LOG_LEVEL="debug")


def roll_back(backend: Backend) -> None:
    """An `up` that must fail and roll back."""
    try:
        backend.up(tag="1.0.2")
    except (Incomplete, NotHealthy) as error:
        if "Rolled back to the previous version" not in str(error):
            raise
    else:
        raise AssertionError("a bad release was taken for a good one")


def change_a_secret(backend: Backend) -> None:
    backend.up(secrets={"SESSION_KEY": "two"})


def grow_the_volume(backend: Backend) -> None:
    """The machine is restarted, to see the new size."""
    backend.up(size_gb=2)


def migrate(backend: Backend) -> None:
    """Whatever happens, the command runs, and its machine is gone."""
    backend.migrate(tag="1.0.1")


def no_database(world: World, settings: dict[str, Any]) -> Database:
    """The DNS records are entered. Lists show no write for some seconds, less than a new cluster takes."""
    world.delays = replace(world.delays, list_lag=4.0, postgres_ready=6.0)
    enter_dns(world)
    return Database(settings)


def with_database(world: World, settings: dict[str, Any]) -> Database:
    database = no_database(world, settings)
    database.up()
    return database


def database_left_behind(world: World, settings: dict[str, Any]) -> Database:
    """The database is there, and the state of its stack is lost."""
    with_database(world, settings)
    return Database(settings)


def change_the_role(database: Database) -> None:
    """With the next release, so that there is another backup and another drill."""
    database.up(release="1.0.1", role="schema_admin")


JOURNEYS = (
    Journey("creating the backend", nothing_yet, Backend.up, held),
    Journey("creating it while lists lag", lagging, Backend.up, held),
    Journey("taking over what is there", left_behind, Backend.up, held),
    Journey("releasing a new version", standing, release, held),
    Journey("putting a bad release back", standing, roll_back, held),
    Journey("releasing side by side", stateless, release, held),
    Journey("putting a bad release back side by side", stateless, roll_back, held),
    Journey("running a release command", standing, migrate, held),
    Journey("changing a secret", standing, change_a_secret, held),
    Journey("growing the volume", standing, grow_the_volume, held),
    Journey("drilling a restore", verified, Checked.restore, held),
    Journey("drilling an alert", monitored, Monitored.drill, alerts_held),
    Journey("drilling an alert again", interrupted, Monitored.drill, alerts_held),
    Journey("destroying the backend", standing, Backend.destroy, held),
    Journey("releasing what was taken over", taken_over, Backend.destroy, held),
    Journey("creating database and certificate", no_database, Database.up, database_held),
    Journey("changing a role of the database", with_database, change_the_role, database_held),
    Journey("destroying database and certificate", with_database, Database.destroy, database_held),
)
CHECKS = (
    Journey("checking the backend", verified, Checked.check, held),
    Journey("taking over database and certificate", database_left_behind, Database.up, database_held),
)
"""They create nothing that a fault could lose. What they read can be wrong."""
