"""Decodes every response, of a vendor, of a registry and of a program in a machine, into a typed shape.

A shape is a `msgspec.Struct` with the fields that we read; other fields are ignored. A field without a default has to be in the
response: without it, the response says nothing, and in particular not that an object does not exist. Null means the same as absent.

A text that is read further has a type of its own, a `Text`: `Instant`, `Base64`. So a wrong one is refused with the response.
"""

import base64
import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, ClassVar, TypeVar, get_origin
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import fields

from providers.errors import ErrorText, ProviderError, Uncertain

T = TypeVar("T")

WEB_PAGE = "is a web page, perhaps of a proxy or of a login"


class Unreadable(ProviderError):
    """A successful response that does not have the expected form. It says nothing about the object."""

    __module__ = "builtins"


UNREADABLE = ErrorText(
    "cannot {doing}: the response of {source} {fault}",
    remedy="run the same command again later; if this line comes back, send it to the support of the service",
    error=Unreadable,
)
MAY_HAVE_HAPPENED = ErrorText(
    "the response of {source} {fault}, so it may or may not have happened: {doing}",
    remedy="run the same command again: it looks the object up first",
    error=Uncertain,
)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """The call whose response is decoded, for errors."""

    doing: str
    source: str
    """What has responded."""
    request_id: str = ""
    wrote: bool = False
    """The call cannot be repeated and has probably changed something: its response is as good as lost."""

    def unreadable(self, fault: str) -> ProviderError:
        """The error for a response that "does not have the expected form"."""
        source = f"{self.source} (request id {self.request_id})" if self.request_id else self.source
        return (MAY_HAVE_HAPPENED if self.wrote else UNREADABLE)(doing=self.doing, source=source, fault=fault)


class Misfit(ValueError):
    """A value does not fit its shape; a shape raises it for what its types cannot say. The text has no value."""


def require(fits: object, fault: str) -> None:
    """Raise Misfit unless the value `fits`."""
    if not fits:
        raise Misfit(fault)


class Text(str):
    """Base of the texts that are checked when they arrive. `form` names the form in errors."""

    __slots__ = ()
    form: ClassVar[str]

    def check(self) -> None:
        """Raise ValueError for another form."""
        raise NotImplementedError


class Instant(Text):
    """A time with its offset from UTC, in RFC 3339 or ISO 8601."""

    __slots__ = ()
    form = "a time"

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self)

    def check(self) -> None:
        if self.moment.tzinfo is None:
            raise ValueError


class Number(Text):
    """A finite number, as text."""

    __slots__ = ()
    form = "a number"

    @property
    def value(self) -> float:
        return float(self)

    def check(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError


class Url(Text):
    """An address with http or https."""

    __slots__ = ()
    form = "a URL"

    def check(self) -> None:
        parts = urlsplit(self)
        if parts.scheme not in ("http", "https") or not parts.hostname or not self.isascii() or not self.isprintable():
            raise ValueError


class Base64(Text):
    """Bytes in base64; can be empty."""

    __slots__ = ()
    form = "base64"

    @property
    def content(self) -> bytes:
        return base64.b64decode("".join(self.split()), validate=True)

    def check(self) -> None:
        _ = self.content


def decode(content: bytes, shape: type[T], call: Call, *, null_is_empty: bool = False) -> T:
    """`content` as a `shape`. `null_is_empty`: a program in Go writes null for an empty list, at the top or in the envelope.

    Raises Unreadable, or Uncertain for a call that wrote. The error names call, field, types and request id, and never a value.
    """
    with errors_of(content, call):
        value = msgspec.json.decode(content)
        if b"null" in content:
            value = _without_nulls(_with_empty_lists(value, shape) if null_is_empty else value)
        return _converted(value, shape)
    raise AssertionError  # Not reached: the block returns or raises.


@contextmanager
def errors_of(content: bytes, call: Call) -> Iterator[None]:
    """Inside the block `content` is decoded: every failure becomes the error of `decode`."""
    try:
        yield
    except (msgspec.DecodeError, Misfit, UnicodeDecodeError, RecursionError) as error:
        raise call.unreadable(_fault(error, content)) from None


def fit(value: object, shape: type[T]) -> T:
    """A decoded JSON value as a `shape`. Raises msgspec.ValidationError, which names the field and the types."""
    return _converted(_without_nulls(value), shape)


def _converted(value: object, shape: type[T]) -> T:
    return msgspec.convert(value, shape, dec_hook=_checked)


def is_web_page(content: bytes) -> bool:
    """Whether a proxy or a login page has responded in place of an API."""
    return content.lstrip()[:1] == b"<"


def _fault(error: Exception, content: bytes) -> str:
    if not content.strip():
        return "is empty"
    if is_web_page(content):
        return WEB_PAGE
    if isinstance(error, msgspec.ValidationError | Misfit):
        return "does not have the expected form: " + str(error).replace("`", "")
    return "is not JSON"


def _checked(kind: type[Any], value: object) -> object:
    """Called by msgspec for a field that it has no type for: a `Text`, or `object`."""
    if not issubclass(kind, Text):
        return value
    require(isinstance(value, str), f"Expected {kind.form}, got {type(value).__name__}")
    text = kind(value)
    require(_passes(text.check), f"Expected {kind.form}")
    return text


def _passes(check: Callable[[], object]) -> bool:
    try:
        check()
    except ValueError:
        return False
    return True


def _with_empty_lists(value: Any, shape: Any) -> Any:
    if value is None and get_origin(shape) is list:
        return []
    if not (isinstance(value, dict) and isinstance(shape, type) and issubclass(shape, msgspec.Struct)):
        return value
    return {**value, **{name: [] for name in _required_lists(shape) if name in value and value[name] is None}}


@functools.cache
def _required_lists(shape: type[msgspec.Struct]) -> list[str]:
    """Cached: to resolve the annotations takes longer than to decode a response."""
    return [field.encode_name for field in fields(shape) if field.required and get_origin(field.type) is list]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
