"""The names of what the tool makes: `solos-compare-4k2m9x7q-1f09c3ab`.

The last part is a checksum of the others and of the account. So a later run recognises what an earlier one has left, without a file,
and takes nothing of the same prefix that somebody else has named.
"""

import hashlib
import random
import re
from dataclasses import dataclass

PREFIX = "solos-compare"
ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"
MARK = re.compile(rf"{PREFIX}-(?P<random>[a-z0-9]{{8}})-(?P<check>[0-9a-f]{{8}})")


@dataclass(frozen=True)
class Mark:
    """`account` is the organisation at Fly, or the issuer or key at Apple: a name that was made for another one is not ours."""

    account: str

    def new(self) -> str:
        """A new name: letters, digits and hyphens, 31 characters."""
        chosen = "".join(random.choices(ALPHABET, k=8))  # noqa: S311 (a name, not a secret)
        return f"{PREFIX}-{chosen}-{self._check(chosen)}"

    def is_in(self, text: str) -> bool:
        """Whether the text contains a name that was made by this tool for this account."""
        return any(found["check"] == self._check(found["random"]) for found in MARK.finditer(text))

    def _check(self, chosen: str) -> str:
        return hashlib.sha256(f"{PREFIX} {self.account} {chosen}".encode()).hexdigest()[:8]
