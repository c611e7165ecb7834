"""Tokens for App Store Connect: ES256 JWTs, reused until shortly before they expire.

Apple refuses tokens with a lifetime above 20 minutes
(https://developer.apple.com/documentation/appstoreconnectapi/generating-tokens-for-api-requests). A skewed clock must not matter, so
`iat` is half a minute in the past and the lifetime is well below the limit.
"""

import base64
import functools
import re
import threading

from pulumi.dynamic import Config

from providers import configuration, waiting
from providers.errors import ErrorText

AUDIENCE = "appstoreconnect-v1"
BACKDATED_SECONDS = 30
LIFETIME_SECONDS = 840
RENEWED_BEFORE_SECONDS = 90
LOW_BUDGET_CALLS = {"hour": 1000, "minute": 20}
"""Apple allows each key about 3500 calls an hour, on some paths also a number per minute, and every response says how many are left
(https://developer.apple.com/documentation/appstoreconnectapi/identifying-rate-limits). Below these numbers polling slows down."""
UNUSABLE_KEY = ErrorText(
    "the App Store Connect private key is not usable",
    remedy="set ASC_PRIVATE_KEY to the text of the AuthKey_….p8 file that Apple let you download once, or to that text in base64, or "
    "ASC_PRIVATE_KEY_PATH to its path",
)
MARKER = "-----BEGIN PRIVATE KEY"
SECONDS = {"hour": 3600.0, "minute": 60.0}


class Key:
    """An API key, the token signed with it, and how many calls its rate limit still allows. Shared by the process."""

    def __init__(self, key_id: str, issuer_id: str, private_key: str) -> None:
        """A team key has an issuer; an individual key has none (`issuer_id` empty). Raises ProviderError for a bad key."""
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(_pem(private_key), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
            raise UNUSABLE_KEY()
        self._key = key
        self._key_id = key_id
        self._claims = {"iss": issuer_id} if issuer_id else {"sub": "user"}
        self._lock = threading.Lock()
        self._token = ""
        self._expires = 0.0
        self._left: dict[str, int] = {}
        self.calls = 0
        """How many responses have been noted."""

    def authorize(self, again: bool) -> str:
        """The Authorization header. `again` signs a new token even if the current one has not expired."""
        import jwt

        with self._lock:
            now = waiting.clock.wall()
            if again or self._expires - now < RENEWED_BEFORE_SECONDS or self._expires - now > LIFETIME_SECONDS:
                self._expires = now + LIFETIME_SECONDS
                claims = {
                    **self._claims,
                    "iat": int(now - BACKDATED_SECONDS),
                    "exp": int(self._expires),
                    "aud": AUDIENCE,
                }
                self._token = jwt.encode(
                    claims, self._key, algorithm="ES256", headers={"kid": self._key_id, "typ": "JWT"}
                )
            return f"Bearer {self._token}"

    def note(self, rate_limit: str) -> None:
        """Remember what a response says in X-Rate-Limit: `user-hour-lim:3500;user-hour-rem:500;`."""
        self.calls += 1
        found = re.findall(r"user-(hour|minute)-rem:(\d+)", rate_limit)
        self._left = {**self._left, **{period: int(left) for period, left in found}}

    def pause(self) -> float:
        """Seconds for each call of a poll: when few calls are left, polling uses at most half of them."""
        return max(
            (
                SECONDS[period] / max(1.0, left / 2)
                for period, left in self._left.items()
                if left <= LOW_BUDGET_CALLS[period]
            ),
            default=0.0,
        )


def _pem(private_key: str) -> bytes:
    r"""The text of a .p8 file. CI systems hold it in one line: with `\n` for the line ends, in base64, or as its base64 part alone."""
    text = private_key.strip().replace("\\n", "\n")
    if MARKER in text:
        return text.encode()
    decoded = base64.b64decode("".join(text.split()), validate=True)
    if MARKER.encode() in decoded:
        return decoded
    return f"{MARKER}-----\n{text}\n-----END PRIVATE KEY-----\n".encode()


@functools.cache
def _key(key_id: str, issuer_id: str, private_key: str) -> Key:
    return Key(key_id, issuer_id, private_key)


def key_for(config: Config) -> Key:
    """The key that the environment names, otherwise the stack's configuration. Without an issuer it is an individual key."""
    key_id = configuration.credential(config, "ASC_KEY_ID", "ascKeyId", "the App Store Connect key ID")
    private_key = configuration.credential(
        config, "ASC_PRIVATE_KEY", "ascPrivateKey", "the App Store Connect private key"
    )
    issuer_id = configuration.optional_credential(config, "ASC_ISSUER_ID", "ascIssuerId")
    return _key(key_id, issuer_id, private_key)
