"""What a second stack with the same bundle ID adopts, and leaves when it is destroyed."""

from collections.abc import Callable
from typing import Any

from harness.appstore import ADA, BUNDLE_ID, GRACE, become_user, calls, make_app, make_group, person
from harness.driver import Driven
from harness.inprocess import control
from providers.appstore.beta_app_localization import BetaAppLocalizationProvider
from providers.appstore.beta_group import BetaGroupProvider
from providers.appstore.beta_testers import BetaTestersProvider
from providers.appstore.bundle_id import BundleIdProvider
from providers.appstore.survey import SurveyProvider
from rehearsal.cloud.world import World

Configured = Callable[[Any], Any]
CLAIMS = {"bundle_id": BUNDLE_ID, "group": "Internal Testers", "informs": True, "signs": True}
KINDS = ("bundleIds", "betaGroups", "betaAppLocalizations", "apps")


def held(world: World) -> dict[str, Any]:
    state = control(world, "GET", "/appstore/state")
    return {kind: state[kind] for kind in KINDS}


def test_new_bundle_id(world: World, configured: Configured) -> None:
    outputs = Driven(configured(SurveyProvider)).up(**CLAIMS)

    assert outputs["adopted"] == outputs["found_bundle_ids"] == []
    assert calls(world) == ["GET /v1/certificates", "GET /v1/bundleIds"]


def test_extension_that_existed(world: World, configured: Configured) -> None:
    """An extension that is added to the stack is looked for once, before the stack creates its bundle ID."""
    share = Driven(configured(BundleIdProvider))
    share.up(identifier=f"{BUNDLE_ID}.Share", name="Share")
    survey = Driven(configured(SurveyProvider))
    survey.up(**CLAIMS)

    found = survey.up(**CLAIMS, extensions=[f"{BUNDLE_ID}.Share"])
    again = survey.up(**CLAIMS, extensions=[f"{BUNDLE_ID}.Share"])

    assert survey.steps == ["create", "update", "same"]
    assert found["found_bundle_ids"] == again["found_bundle_ids"] == [share.id]


def test_what_existed_stays(world: World, configured: Configured) -> None:
    """A rehearsal beside production: its destroy takes away the tester that it added, and nothing else."""
    app = make_app(world, configured)
    make_group(world, configured, app)
    texts = {"app_id": app, "locale": "en-US", "feedback_email": "feedback@sollabs.example"}
    Driven(configured(BetaAppLocalizationProvider)).up(**texts)
    before = held(world)
    become_user(world, GRACE)

    found = Driven(configured(SurveyProvider)).up(**CLAIMS)
    assert [phrase.split("'")[0] for phrase in found["adopted"]] == [
        f"bundle ID {BUNDLE_ID}",
        f"the app record {app}",
        "tester group ",
        "test information in en-US",
    ]
    bundle_id = Driven(configured(BundleIdProvider))
    bundle_id.up(identifier=BUNDLE_ID, name="SolOS", existed=found["found_bundle_ids"])
    group = Driven(configured(BetaGroupProvider))
    group.up(app_id=app, name="Internal Testers", existed=found["found_groups"])
    testers = Driven(configured(BetaTestersProvider))
    people = [person(ADA), person(GRACE)]
    testers.up(group_id=group.id, app_id=app, testers=people, existed=found["found_testers"])
    information = Driven(configured(BetaAppLocalizationProvider))
    information.up(**texts, existed=found["found_localizations"])
    for resource in (information, testers, group, bundle_id):
        resource.refresh()
        resource.destroy()

    assert held(world) == before
    assert Driven(configured(SurveyProvider)).up(**CLAIMS)["found_testers"] == [ADA]
