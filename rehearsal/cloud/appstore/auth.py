"""Who calls: tokens are verified as Apple does it, and every key has its budget of calls (app-store-connect.md, 4 and 5)."""

import collections

import jwt
from werkzeug.wrappers import Request

from rehearsal.cloud.appstore import refusals
from rehearsal.cloud.context import Context
from rehearsal.cloud.store import Document

AUDIENCE = "appstoreconnect-v1"
LONGEST_LIFE_SECONDS = 20 * 60
HOURLY_CALLS = 3600
ADMINS = ("ADMIN", "ACCOUNT_HOLDER")
WRITERS = {
    "betaAppLocalizations",
    "betaBuildLocalizations",
    "betaGroups",
    "betaTesters",
    "buildUploadFiles",
    "buildUploads",
    "builds",
}
"""What the roles App Manager and Developer may change; certificates, identifiers and people are for admins."""


def authenticate(context: Context, request: Request) -> Document:
    """The key `{"key_id", "issuer_id", "public_key_pem", "role"}` that has signed the token. Raises the 401."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        raise refusals.not_authorized()
    try:
        header = jwt.get_unverified_header(token)
        key = context.store.get("appstore.keys", str(header.get("kid")))
        if key is None or header.get("alg") != "ES256" or header.get("typ") != "JWT":
            raise refusals.not_authorized()
        # Times are checked below, by the world's clock.
        claims = jwt.decode(
            token,
            key["public_key_pem"],
            algorithms=["ES256"],
            audience=AUDIENCE,
            options={"verify_exp": False, "verify_iat": False, "require": ["exp"]},
        )
    except jwt.PyJWTError:
        raise refusals.not_authorized() from None
    identified = claims.get("iss") == key["issuer_id"] if key["issuer_id"] else claims.get("sub") == "user"
    if not identified or not 0 < claims["exp"] - context.clock.now() <= LONGEST_LIFE_SECONDS:
        raise refusals.not_authorized()
    return key


def authorize(key: Document, type: str, method: str, *, provisioning: bool) -> None:
    """Raise the 403 for what the key's role may not do."""
    if provisioning and not key["issuer_id"]:
        raise refusals.role_missing()
    if method != "GET" and key["role"] not in ADMINS and type not in WRITERS:
        raise refusals.role_missing()


class Budget:
    """The calls of a rolling hour, by key. Kept in memory: a restart grants everyone a new hour."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._calls: dict[str, collections.deque[float]] = collections.defaultdict(collections.deque)

    @property
    def limit(self) -> int:
        return int(HOURLY_CALLS * self._context.delays.rate_scale)

    def spend(self, key_id: str) -> None:
        """Count a call; raises the 429 when there is nothing left."""
        calls = self._calls[key_id]
        now = self._context.clock.now()
        while calls and calls[0] < now - 3600:
            calls.popleft()
        if len(calls) >= self.limit:
            raise refusals.rate_limit_exceeded()
        calls.append(now)

    def header(self, key_id: str) -> str:
        return f"user-hour-lim:{self.limit};user-hour-rem:{max(0, self.limit - len(self._calls[key_id]))};"
