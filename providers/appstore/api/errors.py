"""The errors of App Store Connect: one class for each situation that code handles or a person fixes.

AppStoreError              Apple refused a call; `entries` are all its error entries
├── NotFound               the object does not exist
├── AgreementMissing       the Account Holder has not signed a required agreement: Apple refuses every call
│   └── MembershipLapsed   the team's membership of the Apple Developer Program has ended: Apple refuses every call
├── RoleMissing            the key's role does not allow this
├── KeyRejected            the token is not accepted: revoked key, wrong IDs
├── ClockWrong             the token is not accepted, because this machine's clock is wrong
└── CertificateLimit       the team has as many certificates of this type as Apple allows

Apple's codes are dotted refinements, so they are matched by prefix. Any entry of a response can be the one that matters
(https://developer.apple.com/documentation/appstoreconnectapi/interpreting-and-handling-errors).
"""

import email.utils
from collections.abc import Callable
from typing import TYPE_CHECKING

from providers import waiting
from providers.appstore.api import documents
from providers.appstore.api.documents import ErrorEntry
from providers.errors import ApiError, ProviderError

if TYPE_CHECKING:
    import httpx

CLOCK_SKEW_SECONDS = 60.0
"""If this machine's clock differs from Apple's by more than this, a rejected token is reported as ClockWrong."""


class AppStoreError(ApiError):
    """App Store Connect returned an error. The text contains every entry of the response."""

    __module__ = "builtins"

    def __init__(self, doing: str, *, status: int, entries: tuple[ErrorEntry, ...] = (), request_id: str = "") -> None:
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

    remedy = "it does not exist (any more): run `pulumi refresh`, then `pulumi up`"


class AgreementMissing(AppStoreError):
    """A required agreement has expired or is not signed. Apple then refuses every call of the account, whatever the key's role."""

    __module__ = "builtins"

    remedy = (
        "the Account Holder signs it at https://appstoreconnect.apple.com/agreements (nobody else can); "
        "it takes effect within minutes, then run `pulumi up` again"
    )


class MembershipLapsed(AgreementMissing):
    """The team's membership of the Apple Developer Program has ended, and with it every agreement."""

    __module__ = "builtins"

    remedy = (
        "the Account Holder renews the membership at https://developer.apple.com/account (nobody else can), then run "
        "`pulumi up` again"
    )


class RoleMissing(AppStoreError):
    """The key's role does not allow this."""

    __module__ = "builtins"

    remedy = (
        "use a team key with the role Admin (Users and Access > Integrations > Team Keys): App Manager is enough for everything "
        "but to create or revoke certificates, which an existing one in a p12 makes unnecessary, and to invite users; "
        "individual keys cannot use certificates, profiles and bundle IDs at all"
    )


class KeyRejected(AppStoreError):
    """Apple does not accept the token, although it is fresh."""

    __module__ = "builtins"

    remedy = (
        "the key is revoked, or ASC_KEY_ID, ASC_ISSUER_ID and ASC_PRIVATE_KEY do not belong together: compare them with "
        "Users and Access > Integrations, or create a new key there"
    )


class ClockWrong(AppStoreError):
    """Apple does not accept the token, because its time is wrong."""

    __module__ = "builtins"

    remedy = (
        "this machine's clock differs from Apple's by more than a minute, so its tokens are not valid: set the clock"
    )


class CertificateLimit(AppStoreError):
    """Apple creates no further certificate of this type until one is revoked or expires."""

    __module__ = "builtins"


def explain(response: "httpx.Response", doing: str) -> AppStoreError:
    """The error for a response that is not a success."""
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


def _entries(response: "httpx.Response") -> tuple[ErrorEntry, ...]:
    try:
        listed = documents.read_errors(response.content)
    except ProviderError:
        is_text = not response.content.startswith((b"{", b"[", b'"'))
        return (ErrorEntry(detail=" ".join(response.text.split())[:200]),) if response.content and is_text else ()
    return tuple(entry for error in listed for entry in _with_associated(error))


def _with_associated(error: ErrorEntry) -> list[ErrorEntry]:
    """An error and those in its `meta.associatedErrors`, which say what is wrong with related objects."""
    associated = error.meta.associated_errors.values()
    return [error, *(deeper for group in associated for inner in group for deeper in _with_associated(inner))]


def _clock_is_off(response: "httpx.Response") -> bool:
    try:
        date_of_apple = email.utils.parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except ValueError:
        return False
    return abs(date_of_apple - waiting.clock.wall()) > CLOCK_SKEW_SECONDS
