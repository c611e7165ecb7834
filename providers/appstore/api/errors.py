"""The errors of App Store Connect, one class a situation that somebody must handle or mend.

AppStoreError              Apple refused a call; `entries` are all its error entries
├── NotFound               the object does not exist
├── AgreementMissing       the Account Holder has not signed a required agreement: the whole account stands still
│   └── MembershipLapsed   so does a team whose membership of the Apple Developer Program has ended
├── RoleMissing            the key's role does not allow this
├── KeyRejected            the token is not accepted: revoked key, wrong IDs
├── ClockWrong             the token is not accepted, because this machine's clock is wrong
└── CertificateLimit       the team has as many certificates of this type as it may have

Apple's texts are those of app-store-connect.md, sections 6 and 22. Codes are dotted refinements and are matched by prefix; any
entry of several may be the telling one (asc #2579).
"""

import email.utils
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from providers import waiting
from providers.errors import ApiError

if TYPE_CHECKING:
    import httpx

CLOCK_SKEW_SECONDS = 60.0
"""A rejected token is blamed on this machine's clock when it differs from Apple's by more than this."""


@dataclass(frozen=True)
class Entry:
    """One error of an answer. `property` is the last part of Apple's `source.pointer`, or its `source.parameter`."""

    code: str
    title: str
    detail: str
    property: str

    def __str__(self) -> str:
        text = self.detail or self.title or "no reason given"
        named = f"{self.property}: {text}" if self.property and self.property not in text else text
        return f"{named.rstrip('.')} [{self.code}]" if self.code else named.rstrip(".")


class AppStoreError(ApiError):
    """App Store Connect answered with an error; the text holds every entry, and what to do about it."""

    __module__ = "builtins"

    def __init__(self, doing: str, *, status: int, entries: tuple[Entry, ...] = (), request_id: str = "") -> None:
        reasons = "; ".join(map(str, entries)) or "no reason given"
        message = f"App Store Connect refused to {doing}: {reasons} (HTTP {status})"
        super().__init__(
            message,
            status=status,
            codes=[entry.code for entry in entries],
            request_id=request_id,
            body=reasons,
        )
        self.entries = entries

    def has(self, code: str) -> bool:
        """Whether any entry's code is `code` or a refinement of it."""
        return any(f"{entry.code}.".startswith(f"{code}.") for entry in self.entries)

    def says(self, text: str) -> bool:
        """Whether any entry's title or detail contains `text`, whatever its case."""
        return any(text.lower() in f"{entry.title} {entry.detail}".lower() for entry in self.entries)


class NotFound(AppStoreError):
    """The object does not exist, or is not visible (yet)."""

    __module__ = "builtins"

    remedy = "it does not exist (any more): run `pulumi refresh`, then up again"


class AgreementMissing(AppStoreError):
    """A required agreement has expired or is unsigned. It stops every call of the account and has nothing to do with roles."""

    __module__ = "builtins"

    remedy = (
        "the Account Holder signs it at https://appstoreconnect.apple.com/agreements (nobody else can); "
        "it takes effect within minutes, then run up again"
    )


class MembershipLapsed(AgreementMissing):
    """The team is no member of the Apple Developer Program any more, which is its agreement with Apple to begin with."""

    __module__ = "builtins"

    remedy = "the Account Holder renews the membership at https://developer.apple.com/account (nobody else can), then run up again"


class RoleMissing(AppStoreError):
    """The key may not do this."""

    __module__ = "builtins"

    remedy = (
        "use a team key with the role Admin (Users and Access > Integrations > Team Keys): lower roles cannot make "
        "distribution certificates, and individual keys cannot use certificates, profiles and bundle IDs at all"
    )


class KeyRejected(AppStoreError):
    """The token is not accepted although it is fresh."""

    __module__ = "builtins"

    remedy = (
        "the key is revoked, or ASC_KEY_ID, ASC_ISSUER_ID and ASC_PRIVATE_KEY do not belong together: compare them with "
        "Users and Access > Integrations, or make a new key there"
    )


class ClockWrong(AppStoreError):
    """The token is dated by this machine's clock, and that is off."""

    __module__ = "builtins"

    remedy = (
        "this machine's clock differs from Apple's by more than a minute, so its tokens are not valid: set it right"
    )


class CertificateLimit(AppStoreError):
    """No further certificate of this type can be made until one is revoked or expires."""

    __module__ = "builtins"


def explain(response: "httpx.Response", doing: str) -> AppStoreError:
    """The error for an answer that is no success."""
    entries = _entries(response)
    found = AppStoreError(doing, status=response.status_code, entries=entries)
    kind = next((kind for kind, applies in _SITUATIONS if applies(found, response)), AppStoreError)
    return kind(
        doing,
        status=response.status_code,
        entries=entries,
        request_id=response.headers.get("x-apple-request-uuid", "") or response.headers.get("x-request-id", ""),
    )


_SITUATIONS: "tuple[tuple[type[AppStoreError], Callable[[AppStoreError, httpx.Response], bool]], ...]" = (
    (AgreementMissing, lambda error, _: error.has("FORBIDDEN.REQUIRED_AGREEMENTS_MISSING_OR_EXPIRED")),
    (AgreementMissing, lambda error, _: error.status == 403 and error.says("agreement")),
    (MembershipLapsed, lambda error, _: error.status == 403 and error.says("active membership")),
    (ClockWrong, lambda error, response: error.status == 401 and _clock_is_off(response)),
    (KeyRejected, lambda error, _: error.status == 401),
    (RoleMissing, lambda error, _: error.status == 403 and not error.says("does not allow '")),
    (NotFound, lambda error, _: error.status == 404),
    (CertificateLimit, lambda error, _: error.status == 409 and error.says("You already have a current")),
)


def _entries(response: "httpx.Response") -> tuple[Entry, ...]:
    try:
        body = json.loads(response.content)
        listed = body.get("errors") or []
        return tuple(entry for error in listed for entry in _with_associated(error))
    except (ValueError, AttributeError):
        return (Entry("", "", response.text.strip()[:200], ""),) if response.content else ()


def _with_associated(error: dict[str, Any]) -> list[Entry]:
    """An error and those it carries in `meta.associatedErrors`, which say what is really wrong with related objects."""
    source = error.get("source") or {}
    pointer = str(source.get("pointer") or source.get("parameter") or "")
    entry = Entry(
        code=str(error.get("code") or ""),
        title=str(error.get("title") or ""),
        detail=str(error.get("detail") or ""),
        property=pointer.rstrip("/").rpartition("/")[2],
    )
    associated = (error.get("meta") or {}).get("associatedErrors") or {}
    return [entry, *(deeper for group in associated.values() for each in group for deeper in _with_associated(each))]


def _clock_is_off(response: "httpx.Response") -> bool:
    date = response.headers.get("date")
    if not date:
        return False
    apples = email.utils.parsedate_to_datetime(date).timestamp()
    return abs(apples - waiting.clock.wall()) > CLOCK_SKEW_SECONDS
