"""Secrets in state and stack configuration, encrypted as the CLI's passphrase provider encrypts them.

PBKDF2 with SHA-256, then AES-256-GCM; see `infra-docs/vendors/pulumi.md`.
"""

import base64
import functools
import os
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

ROUNDS = 1_000_000
KEY_BYTES = 32
PROOF = "pulumi"
"""What the last part of a salt decrypts to if the passphrase is correct."""


class WrongPassphrase(Exception):
    """The passphrase is not the one of the stack."""


class Crypter:
    """Encrypts and decrypts the secrets of one stack."""

    def __init__(self, key: bytes, salt: str) -> None:
        self._cipher = AESGCM(key)
        self.salt = salt
        """`v1:<salt>:v1:<nonce>:<data>`, the same in the state and in the stack file."""

    @classmethod
    def new(cls, passphrase: str) -> Self:
        """For a new stack, with a new salt."""
        salt = os.urandom(8)
        crypter = cls(_key(passphrase, salt), "")
        crypter.salt = f"v1:{_text(salt)}:{crypter.encrypt(PROOF)}"
        return crypter

    @classmethod
    def of(cls, salt: str, passphrase: str) -> Self:
        """For a stack with an `encryptionsalt`. Raises WrongPassphrase, and ValueError if it is not a salt of Pulumi."""
        _, salt_bytes, proof = salt.split(":", 2)
        crypter = cls(_key(passphrase, base64.b64decode(salt_bytes)), salt)
        try:
            crypter.decrypt(proof)
        except InvalidTag:
            raise WrongPassphrase(
                "incorrect passphrase for this stack: set PULUMI_CONFIG_PASSPHRASE to the one it was created with"
            ) from None
        return crypter

    def encrypt(self, text: str) -> str:
        nonce = os.urandom(12)
        return f"v1:{_text(nonce)}:{_text(self._cipher.encrypt(nonce, text.encode(), None))}"

    def decrypt(self, ciphertext: str) -> str:
        """Raises InvalidTag if the text was encrypted with another key, and ValueError if it is no encrypted text."""
        _, nonce, data = ciphertext.split(":")
        return self._cipher.decrypt(base64.b64decode(nonce), base64.b64decode(data), None).decode()


@functools.cache  # 0.1 s of CPU, and a process asks for the same key again and again
def _key(passphrase: str, salt: bytes) -> bytes:
    derivation = PBKDF2HMAC(SHA256(), KEY_BYTES, salt, ROUNDS)  # takes half as long as hashlib's
    return derivation.derive(passphrase.encode())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
