"""The boundary between Pulumi's wire values and typed records."""

from typing import Annotated, Any

import pytest
from pulumi.output import Unknown

from providers.properties import REPLACES, BadProperties, decode, encode, is_known, marked
from providers.record import Record, field


class Guest(Record):
    cpus: int
    kind: str = "shared"


class Args(Record):
    app: Annotated[str, REPLACES]
    size_gb: int = 1
    guest: Guest | None = None
    tags: list[str] = field(default_factory=list)
    config: Any = None


def test_whole_floats_become_ints() -> None:
    args = decode(Args, {"app": "x", "size_gb": 3.0, "guest": {"cpus": 2.0}, "config": {"port": 8080.0, "rate": 0.5}})

    assert args == Args(app="x", size_gb=3, guest=Guest(cpus=2), config={"port": 8080, "rate": 0.5})


def test_all_problems_without_values() -> None:
    with pytest.raises(BadProperties) as caught:
        decode(Args, {"size_gb": "s3cret", "guest": {"cpus": True}})

    assert caught.value.problems == (
        "app is missing",
        "size_gb must be a whole number, not str",
        "guest.cpus must be a whole number, not bool",
    )


def test_unknown_values_pass_through() -> None:
    args = decode(Args, {"app": Unknown(), "size_gb": 2.0})  # type: ignore[no-untyped-call]  # Pulumi's

    assert isinstance(args.app, Unknown)
    assert not is_known(args)


def test_older_state_is_read() -> None:
    args = decode(Args, {"size_gb": "large"}, lenient=True)

    assert args.app is None


def test_none_is_not_sent() -> None:
    assert encode(Args(app="x", guest=Guest(cpus=1))) == {
        "app": "x",
        "size_gb": 1,
        "guest": {"cpus": 1, "kind": "shared"},
        "tags": [],
    }


def test_marks_are_found_by_name() -> None:
    assert marked(Args, REPLACES) == {"app"}
