"""Whatever happens, the tool deletes what it has made, and touches nothing else."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from compare import run
from compare.script import filled
from compare.side import DoubleSide, of_double
from compare.wire import Budget, Call, NotOurs
from harness.inprocess import control
from tests.compare.runs import BUDGET, DATE, complete, ran
from tests.fault_transport import FAULT_KINDS, FaultKind, FaultTransport, Killed

NOT_OURS = {"solos-compare-production", "solos-compare-4k2m9x7q-00000000", "solos-prod"}
"""Apps of somebody else: two of them look like ours."""


@contextlib.contextmanager
def fly() -> Iterator[DoubleSide]:
    """The double with apps that are not ours."""
    with of_double("fly") as side:
        for name in NOT_OURS:
            control(side.world, "POST", "/fly/apps", {"name": name, "org": "sol-labs"})
        yield side


def apps(side: DoubleSide) -> set[str]:
    """The apps that exist, without the one that holds images."""
    found = side.world.store.all("fly_app")
    return {app["name"] for app in found if not app["_for_images"] and app["_gone_at"] is None}


def calls() -> list[str]:
    """The calls of a run that nothing interrupts: `POST /v1/apps`."""
    with fly() as side:
        transport = FaultTransport(side.world)
        complete(ran(side, transport))
    return [call.replace("fly.test", "").replace(" /", " /", 1) for call in transport.calls]


def is_write(call: str) -> bool:
    return not call.startswith(("GET ", "HEAD "))


def test_next_run_cleans_up(counted: Callable[[str, int], None]) -> None:
    """Killed after each write; killed elsewhere is the same as after the write before."""
    writes = [number for number, call in enumerate(calls()) if is_write(call)]

    for number in writes:
        with fly() as side:
            with pytest.raises(Killed):
                ran(side, FaultTransport(side.world, "killed_after", number))
            assert run.clean(side.script, side.wire(BUDGET)) == ()
            assert apps(side) == NOT_OURS

    assert len(writes) > 50
    counted("comparisons killed after a write: nothing left", len(writes))


@pytest.mark.parametrize("fault", [fault for fault in FAULT_KINDS if not fault.startswith(("killed", "outage"))])
def test_same_run_cleans_up(fault: FaultKind) -> None:
    """The first list, the creation or the deletion fails, or its answer is lost."""
    made = calls()
    deletion = next(
        number for number, call in enumerate(made) if call.startswith("DELETE /v1/apps/") and call.count("/") == 3
    )

    for number in (0, made.index("POST /v1/apps"), deletion):
        with fly() as side:
            outcome = ran(side, FaultTransport(side.world, fault, number))
            assert (outcome.left, apps(side)) == ((), NOT_OURS)


def test_outage_is_reported() -> None:
    """Without a network nothing can be deleted: the summary says so, and the next run deletes it."""
    with fly() as side:
        outcome = ran(side, FaultTransport(side.world, "outage", 60))
        assert outcome.left == ("not known: GET /v1/apps?org_slug=sol-labs: no answer",)

        assert run.clean(side.script, side.wire(BUDGET)) == ()
        assert apps(side) == NOT_OURS


@pytest.mark.parametrize("budget", [Budget(40, 60.0), Budget(600, 1.0)], ids=["calls", "minutes"])
def test_budget_ends_the_run(budget: Budget) -> None:
    with fly() as side:
        outcome = run.run(side.script, side.wire(budget), source="double", date=DATE)

        assert outcome.stopped == "the budget of calls or minutes was used up"
        assert (outcome.left, apps(side)) == ((), NOT_OURS)
        assert outcome.calls < 100


def test_rate_limit_is_obeyed() -> None:
    """With the real limits of Fly no call is throttled; one that is throttled anyway is repeated later."""
    with fly() as side:
        assert ran(side).throttled == 0
    with fly() as side:
        outcome = ran(side, FaultTransport(side.world, "throttle", 20))

    assert outcome.throttled == 1
    assert 429 not in {seen.status for seen in outcome.recording.steps}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("DELETE", "/v1/apps/solos-prod", None),
        ("DELETE", "/v1/apps/solos-compare-production?force=true", None),
        ("POST", "/v1/apps/solos-prod/machines", {"name": "{mark}"}),
        ("POST", "/v1/apps", {"name": "solos-prod", "org_slug": "{mark}"}),
        ("POST", "/v1/postgres", {"name": "db"}),
        ("DELETE", "/v1/postgres/{mark}", None),
        ("POST", "/api/v1/releases", {"app_name": "solos-prod"}),
        ("PATCH", "/api/v1/releases/rel_1", {"status": "failed"}),
        ("POST", "/v1/tokens/current", None),
    ],
)
def test_writes_elsewhere_are_not_sent(method: str, path: str, body: dict[str, str] | None) -> None:
    """Also with our mark at another place."""
    with fly() as side:
        transport = FaultTransport(side.world)
        call = Call(
            api="main", method=method, path=filled(path, side.script.values), body=filled(body, side.script.values)
        )

        with pytest.raises(NotOurs):
            side.wire(BUDGET, transport).send(call)

        assert transport.calls == []
