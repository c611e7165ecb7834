"""The members of a group: few calls, an error for each person who cannot be added, nobody removed or invited without request."""

from collections.abc import Callable
from typing import Any

import pytest

from harness.appstore import calls, make_app
from harness.driver import Driven, Refused
from harness.inprocess import ASC_KEY_ID, control
from providers import engine
from providers.appstore.api.errors import AppStoreError
from providers.appstore.beta_group import BetaGroupProvider
from providers.appstore.beta_testers import BetaTestersProvider
from providers.errors import Incomplete
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.faults import Fault, Kind
from rehearsal.cloud.world import World
from tests.cloud.appstore.caller import Caller

Configured = Callable[[Any], Any]


def person(name: str) -> dict[str, str]:
    return {"email": f"{name}@sollabs.example", "first_name": name.title(), "last_name": "Ferreira"}


ADA, JUN, LENA = person("ada"), person("jun"), person("lena")


@pytest.fixture
def app(world: World, configured: Configured) -> str:
    return make_app(world, configured)


@pytest.fixture
def arguments(configured: Configured, app: str) -> dict[str, Any]:
    group = Driven(configured(BetaGroupProvider))
    group.up(app_id=app, name="Internal Testers")
    return {"group_id": group.id, "app_id": app}


@pytest.fixture
def testers(configured: Configured) -> Driven:
    return Driven(configured(BetaTestersProvider))


def join_team(world: World, *people: dict[str, str], **about: Any) -> None:
    for person in people:
        control(world, "POST", "/appstore/users", {"email": person["email"], **about})


def members(world: World) -> list[str]:
    """The part before the @ of the members' addresses."""
    (group,) = world.store.all("appstore.betaGroups")
    testers = {tester["id"]: tester["attributes"]["email"] for tester in world.store.all("appstore.betaTesters")}
    return sorted(testers[id].partition("@")[0] for id in group["links"].get("betaTesters", []))


