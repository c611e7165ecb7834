"""A first `up`, refresh and destroy: all requests and responses fit Apple's API specification."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.appstore import ADA, BUNDLE_ID, build_arguments, make_app
from harness.driver import Driven
from harness.inprocess import control
from providers.appstore.app import AppProvider
from providers.appstore.beta_group import BetaGroupProvider
from providers.appstore.beta_testers import BetaTestersProvider
from providers.appstore.build_distribution import BuildDistributionProvider
from providers.appstore.build_upload import BuildUploadProvider
from providers.appstore.bundle_id import BundleIdProvider
from providers.appstore.installations import InstallationsProvider
from providers.appstore.processed_build import ProcessedBuildProvider
from rehearsal.cloud.world import World
from tests import specification
from tests.appstore import description

GRACE = {"email": "grace@sollabs.example", "first_name": "Grace", "last_name": "Okoye"}


def test_calls_fit_the_specification(world: World, configured: Callable[[Any], Any], tmp_path: Path) -> None:
    """What we send, and what the double returns."""
    with specification.checking("appstore.test", specification.load(description.NAME)) as found:
        resources = first_up(world, configured, tmp_path)
        for resource in resources:
            assert resource.refresh()
        for resource in reversed(resources):
            resource.destroy()

    assert found
    assert specification.unexplained(found, description.DEVIATIONS) == []


def first_up(world: World, configured: Callable[[Any], Any], folder: Path) -> list[Driven]:
    """All resources of TestFlight, with one tester who is invited first."""
    app_id = make_app(world, configured)
    control(world, "POST", "/appstore/users", {"email": ADA, "firstName": "Ada", "lastName": "Ferreira"})
    made: list[Driven] = []

    def up(provider: Any, **arguments: Any) -> Driven:
        made.append(Driven(configured(provider)))
        made[-1].up(**arguments)
        return made[-1]

    up(BundleIdProvider, identifier=BUNDLE_ID, name="SolOS days")
    up(AppProvider, bundle_id=BUNDLE_ID, name="SolOS", sku="solos", primary_locale="de-DE")
    group = up(BetaGroupProvider, app_id=app_id, name="Internal Testers", feedback_enabled=False)
    testers = {"group_id": group.id, "app_id": app_id, "invite_users": True}
    ada = {"email": ADA, "first_name": "Ada", "last_name": "Ferreira"}
    members = Driven(configured(BetaTestersProvider))
    members.up(**testers, testers=[ada, GRACE])
    control(world, "POST", "/appstore/users", {"email": GRACE["email"]})
    members.up(**testers, testers=[ada, GRACE])
    made.append(members)
    arguments = build_arguments(folder, app_id, without=("ITSAppUsesNonExemptEncryption",))
    numbers = {"short_version": "1.0.0", "version": "0"}
    build = up(BuildUploadProvider, **arguments)
    processed = up(
        ProcessedBuildProvider, app_id=app_id, upload_id=build.id, uses_non_exempt_encryption=False, **numbers
    )
    texts = {"en-US": "1.0.0 (v0): sign up.", "de-DE": "1.0.0 (v0): bitte anmelden."}
    up(BuildDistributionProvider, build_id=processed.id, group_id=group.id, whats_new=texts)
    control(world, "POST", f"/appstore/testers/{ADA}/install", {"version": "1.0.0", "build": "0"})
    control(world, "POST", f"/appstore/testers/{ADA}/sessions", {"sessions": 3, "crashes": 1})
    for kind in ("crash", "screenshot"):
        control(world, "POST", f"/appstore/testers/{ADA}/feedback", {"kind": kind, "comment": "It closed."})
    up(InstallationsProvider, app_id=app_id, build_id=processed.id, group_id=group.id, testers=[ADA], **numbers)
    return made
