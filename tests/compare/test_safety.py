"""Whatever happens, the tool deletes what it has made, and touches nothing else."""

import contextlib
import functools
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from compare import run
from compare.run import Outcome
from compare.script import filled
from compare.side import DoubleSide, of_double
from compare.wire import Budget, Call, NotOurs
from harness.appstore import records
from harness.inprocess import Doubles, control, copy_of
from rehearsal.cloud.world import World
from tests.compare.changes import Change, Changed, Edit, replaced
from tests.compare.runs import BUDGET, DATE, complete, ran
from tests.fault_transport import FAULT_KINDS, FaultKind, FaultTransport, Killed

NOT_OURS = ("solos-compare-production", "solos-compare-4k2m9x7q-00000000", "solos-prod")
"""Names of somebody else. Two of them look like ours."""
VENDORS = ("fly", "appstore")
OPTIONS = {"fly": (), "appstore": ("certificate", "testers")}
"""Managed Postgres is left out here: it would double the number of calls."""


@contextlib.contextmanager
def account(vendor: str) -> Iterator[DoubleSide]:
    """A double with objects that are not ours."""
    with of_double(vendor) as side:
        kinds = records(side.world).kinds
        for name in NOT_OURS:
            if vendor == "fly":
                control(side.world, "POST", "/fly/apps", {"name": name, "org": "sol-labs"})
            else:
                kinds["bundleIds"].create({"identifier": f"test.{name}", "name": "Ours", "platform": "IOS"}, {})
                kinds["betaGroups"].create({"name": name, "isInternalGroup": True}, {"app": side.script.values["app"]})
        yield side


def exists(world: World) -> set[tuple[str, str]]:
    """Type and id of everything in the account."""
    found = {("app", app["name"]) for app in world.store.all("fly_app") if app["_gone_at"] is None}
    found |= {("cluster", cluster["id"]) for cluster in world.store.all("fly_postgres")}
    return found | {(type, each["id"]) for type in records(world).kinds for each in records(world).all(type)}


SHORT = Budget(60, 60.0)
"""Ends in the middle of a run, so that the deletion finds most types."""


@functools.cache
def calls(vendor: str) -> list[str]:
    """The calls of a short run: `POST fly.test/v1/apps`."""
    with account(vendor) as side:
        transport = FaultTransport(side.world)
        shortened(side, transport)
    return transport.calls


def shortened(side: DoubleSide, transport: httpx.BaseTransport) -> Outcome:
    return run.run(
        side.script, side.wire(SHORT, transport), source="double", date=DATE, options=OPTIONS[side.script.vendor]
    )


class AfterEachWrite(FaultTransport):
    """Gives `then` a copy of the world after each write: a process that is killed there leaves it like that."""

    def __init__(self, world: World, then: Callable[[World], None]) -> None:
        super().__init__(world)
        self._then, self.writes = then, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if request.method not in ("GET", "HEAD"):
            self.writes += 1
            copy = copy_of(self._world)
            self._then(copy)
            copy.close()
        return response


@pytest.mark.parametrize("vendor", VENDORS)
def test_next_run_cleans_up(vendor: str, counted: Callable[[str, int], None]) -> None:
    """Killed after each write; killed elsewhere is the same as after the write before."""
    with account(vendor) as side, of_double(vendor) as later:
        before = exists(side.world)

        def clean(left: World) -> None:
            later.clock.sleep(left.clock.now() - later.clock.now())
            following = replace(later, clock=left.clock)
            assert run.clean(following.script, following.wire(BUDGET, Doubles(left))) == ()
            assert exists(left) == before

        transport = AfterEachWrite(side.world, clean)
        complete(ran(side, transport, options=OPTIONS[vendor]))

    assert transport.writes > 40
    counted("comparisons killed after a write: nothing left", transport.writes)


@pytest.mark.parametrize("made", ["/v1/postgres", "/restore"])
def test_clusters_are_cleaned_up(made: str) -> None:
    """Killed after the creation of a cluster, or of the one that a backup is restored to."""
    with account("fly") as side:
        transport = FaultTransport(side.world)
        ran(side, transport, options=["postgres"])
    number = next(at for at, call in enumerate(transport.calls) if call.startswith("POST") and call.endswith(made))

    with account("fly") as side:
        before = exists(side.world)
        with pytest.raises(Killed):
            ran(side, FaultTransport(side.world, "killed_after", number), options=["postgres"])
        assert {type for type, _ in exists(side.world) - before} == {"app", "cluster"}

        run.clean(side.script, side.wire(BUDGET))
        side.clock.sleep(60)
        assert exists(side.world) == before