def test_left_the_team(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    """Apple removes them from the group; they are not invited again without request."""
    join_team(world, ADA, JUN)
    testers.up(**arguments, testers=[ADA, JUN])
    (left,) = (user for user in world.store.all("appstore.users") if user["attributes"]["username"] == JUN["email"])
    Caller(world)("DELETE", f"/v1/users/{left['id']}")

    assert testers.refresh()
    with pytest.raises(
        Incomplete, match=r"jun@sollabs.example is not a user .*; if they have left the team, take them"
    ):
        testers.up(**arguments, testers=[ADA, JUN])
    testers.up(**arguments, testers=[ADA])

    assert members(world) == ["ada"]
    assert world.store.all("appstore.userInvitations") == []


@pytest.mark.parametrize("number", [1, 10, 100])
def test_calls_for_new_testers(world: World, testers: Driven, arguments: dict[str, Any], number: int) -> None:
    """One for each new person, and four in all."""
    people = [person(f"tester{index}") for index in range(number)]
    join_team(world, *people)
    world.delays = Delays(membership_shown=0)
    before = len(calls(world))

    testers.up(**arguments, testers=people)
    after = len(calls(world))
    testers.up(**arguments, testers=people)

    assert len(members(world)) == number
    assert after - before == number + 4
    assert len(calls(world)) == after


def test_calls_for_known_testers(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    people = [person(f"tester{index}") for index in range(100)]
    join_team(world, *people)
    world.delays = Delays(membership_shown=0)
    testers.up(**arguments, testers=people)
    testers.destroy()
    before = len(calls(world))

    testers.up(**arguments, testers=people)

    assert len(calls(world)) - before == 5
    assert len(members(world)) == 100


def test_members_shown_late(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    """The members come from a search index, which can lag by a minute."""
    join_team(world, ADA)
    world.delays = Delays(membership_shown=60)

    outputs = testers.up(**arguments, testers=[ADA])

    assert list(outputs["tester_ids"]) == [ADA["email"]]


def test_address_case_ignored(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    join_team(world, ADA)
    testers.up(**arguments, testers=[ADA])

    testers.up(**arguments, testers=[{**ADA, "email": "Ada@SolLabs.example"}])

    assert testers.steps == ["create", "same"]


def test_not_users_of_the_team(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    """Each is named with what to do, and the others are added."""
    join_team(world, ADA)

    with pytest.raises(Incomplete) as left_out:
        testers.up(**arguments, testers=[ADA, JUN, LENA])

    assert [reason.split(" is not a user")[0] for reason in left_out.value.reasons] == [JUN["email"], LENA["email"]]
    assert "https://appstoreconnect.apple.com/access/users" in left_out.value.reasons[0]
    assert members(world) == ["ada"]
    assert "POST /v1/userInvitations" not in calls(world)


def test_invited_then_added(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    """Invited once, and added by the first up after they accept."""
    invited = {**arguments, "testers": [ADA, JUN, LENA], "invite_users": True}
    join_team(world, LENA)
    for _ in range(2):
        waiting = testers.up(**invited)["invited"]
    before = members(world)

    join_team(world, ADA, JUN)
    outputs = testers.up(**invited)
    testers.up(**invited)

    assert (list(waiting), before) == ([ADA["email"], JUN["email"]], ["lena"])
    assert (outputs["invited"], members(world)) == ({}, ["ada", "jun", "lena"])
    assert calls(world).count("POST /v1/userInvitations") == 2
    assert testers.steps == ["create", "update", "update", "same"]


def test_invitation_shown(testers: Driven, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With the day on which it expires."""
    notes: list[str] = []
    monkeypatch.setattr(engine, "note", notes.append)

    testers.up(**arguments, testers=[ADA], invite_users=True)

    assert notes == [
        f"invited to the team, not accepted yet: {ADA['email']} (until 2026-09-24); the next `pulumi up` after they accept adds them"
    ]


def test_invitation_refused(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    """The others are added all the same."""
    join_team(world, ADA)
    world.faults.arm(Fault("refuse", service="appstore", method="POST", path="userInvitations", status=409))

    with pytest.raises(AppStoreError, match=r"refused to invite jun@sollabs\.example as a user of the team"):
        testers.up(**arguments, testers=[JUN, ADA], invite_users=True)

    assert members(world) == ["ada"]


def test_plus_in_address(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    person = {**ADA, "email": "ada+phone@sollabs.example"}
    join_team(world, person)

    testers.up(**arguments, testers=[person])
    testers.destroy()
    testers.up(**arguments, testers=[person])

    assert members(world) == ["ada+phone"]
    assert len(world.store.all("appstore.betaTesters")) == 1


def test_invited_to_one_app(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    testers.up(**arguments, testers=[ADA], invite_users=True)

    (invitation,) = world.store.all("appstore.userInvitations")
    assert (invitation["attributes"]["allAppsVisible"], invitation["attributes"]["roles"]) == (False, ["DEVELOPER"])
    assert invitation["links"] == {"visibleApps": [arguments["app_id"]]}


def test_expired_invitation(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    testers.up(**arguments, testers=[ADA], invite_users=True)
    world.clock.sleep(4 * 86400)

    testers.up(**arguments, testers=[ADA], invite_users=True)

    assert len(world.store.all("appstore.userInvitations")) == 1
    assert calls(world).count("POST /v1/userInvitations") == 2


@pytest.mark.parametrize(
    "about", [{"allAppsVisible": False}, {"roles": ["FINANCE"]}], ids=lambda about: next(iter(about))
)
def test_user_who_cannot_test(world: World, testers: Driven, arguments: dict[str, Any], about: dict[str, Any]) -> None:
    """They are named, and the others are added."""
    join_team(world, ADA)
    join_team(world, JUN, **about)

    with pytest.raises(
        Incomplete,
        match=r"jun@\S+ cannot be added to the group: they need to be a user of the team, with access to the app",
    ):
        testers.up(**arguments, testers=[JUN, ADA])

    assert members(world) == ["ada"]


@pytest.mark.parametrize("fault", ["refuse", "refuse_after", "lose_before", "lose_after", "hang"])
@pytest.mark.parametrize("call", ["/v1/betaTesters$", "relationships/betaTesters", "/v1/userInvitations"])
def test_lost_response(world: World, testers: Driven, arguments: dict[str, Any], call: str, fault: Kind) -> None:
    """Everybody is added or invited once."""
    join_team(world, ADA, JUN)
    testers.up(**arguments, testers=[JUN])
    testers.destroy()
    world.faults.arm(Fault(fault, service="appstore", method="POST", path=call))

    outputs = testers.up(**arguments, testers=[ADA, JUN, LENA], invite_users=True)

    assert list(outputs["invited"]) == [LENA["email"]]
    assert members(world) == ["ada", "jun"]
    assert len(world.store.all("appstore.betaTesters")) == 2
    assert len(world.store.all("appstore.userInvitations")) == 1


def test_already_a_member(world: World, configured: Configured, testers: Driven, arguments: dict[str, Any]) -> None:
    join_team(world, ADA, JUN)
    world.delays = Delays(membership_shown=2)
    first = Driven(configured(BetaTestersProvider))
    first.up(**arguments, testers=[ADA, JUN])
    first.destroy()
    (ada,) = (
        tester for tester in world.store.all("appstore.betaTesters") if tester["attributes"]["email"] == ADA["email"]
    )
    path = f"/appstore/groups/{arguments['group_id']}/testers"
    control(world, "POST", path, {"tester": ada["id"]})  # added by hand

    testers.up(**arguments, testers=[ADA, JUN])

    assert members(world) == ["ada", "jun"]


def test_unlisted_members_stay(
    world: World, configured: Configured, testers: Driven, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note names them."""
    notes: list[str] = []
    monkeypatch.setattr(engine, "note", notes.append)
    join_team(world, ADA, JUN)
    Driven(configured(BetaTestersProvider)).up(**arguments, testers=[ADA, JUN])

    outputs = testers.up(**arguments, testers=[ADA])

    assert outputs["unlisted"] == [JUN["email"]]
    assert notes == [f"also in the group, although not listed: {JUN['email']}"]
    assert members(world) == ["ada", "jun"]


def test_unlisted_members_removed(
    world: World, configured: Configured, testers: Driven, arguments: dict[str, Any]
) -> None:
    """In one call, before others are added: the group may be full."""
    people = [person(f"tester{index}") for index in range(100)]
    join_team(world, *people, ADA)
    Driven(configured(BetaTestersProvider)).up(**arguments, testers=people)

    testers.up(**arguments, testers=[*people[:50], ADA], remove_unlisted=True)

    assert len(members(world)) == 51
    assert len(calls(world, method="DELETE")) == 1


def test_refresh(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    join_team(world, ADA, JUN)
    testers.up(**arguments, testers=[ADA, JUN])
    (group,) = world.store.all("appstore.betaGroups")
    group["links"]["betaTesters"].pop()
    world.store.put("appstore.betaGroups", group["id"], group)

    assert testers.refresh()
    assert testers.diff(**arguments, testers=[ADA, JUN]).changes
    testers.up(**arguments, testers=[ADA, JUN])

    assert members(world) == ["ada", "jun"]


def test_refresh_calls(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    join_team(world, ADA)
    testers.up(**arguments, testers=[ADA])
    before = len(calls(world))

    assert testers.refresh()

    assert calls(world)[before:] == ["GET /v1/betaTesters"]


def test_users_hidden(world: World, testers: Driven, arguments: dict[str, Any]) -> None:
    """A key that cannot see the team's users adds people without a look; Apple refuses those who are none."""
    join_team(world, ADA)
    key = world.store.get("appstore.keys", ASC_KEY_ID) or {}
    world.store.put("appstore.keys", ASC_KEY_ID, {**key, "role": "APP_MANAGER"})
    control(world, "POST", "/appstore/settings", {"users_need_admin": True})

    with pytest.raises(Incomplete, match=f"{JUN['email']} cannot be added to the group: they need to be a user"):
        testers.up(**arguments, testers=[ADA, JUN])

    assert members(world) == ["ada"]


def test_destroy(world: World, configured: Configured, testers: Driven, arguments: dict[str, Any]) -> None:
    """Removes only those who are listed."""
    join_team(world, ADA, JUN)
    Driven(configured(BetaTestersProvider)).up(**arguments, testers=[JUN])
    testers.up(**arguments, testers=[ADA])

    testers.destroy()

    assert members(world) == ["jun"]
    assert len(world.store.all("appstore.betaTesters")) == 2


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"testers": [{"email": "ada"}]}, "'ada' is not a valid e-mail address"),
        ({"testers": [ADA, {**ADA, "email": "ADA@sollabs.example"}]}, "is listed 2 times"),
        ({"testers": [person(f"tester{index}") for index in range(101)]}, "101 testers are listed; .* can have 100"),
        ({"testers": [{"email": ADA["email"]}], "invite_users": True}, "needs a first and a last name"),
        ({"testers": [ADA], "invite_users": True, "invite_roles": ["FINANCE"]}, "none of the invited roles can test"),
    ],
)
def test_invalid_arguments(testers: Driven, wrong: dict[str, Any], problem: str) -> None:
    """Refused at preview."""
    with pytest.raises(Refused, match=problem):
        testers.up(group_id="g", app_id="1", **wrong)
