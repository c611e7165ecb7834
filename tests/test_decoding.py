"""Responses that cannot be read: one line each, which names the call, the field, the types and the request, and never a value."""

import msgspec
import pytest

from providers.decoding import Base64, Call, Instant, Number, Unreadable, decode
from providers.errors import Uncertain

CALL = Call(doing="list the things", source="Vendor", request_id="R-1")


class Thing(msgspec.Struct):
    name: str
    size: int = 1


class Envelope(msgspec.Struct):
    things: list[Thing]


class Texts(msgspec.Struct):
    at: Instant = Instant("2026-01-01T00:00:00Z")
    share: Number = Number("0.5")
    content: Base64 = Base64("")


FORM = "does not have the expected form: "


@pytest.mark.parametrize(
    ("content", "shape", "fault"),
    [
        (b"", Thing, "is empty"),
        (b" \n", list[Thing], "is empty"),
        (b"<html>s3cret</html>", Thing, "is a web page, perhaps of a proxy or of a login"),
        (b'{"name": "s3cr', Thing, "is not JSON"),
        (b'{"name": "\xff\xfe"}', Thing, "is not JSON"),
        (b"[" * 100_000, Thing, "is not JSON"),
        (b"null", Thing, FORM + "Expected object, got null"),
        (b"null", list[Thing], FORM + "Expected array, got null"),
        (b"{}", list[Thing], FORM + "Expected array, got object"),
        (b"{}", Envelope, FORM + "Object missing required field things"),
        (b'{"things": null}', Envelope, FORM + "Object missing required field things"),
        (b'{"things": {}}', Envelope, FORM + "Expected array, got object - at $.things"),
        (b'{"things": [{"name": 5}]}', Envelope, FORM + "Expected str, got int - at $.things[0].name"),
        (b'"s3cret"', Thing, FORM + "Expected object, got str"),
        (b"[31337]", list[Thing], FORM + "Expected object, got int - at $[0]"),
        (b'{"name": "a", "size": "s3cret"}', Thing, FORM + "Expected int, got str - at $.size"),
        (b'{"at": "s3cret"}', Texts, FORM + "Expected a time - at $.at"),
        (b'{"at": "2026-01-01"}', Texts, FORM + "Expected a time - at $.at"),
        (b'{"at": 31337}', Texts, FORM + "Expected a time, got int - at $.at"),
        (b'{"share": "NaN"}', Texts, FORM + "Expected a number - at $.share"),
        (b'{"content": "s3cret!"}', Texts, FORM + "Expected base64 - at $.content"),
    ],
)
def test_unreadable_response(content: bytes, shape: type[object], fault: str) -> None:
    with pytest.raises(Unreadable) as raised:
        decode(content, shape, CALL)

    assert raised.value.message == f"cannot list the things: the response of Vendor (request id R-1) {fault}"
    assert "s3cret" not in str(raised.value)


def test_unreadable_response_to_a_write() -> None:
    """The call has probably happened: as after a lost response, its caller looks for the object."""
    with pytest.raises(
        Uncertain, match="the response of Vendor is empty, so it may or may not have happened: make it;"
    ):
        decode(b"", Thing, Call(doing="make it", source="Vendor", wrote=True))


@pytest.mark.parametrize("content", [b"null", b"[]"])
def test_null_list_of_go(content: bytes) -> None:
    assert decode(content, list[Thing], CALL, null_is_empty=True) == []
    assert decode(b'{"things": %s}' % content, Envelope, CALL, null_is_empty=True).things == []


def test_missing_list_is_not_empty() -> None:
    with pytest.raises(Unreadable):
        decode(b"{}", Envelope, CALL, null_is_empty=True)


def test_null_field_is_absent() -> None:
    assert decode(b'{"name": "a", "size": null, "more": {}}', Thing, CALL) == Thing("a")