class Interrupted(FaultTransport):
    """Ctrl-C at some calls; the process goes on."""

    def __init__(self, world: World, *at: int) -> None:
        super().__init__(world)
        self._interrupts = at

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if len(self.calls) in self._interrupts:
            signal.raise_signal(signal.SIGINT)
        return response


@pytest.mark.parametrize("at", [(2,), (70,), (70, 72, 75)], ids=["before", "once", "impatient"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_interrupted_run_cleans_up(vendor: str, at: tuple[int, ...], capfd: pytest.CaptureFixture[str]) -> None:
    with account(vendor) as side:
        before = exists(side.world)
        outcome = ran(side, Interrupted(side.world, *at))

        assert (outcome.stopped, outcome.left) == ("it was interrupted", ())
        assert exists(side.world) == before
    assert capfd.readouterr().err.count("please wait") == len(at) - 1


class Failing(FaultTransport):
    """Raises what no step expects when a volume is made, and refuses each deletion."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/volumes"):
            raise ZeroDivisionError
        return httpx.Response(403) if request.method == "DELETE" else super().handle_request(request)


def test_defect_reports_what_is_left() -> None:
    """An error in the tool itself does not hide what could not be deleted."""
    with account("fly") as side, pytest.raises(ZeroDivisionError) as defect:
        ran(side, Failing(side.world))

    assert defect.value.__notes__ == [f"LEFT: app {side.script.values['app']}"]


@pytest.mark.parametrize("fault", [fault for fault in FAULT_KINDS if not fault.startswith(("killed", "outage"))])
@pytest.mark.parametrize("vendor", VENDORS)
def test_same_run_cleans_up(vendor: str, fault: FaultKind) -> None:
    """The first creation fails, or the first deletion at the end, or the answer is lost."""
    made = calls(vendor)
    creation = next(
        number for number, call in enumerate(made) if call.endswith(("POST fly.test/v1/apps", "/v1/bundleIds"))
    )
    deletion = next(number for number, call in enumerate(made) if number >= SHORT.calls and call.startswith("DELETE"))

    for number in (creation, deletion):
        with account(vendor) as side:
            before = exists(side.world)
            outcome = shortened(side, FaultTransport(side.world, fault, number))
            assert outcome.left == ()
            assert exists(side.world) == before


@pytest.mark.parametrize("vendor", VENDORS)
def test_outage_is_reported(vendor: str) -> None:
    """Without a network nothing can be deleted: the summary says so, and the next run deletes it."""
    with account(vendor) as side:
        before = exists(side.world)
        outcome = ran(side, FaultTransport(side.world, "outage", 80))
        assert outcome.left
        assert outcome.left[0].startswith("not known: GET /v1/")
        assert exists(side.world) > before

        assert run.clean(side.script, side.wire(BUDGET)) == ()
        assert exists(side.world) == before


@pytest.mark.parametrize("budget", [Budget(60, 60.0), Budget(600, 1.5)], ids=["calls", "minutes"])
@pytest.mark.parametrize("vendor", VENDORS)
def test_budget_ends_the_run(vendor: str, budget: Budget) -> None:
    with account(vendor) as side:
        before = exists(side.world)
        outcome = run.run(side.script, side.wire(budget), source="double", date=DATE)

        assert outcome.stopped == "the budget of calls or minutes was used up"
        assert outcome.left == ()
        assert exists(side.world) == before
        assert outcome.calls < 150


def test_refusal_leaves_the_budget() -> None:
    """A step that is refused for the whole of its 300 s is sent about 40 times, not 150 times."""
    with account("appstore") as side:
        usual = ran(side).calls
    with account("appstore") as side:
        outcome = ran(side, Changed(side.world, Change(name="409", delays={"profile_too_early": 1e9})))

    assert outcome.stopped == ""
    assert outcome.calls < usual + 40


def test_list_lags_behind_creation() -> None:
    """The app of the run itself is deleted although the list of apps does not show it."""
    unlisted = Change(name="lists without apps", call="GET /v1/apps", body=replaced("apps", by=[]))
    with account("fly") as side:
        before = exists(side.world)
        wire = side.wire(Budget(40, 60.0), Changed(side.world, unlisted))
        outcome = run.run(side.script, wire, source="double", date=DATE)

        assert (outcome.stopped != "", outcome.left) == (True, ())
        assert exists(side.world) == before


@pytest.mark.parametrize(
    ("vendor", "call", "body"),
    [
        ("fly", "GET /v1/apps", lambda body: body["apps"]),
        ("fly", "GET /v1/apps", lambda body: {"data": body["apps"]}),
        ("fly", "GET /v1/postgres", lambda body: body["data"]),
        ("appstore", "GET /v1/betaGroups", lambda body: body["data"]),
    ],
)
def test_any_envelope_is_read(vendor: str, call: str, body: Edit) -> None:
    """What to delete is found although the vendor's list has another form than its double's."""
    with account(vendor) as side:
        before = exists(side.world)
        changed = Changed(side.world, Change(name="envelope", call=call, of_status=200, body=body))
        outcome = run.run(side.script, side.wire(Budget(60, 60.0), changed), source="double", date=DATE)

        assert (outcome.stopped != "", outcome.left) == (True, ())
        assert exists(side.world) == before


def test_unlisted_type_is_reported() -> None:
    """What the other lists show is deleted all the same."""
    with account("fly") as side:
        before = exists(side.world)
        changed = Changed(side.world, Change(name="404", call="GET /v1/postgres", status=404))
        outcome = run.run(side.script, side.wire(Budget(40, 60.0), changed), source="double", date=DATE)

        assert outcome.left == ("not known: GET /v1/postgres?org_slug=sol-labs: HTTP 404",)
        assert exists(side.world) == before


def test_id_is_a_number() -> None:
    """What was made is ours whatever the type of its id."""
    numbered = Change(name="17", call="POST /api/v1/releases", of_status=201, body=replaced("release", "id", by=17))
    with account("fly") as side:
        outcome = ran(side, Changed(side.world, numbered))

    assert (outcome.stopped, outcome.left) == ("", ())


def test_key_cannot_see_invitations() -> None:
    """So it cannot have made any: nothing is left."""
    with account("appstore") as side:
        outcome = ran(side, Changed(side.world, Change(name="403", call=".* /v1/userInvitations", status=403)))

    assert (outcome.stopped, outcome.left) == ("", ())


@pytest.mark.parametrize("vendor", VENDORS)
def test_rate_limit_is_obeyed(vendor: str) -> None:
    """With the real limits no call is throttled; one that is throttled anyway is repeated later."""
    with account(vendor) as side:
        assert ran(side).throttled == 0
    with account(vendor) as side:
        outcome = ran(side, FaultTransport(side.world, "throttle", 20))

    assert outcome.throttled == 1
    assert 429 not in {seen.status for seen in outcome.recording.steps}


LINKED = {"data": [{"type": "betaTesters", "id": "of-a-tester"}]}


@pytest.mark.parametrize(
    ("vendor", "method", "path", "body"),
    [
        ("fly", "DELETE", "/v1/apps/solos-prod", None),
        ("fly", "DELETE", "/v1/apps/solos-compare-production?force=true", None),
        ("fly", "POST", "/v1/apps/solos-prod/machines", {"name": "{mark}"}),
        ("fly", "POST", "/v1/apps", {"name": "solos-prod", "org_slug": "{mark}"}),
        ("fly", "POST", "/v1/postgres", {"name": "db"}),
        ("fly", "DELETE", "/v1/postgres/{mark}", None),
        ("fly", "POST", "/api/v1/releases", {"app_name": "solos-prod"}),
        ("fly", "PATCH", "/api/v1/releases/rel_1", {"status": "failed"}),
        ("fly", "POST", "/v1/tokens/current", None),
        ("appstore", "DELETE", "/v1/bundleIds/{mark}", None),
        ("appstore", "PATCH", "/v1/apps/{app}", {"data": {"attributes": {"name": "{mark}"}}}),
        ("appstore", "POST", "/v1/bundleIds", {"data": {"attributes": {"identifier": "com.x", "name": "{mark}"}}}),
        ("appstore", "POST", "/v1/betaGroups", {"data": {"attributes": {"name": "Internal Testers"}}}),
        ("appstore", "POST", "/v1/certificates", {"data": {"attributes": {"csrContent": "another"}}}),
        ("appstore", "POST", "/v1/buildUploads", {"data": {"attributes": {"name": "{mark}"}}}),
        ("appstore", "POST", "/v1/betaGroups/of-a-team/relationships/betaTesters", LINKED),
        ("appstore", "POST", "/v1/userInvitations", {"data": {"attributes": {"email": "ada@sollabs.example"}}}),
    ],
)
def test_writes_elsewhere_are_not_sent(vendor: str, method: str, path: str, body: dict[str, str] | None) -> None:
    """Also with our mark at another place."""
    with account(vendor) as side:
        transport, values = FaultTransport(side.world), side.script.values
        call = Call(api="main", method=method, path=filled(path, values), body=filled(body, values))

        with pytest.raises(NotOurs):
            side.wire(BUDGET, transport).send(call)

        assert transport.calls == []
