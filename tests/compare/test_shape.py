"""What is kept of an answer, and what is not."""

from typing import Any

import pytest

from compare.shape import TEXT_FIELDS, WORD_FIELDS, Reducer

SECRETS = (
    "fm2_lJPECAAAAAAAAAAAxBAm1",
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiI1NyJ9.c2ln",
    "ada@acme.example",
    "AB12CD34EF",
    "57246542-96fe-1a63-e053-0824d011072a",
    "6754321098",
    "fdaa:0:18:a7b:1::2",
    "137.66.12.9",
    "vol_4k2m9x7q0z",
    "acme.example.com",
    "-----BEGIN PRIVATE KEY-----",
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    "sha256:" + "ab" * 32,
    "https://example.com/key?token=1",
)


def reduced(value: Any, values: tuple[str, ...] = (), private: tuple[str, ...] = ()) -> Any:
    return Reducer(values, private).reduce(value)


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_removed(secret: str) -> None:
    """From every field, alone, in a sentence, as a name and in a list."""
    values = (secret, f"cannot find {secret}: it is gone", {secret: 1}, [secret])
    fields = ["id", *WORD_FIELDS, *TEXT_FIELDS]

    assert [field for field in fields for value in values if secret in str(reduced({field: value}))] == []


def test_names_are_removed_from_sentences() -> None:
    """A plain word is a name if the account has it elsewhere."""
    found = reduced({"error": "lease held by Ada Ferreira of acme"}, values=("acme",), private=("Ada Ferreira",))

    assert found == {"error": "lease held by … of …"}


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ({"state": "started"}, {"state": "started"}),
        ({"code": "ENTITY_ERROR.ATTRIBUTE.INVALID"}, {"code": "ENTITY_ERROR.ATTRIBUTE.INVALID"}),
        ({"n": 1, "b": True, "z": None}, {"n": "<number>", "b": "<boolean>", "z": "<null>"}),
        ({"at": "2026-11-27T10:00:00Z"}, {"at": "<time>"}),
        ({"interval": "1m30s"}, {"interval": "<duration>"}),
        ([{"a": 1}, {"a": 2}], [{"a": "<number>"}]),
        ([{"a": 1}, {"b": 2}], [{"a?": "<number>", "b?": "<number>"}]),
        ([{"a": 1}, {"a": 2, "b": 3}, {"a": 4}], [{"a": "<number>", "b?": "<number>"}]),
        ([{"state": "a"}, {"state": "b"}], [{"state": "a|b"}]),
        ([1, "x"], ["<number>|<text>"]),
        ({"a7f3": 1}, {"<name>": "<number>"}),
    ],
)
def test_shape(value: Any, shape: Any) -> None:
    assert reduced(value) == shape


def test_foreign_objects_keep_no_words() -> None:
    shape = Reducer([]).reduce([{"state": "started", "error": "it is full", "size": None}], foreign=True)

    assert shape == [{"state": "<word>", "error": "<text>", "size": "<any>"}]


def test_events_are_shown_once() -> None:
    """Each answer repeats the events before it."""
    reducer = Reducer([])
    first = {"id": "1", "type": "launch", "status": "created", "source": "user"}
    second = {"id": "2", "type": "start", "status": "started", "source": "flyd"}

    reducer.reduce({"events": [first]})

    assert reducer.reduce({"events": [second, first]})["events"]["order"] == ["start started flyd"]


@pytest.mark.parametrize(
    ("events", "shape"), [(["start"], ["<text>"]), (None, "<null>"), ({"a": 1}, {"a": "<number>"})]
)
def test_other_form_of_events(events: object, shape: object) -> None:
    assert reduced({"events": events}) == {"events": shape}
