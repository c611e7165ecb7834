"""Tokens for App Store Connect: ES256 JWTs, kept until shortly before they expire.

Apple refuses tokens that live longer than 20 minutes, and blames skewed clocks for most refusals: so `iat` lies half a minute
back and the life is well below the limit (app-store-connect.md, section 4).
"""

import functools
import re
import threading

from pulumi.dynamic import Config

from providers import configuration, waiting
from providers.errors import ProviderError

AUDIENCE = "appstoreconnect-v1"
BACKDATED_SECONDS = 30
LIFE_SECONDS = 840
RENEWED_BEFORE_SECONDS = 90
LOW_BUDGET_CALLS = {"hour": 1000, "minute": 20}
"""Apple grants about 3500 calls an hour and key, on some paths so many a minute too, and says with every answer how many are
left (section 5). Below these numbers polling takes care."""
SECONDS = {"hour": 3600.0, "minute": 60.0}


class Key:
    """An API key, the token it has signed, and what is left of its hour's budget of calls. Shared by the process."""

    def __init__(self, key_id: str, issuer_id: str, private_key: str) -> None:
        """A team key has an issuer; an individual key has none (`issuer_id` empty). Raises ProviderError for a bad key."""
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(private_key.replace("\\n", "\n").encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
            raise ProviderError(
                "the App Store Connect private key is not usable: ASC_PRIVATE_KEY should hold the text of the "
                "AuthKey_….p8 file that Apple let you download once, or ASC_PRIVATE_KEY_PATH its path"
            )
        self._key = key
        self._key_id = key_id
        self._claims = {"iss": issuer_id} if issuer_id else {"sub": "user"}
        self._lock = threading.Lock()
        self._token = ""
        self._expires = 0.0
        self._left: dict[str, int] = {}

    def authorize(self, again: bool) -> str:
        """The Authorization header. `again` signs a new token even if the old one should still be good."""
        import jwt

        with self._lock:
            now = waiting.clock.wall()
            if again or self._expires - now < RENEWED_BEFORE_SECONDS or self._expires - now > LIFE_SECONDS:
                self._expires = now + LIFE_SECONDS
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
        """Take down what an answer says in X-Rate-Limit: `user-hour-lim:3500;user-hour-rem:500;`."""
        told = re.findall(r"user-(hour|minute)-rem:(\d+)", rate_limit)
        self._left = {**self._left, **{period: int(left) for period, left in told}}

    def pause(self) -> float:
        """Seconds between two polls: when a budget runs low, polling takes at most half of what is left of it."""
        return max(
            (SECONDS[each] / max(1.0, left / 2) for each, left in self._left.items() if left <= LOW_BUDGET_CALLS[each]),
            default=0.0,
        )


@functools.cache
def _key(key_id: str, issuer_id: str, private_key: str) -> Key:
    return Key(key_id, issuer_id, private_key)


def key_for(config: Config) -> Key:
    """The key of the environment, or else of the stack's configuration. Without an issuer it is an individual key."""
    key_id = configuration.credential(config, "ASC_KEY_ID", "ascKeyId", "the App Store Connect key ID")
    private_key = configuration.credential(
        config, "ASC_PRIVATE_KEY", "ascPrivateKey", "the App Store Connect private key"
    )
    issuer_id = configuration.optional_credential(config, "ASC_ISSUER_ID", "ascIssuerId")
    return _key(key_id, issuer_id, private_key)
