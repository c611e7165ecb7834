"""Verifies tokens as Apple does, and counts the calls of each key against the hourly rate limit."""

import collections
import functools
from typing import Any

import jwt
from werkzeug.wrappers import Request

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.context import Context
from rehearsal.cloud.store import Document

AUDIENCE = "appstoreconnect-v1"
MAX_LIFETIME_SECONDS = 20 * 60
MAX_HOURLY_CALLS = 3600
ADMINS = ("ADMIN", "ACCOUNT_HOLDER")
MANAGERS = (*ADMINS, "APP_MANAGER")
DEVELOPERS = (*MANAGERS, "DEVELOPER")
READERS = {
    **dict.fromkeys(("bundleIds", "certificates", "devices", "profiles"), DEVELOPERS),
    **dict.fromkeys(("userInvitations", "users"), MANAGERS),
}
"""The roles that can read a type; all roles can read the others. Of users it is assumed: the setting `users_need_admin` hides them
from App Managers."""
WRITERS = {
    **dict.fromkeys(("certificates", "userInvitations", "users"), ADMINS),
    **dict.fromkeys(("apps", "bundleIdCapabilities", "bundleIds", "devices", "profiles"), MANAGERS),
    **dict.fromkeys(
        (
            "betaAppLocalizations",
            "betaBuildLocalizations",
            "betaGroups",
            "betaTesterInvitations",
            "betaTesters",
            "buildBetaDetails",
            "buildBetaNotifications",
            "buildUploadFiles",
            "buildUploads",
            "builds",
        ),
        DEVELOPERS,
    ),
}
"""The roles that can create, change and delete a type; admins only for the others (https://developer.apple.com/support/roles/)."""


def authenticate(context: Context, request: Request) -> Document:
    """The key `{"key_id", "issuer_id", "public_key_pem", "role"}` that signed the token. Raises a 401."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        raise refusals.not_authorized()
    try:
        header = _header(token)
        key = context.store.get("appstore.keys", str(header.get("kid")))
        if key is None or header.get("alg") != "ES256" or header.get("typ") != "JWT":
            raise refusals.not_authorized()
        claims = _claims(token, key["public_key_pem"])
    except jwt.PyJWTError:
        raise refusals.not_authorized() from None
    identified = claims.get("iss") == key["issuer_id"] if key["issuer_id"] else claims.get("sub") == "user"
    if not identified or not 0 < claims["exp"] - context.clock.now() <= MAX_LIFETIME_SECONDS:
        raise refusals.not_authorized()
    return key


# A token is used for many calls, so it is decoded once.
_header = functools.lru_cache(maxsize=64)(jwt.get_unverified_header)


@functools.lru_cache(maxsize=64)
def _claims(token: str, public_key_pem: str) -> dict[str, Any]:
    """What the key has signed, without a check of times: `authenticate` checks these, with the clock of the doubles."""
    claims: dict[str, Any] = jwt.decode(
        token,
        public_key_pem,
        algorithms=["ES256"],
        audience=AUDIENCE,
        options={"verify_exp": False, "verify_iat": False, "require": ["exp"]},
    )
    return claims


def authorize(context: Context, key: Document, type: str, method: str, *, provisioning: bool) -> None:
    """Raise a 403 if the role of the key does not allow the call."""
    settings = context.store.get("appstore.settings", "limits") or {}
    if provisioning and not key["issuer_id"]:
        raise refusals.role_missing()
    if type in ("users", "userInvitations") and settings.get("users_need_admin") and key["role"] not in ADMINS:
        raise refusals.role_missing()
    roles = READERS.get(type) if method == "GET" else WRITERS.get(type, ADMINS)
    if roles and key["role"] not in roles:
        raise refusals.role_missing()


class HourlyLimit:
    """Counts the calls of the last hour for each key. In memory: a restart resets the counts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._calls: dict[str, collections.deque[float]] = collections.defaultdict(collections.deque)

    @property
    def limit(self) -> int:
        return int(MAX_HOURLY_CALLS * self._context.delays.rate_scale)

    def count(self, key_id: str) -> None:
        """Count a call. Raises a 429 above the limit."""
        calls = self._calls[key_id]
        now = self._context.clock.now()
        while calls and calls[0] < now - 3600:
            calls.popleft()
        if len(calls) >= self.limit:
            raise refusals.rate_limit_exceeded()
        calls.append(now)

    def header(self, key_id: str) -> str:
        return f"user-hour-lim:{self.limit};user-hour-rem:{max(0, self.limit - len(self._calls[key_id]))};"
