"""An app in App Store Connect with a group of testers, and IPAs of it: where the tests of builds start."""

from pathlib import Path
from typing import Any

from providers.appstore import ipa
from providers.appstore.beta_group import BetaGroupProvider
from providers.appstore.beta_testers import BetaTestersProvider
from providers.appstore.bundle_id import BundleIdProvider
from rehearsal.cloud.world import World
from rehearsal.standins import ipa as standin
from tests.driver import Driven
from tests.inprocess import control

BUNDLE_ID = "com.sollabs.solos"
ADA = "ada@sollabs.example"


def make_app(world: World, configured: Any) -> str:
    """The bundle ID registered, and the entry made by a person; its Apple ID."""
    control(world, "POST", "/appstore/settings", {"part_bytes": 1200})
    Driven(configured(BundleIdProvider)).up(identifier=BUNDLE_ID, name="SolOS")
    form = {"bundleId": BUNDLE_ID, "name": "SolOS", "primaryLocale": "en-US", "sku": "solos"}
    app = str(control(world, "POST", "/appstore/apps", form)["id"])
    world.clock.sleep(30)
    return app


def make_group(world: World, configured: Any, app: str) -> Driven:
    """The internal group, with Ada in it."""
    control(world, "POST", "/appstore/users", {"email": ADA, "firstName": "Ada", "lastName": "Ferreira"})
    group = Driven(configured(BetaGroupProvider))
    group.up(app_id=app, name="Internal Testers")
    Driven(configured(BetaTestersProvider)).up(
        group_id=group.id, app_id=app, testers=[{"email": ADA, "first_name": "Ada", "last_name": "Ferreira"}]
    )
    return group


def build_arguments(folder: Path, app: str, **changes: Any) -> dict[str, Any]:
    """Arguments of a `Build` whose IPA is made here; `changes` are those of `standins.ipa.write`."""
    about = {"bundle_id": BUNDLE_ID, "version": "1.0.0", "build": "0", **changes}
    path = standin.write(folder / f"solmobile-{about['build']}.ipa", **about)
    return {
        "app_id": app,
        "ipa": str(path),
        "sha256": ipa.sha256(path),
        "bundle_id": BUNDLE_ID,
        "short_version": "1.0.0",
        "version": about["build"],
    }


def uploads(world: World) -> list[dict[str, Any]]:
    state: list[dict[str, Any]] = control(world, "GET", "/appstore/state")["buildUploads"]
    return state


def calls(world: World, service: str = "appstore", method: str | None = None) -> list[str]:
    """The calls so far, as `METHOD /path`."""
    entries = world.journal.entries(service)
    return [f"{each['method']} {each['path']}" for each in entries if method in (None, each["method"])]
