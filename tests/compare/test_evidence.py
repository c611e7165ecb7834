"""The column "Evidence" of the vendors' pages, and that the scripts make the calls of their tables."""

import dataclasses
import datetime as dt

import pytest

from compare import appstore, evidence, fly, recording
from compare.recording import Recording, Seen
from compare.script import Part, Step, in_order
from tests.docs import apple_calls, fly_calls

TABLE = """## Every call

| Call | Evidence | What | If |
| --- | --- | --- | --- |
| `GET /v1/apps` | public source | docs | so |
| `POST /v1/apps` | recorded on 2026-01-01 | its answer: assumed | so |
| `GET /v1/apps/{id}` | public source | docs | so |
"""
PARTS = {"fly": fly.PARTS, "appstore": appstore.PARTS}
CALLED = {vendor: {step.in_table for part in parts for step in part.steps} for vendor, parts in PARTS.items()}
POSSIBLE = {"fly": fly_calls.possible, "appstore": apple_calls.possible}
OF_A_LIVE_APP = "would change an app that somebody uses"
FINAL = "cannot be undone: a build number is used up, a build expires, testers are notified"
NOT_CALLED = {
    "fly": {"GET /v2/{id}/blobs/{id}": "an image without an index would have to be pushed first"},
    "appstore": {
        "PATCH /v1/apps/{id}": OF_A_LIVE_APP,
        "POST /v1/betaAppLocalizations": OF_A_LIVE_APP,
        "PATCH /v1/betaAppLocalizations/{id}": OF_A_LIVE_APP,
        "DELETE /v1/betaAppLocalizations/{id}": OF_A_LIVE_APP,
        "POST /v1/betaBuildLocalizations": OF_A_LIVE_APP,
        "PATCH /v1/betaBuildLocalizations/{id}": OF_A_LIVE_APP,
        "PATCH /v1/buildBetaDetails/{id}": FINAL,
        "PATCH /v1/builds/{id}": FINAL,
        "POST /v1/builds/{id}/relationships/betaGroups": FINAL,
        "DELETE /v1/builds/{id}/relationships/betaGroups": OF_A_LIVE_APP,
        "POST /v1/buildUploads": FINAL,
        "DELETE /v1/buildUploads/{id}": FINAL,
        "POST /v1/buildUploadFiles": FINAL,
        "PATCH /v1/buildUploadFiles/{id}": FINAL,
        apple_calls.STORAGE: FINAL,
    },
}
"""The calls that a script does not make, each with the reason."""


def seen(*calls: str, source: str = "Fly.io", day: int = 27) -> Recording:
    steps = [Seen(step=call, call=call, status=200) for call in calls]
    return Recording(vendor="fly", source=source, date=dt.date(2026, 11, day), steps=steps)


def column(text: str) -> list[str]:
    return [line.split(" | ")[1] for line in text.splitlines() if line.startswith("| `")]


def test_recorded_calls() -> None:
    """The latest date; without a recording, what the line itself says."""
    text = evidence.rewritten(TABLE, "fly", [seen("GET /v1/apps", day=28), seen("GET /v1/apps", day=27)])

    assert column(text) == ["recorded on 2026-11-28", "assumed", "public source"]


def test_double_is_no_evidence() -> None:
    text = evidence.rewritten(TABLE, "fly", [seen("GET /v1/apps", source="double")])

    assert column(text) == ["public source", "assumed", "public source"]


def test_only_the_column_changes() -> None:
    page = evidence.page("fly").read_text(encoding="utf-8")
    text = evidence.rewritten(page, "fly", [seen(*CALLED["fly"], *NOT_CALLED["fly"])])

    assert set(column(text.partition(evidence.SECTION)[2])) == {"recorded on 2026-11-27"}
    assert evidence.rewritten(text, "fly", []) == page


@pytest.mark.parametrize("vendor", ["fly", "appstore"])
def test_pages_are_up_to_date(vendor: str) -> None:
    page = evidence.page(vendor).read_text(encoding="utf-8")

    assert evidence.rewritten(page, vendor, recording.kept()) == page


@pytest.mark.parametrize("vendor", CALLED)
def test_every_call_is_compared(vendor: str) -> None:
    """Each call of the providers, unless there is a reason not to make it."""
    possible = POSSIBLE[vendor]()

    assert possible - CALLED[vendor] == NOT_CALLED[vendor].keys()
    assert CALLED[vendor] <= possible


def test_assumed_calls_come_first() -> None:
    """As early as the parts that they need allow."""

    def part(name: str, *after: str) -> Part:
        return Part(name=name, after=after, steps=[Step(name=name, call=f"GET /{name}")])

    parts = [part("a"), part("b"), part("c", "b"), part("d", "a"), part("e", "c", "d")]

    assert [each.name for each in in_order(parts, (), {"GET /c", "GET /b"})] == ["b", "c", "a", "d", "e"]
    assert [each.name for each in in_order(parts, (), ())] == ["a", "b", "c", "d", "e"]


def test_parts_on_request() -> None:
    parts = [dataclasses.replace(fly.POSTGRES_PART, after=[])]

    assert in_order(parts, (), ()) == []
    assert in_order(parts, (fly.POSTGRES,), ()) == parts


@pytest.mark.parametrize("vendor", PARTS)
def test_step_names_are_unique(vendor: str) -> None:
    names = [step.name for part in PARTS[vendor] for step in part.steps]

    assert len(names) == len(set(names))
