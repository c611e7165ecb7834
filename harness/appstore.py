"""An app in App Store Connect with a tester group, and IPAs of it: the starting point of tests of builds."""

from pathlib import Path
from typing import Any

from harness.driver import Driven
from harness.inprocess import control
from providers.appstore.beta_group import BetaGroupProvider
from providers.appstore.beta_testers import BetaTestersProvider
from providers.appstore.bundle_id import BundleIdProvider
from rehearsal.cloud.world import World
from rehearsal.standins import ipa as standin

BUNDLE_ID = "com.sollabs.solos"
ADA = "ada@sollabs.example"
GRACE = "grace@sollabs.example"


NAMES = {ADA: ("Ada", "Ferreira"), GRACE: ("Grace", "Okafor")}


def records(world: World) -> Any:
    """The objects of the double, for what no person or API call can make."""
    return world.services["appstore"].records  # type: ignore[attr-defined]  # of the double of App Store Connect


def use_small_parts(world: World) -> None:
    """Set the part size to 1200 bytes, so that the IPA of a test has three parts."""
    control(world, "POST", "/appstore/settings", {"part_bytes": 1200})


def fill_in_the_form(world: World) -> str:
    """Create the app record on Apple's website, unless it exists. Returns the Apple ID."""
    entries = world.store.all("appstore.apps")
    form = {"bundleId": BUNDLE_ID, "name": "SolOS", "primaryLocale": "en-US", "sku": "solos"}
    return str((entries or [control(world, "POST", "/appstore/apps", form)])[0]["id"])


def become_user(world: World, email: str) -> None:
    """Add a user to the team, with or without an invitation."""
    first, last = NAMES[email]
    control(world, "POST", "/appstore/users", {"email": email, "firstName": first, "lastName": last})


def make_app(world: World, configured: Any) -> str:
    """Register the bundle ID and create the app record. Returns the Apple ID."""
    use_small_parts(world)
    Driven(configured(BundleIdProvider)).up(identifier=BUNDLE_ID, name="SolOS")
    app = fill_in_the_form(world)
    world.clock.sleep(30)
    return app


def make_group(world: World, configured: Any, app: str) -> Driven:
    """Create the internal group with Ada as a tester."""
    become_user(world, ADA)
    group = Driven(configured(BetaGroupProvider))
    group.up(app_id=app, name="Internal Testers")
    Driven(configured(BetaTestersProvider)).up(group_id=group.id, app_id=app, testers=[person(ADA)])
    return group


def person(email: str) -> dict[str, str]:
    """A tester in the arguments of `BetaTesters`."""
    first, last = NAMES[email]
    return {"email": email, "first_name": first, "last_name": last}


def build_arguments(folder: Path, app: str, **changes: Any) -> dict[str, Any]:
    """Arguments of a `Build` with a new IPA; `changes` are arguments of `standins.ipa.write`."""
    about = {"bundle_id": BUNDLE_ID, "version": "1.0.0", "build": "0", **changes}
    path = standin.write(folder / f"solmobile-{about['build']}.ipa", **about)
    return {
        "app_id": app,
        "ipa": str(path),
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
    return [f"{entry['method']} {entry['path']}" for entry in entries if method in (None, entry["method"])]
