"""JSON from Fly, or from a program in a machine: decoded into a typed shape, in one place.

A shape is a `msgspec.Struct` with the fields that we read; other fields are ignored. Go writes an absent list or object as null,
so null means the same as absent.
"""

from typing import Any, TypeVar, get_origin

import msgspec

from providers.errors import ErrorText

T = TypeVar("T")

NOT_JSON = ErrorText("cannot {doing}: the response of {source} is not JSON", remedy="check that the endpoint is right")
UNEXPECTED_FORM = ErrorText(
    "cannot {doing}: the response of {source} does not have the expected form: {fault}",
    remedy="report this line to the maintainers of this program",
)


def decode(content: bytes | str, kind: type[T], *, doing: str, source: str) -> T:
    """`content` as a `kind`; no content, or null, where a list is expected, is an empty list.

    Raises ProviderError, which names call, field and type, and never a value.
    """
    try:
        raw = msgspec.json.decode(content) if content else None
    except msgspec.DecodeError:
        raise NOT_JSON(doing=doing, source=source) from None
    if raw is None and get_origin(kind) is list:
        raw = []
    try:
        return msgspec.convert(_without_nulls(raw), kind)
    except msgspec.ValidationError as error:
        raise UNEXPECTED_FORM(doing=doing, source=source, fault=str(error).replace("`", "")) from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
