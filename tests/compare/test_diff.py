"""The lines of a comparison."""

import datetime as dt
from typing import Any

import pytest

from compare.diff import differences
from compare.recording import Recording, Seen

BODY = {"id": "<text>", "state": "started", "size": "<number>"}


def seen(step: str = "read", call: str = "GET /v1/x", **about: Any) -> Seen:
    return Seen(**{"step": step, "call": call, "status": 200, **about})


def lines(vendor: list[Seen], double: list[Seen]) -> list[str]:
    date = dt.date(2026, 11, 27)
    return differences(
        Recording(vendor="fly", source="Fly.io", date=date, steps=vendor),
        Recording(vendor="fly", source="double", date=date, steps=double),
    )


@pytest.mark.parametrize(
    ("vendor", "double", "line"),
    [
        (seen(status=404), seen(), "HTTP 404 from Fly.io, HTTP 200 from the double"),
        (seen(status=0), seen(), "no answer from Fly.io, HTTP 200 from the double"),
        (seen(body=BODY), seen(body={**BODY, "x": "<null>"}), "only the double has the field x"),
        (seen(body={**BODY, "x": []}), seen(body=BODY), "only Fly.io has the field x"),
        (seen(body={"a": [{"b": "<time>"}]}), seen(body={"a": [{"b": "<number>"}]}), "a[].b: <time> from Fly.io"),
        (seen(body={"data": BODY}), seen(body=BODY), "the body: Fly.io has an envelope data, the double none"),
        (seen(body=None), seen(body={}), "the body: nothing from Fly.io, an object from the double"),
        (seen(after=30), seen(after=4), "after 30 s from Fly.io, after 4 s from the double"),
        (seen(outcomes=("404", "200")), seen(outcomes=("200",)), "Fly.io shows 404, then 200; the double 200"),
        (seen(headers={"x": "<text>"}), seen(), "only Fly.io has the header x"),
        (seen(headers={"x": "a"}), seen(headers={"x": "b"}), "header x: a from Fly.io, b from the double"),
    ],
)
def test_line(vendor: Seen, double: Seen, line: str) -> None:
    (found,) = lines([vendor], [double])

    assert found.startswith("GET /v1/x: ")
    assert line in found
    assert found.endswith("(step: read)")


@pytest.mark.parametrize(
    ("vendor", "double"),
    [
        (seen(body={"a": []}), seen(body={"a": [BODY]})),
        (seen(body=[{**BODY, "x?": "<text>"}]), seen(body=[BODY])),
        (seen(body={"a": "<any>"}), seen(body={"a": "<text>"})),
        (seen(body={"a": "<any>"}), seen(body={})),
        (seen(after=3), seen(after=0)),
        (seen(after=20), seen(after=12)),
        (seen(missing="build"), seen(missing="build")),
    ],
)
def test_no_difference(vendor: Seen, double: Seen) -> None:
    assert lines([vendor], [double]) == []


def test_same_difference_is_one_line() -> None:
    """In several steps of a call; a header also in several calls."""
    one = [
        seen("read", headers={"x": "y"}, body={}),
        seen("again", body={}),
        seen("list", "GET /v1/y", headers={"x": "y"}),
    ]
    other = [seen("read", body=BODY), seen("again", body=BODY), seen("list", "GET /v1/y")]

    assert lines(one, other) == [
        "all calls: only Fly.io has the header x (step: read and 1 more)",
        *[
            f"GET /v1/x: only the double has the field {name} (step: read and 1 more)"
            for name in ("id", "state", "size")
        ],
    ]


def test_what_could_not_be_compared() -> None:
    """Is in the line of the step whose answer lacks the value, not in a line for each step."""
    one = [seen("make", status=422), seen("use", missing="id"), seen("use more", missing="nonce")]
    other = [seen("make", kept=("id",)), seen("use", kept=("nonce",)), seen("use more")]

    assert lines(one, other) == [
        "GET /v1/x: HTTP 422 from Fly.io, HTTP 200 from the double; 2 later steps could not be compared (step: make)"
    ]


def test_what_the_account_lacks_is_no_difference() -> None:
    one = [seen("list", foreign=True), seen("use", missing="id")]
    other = [seen("list", foreign=True, kept=("id",)), seen("use")]

    assert lines(one, other) == []
