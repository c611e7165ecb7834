"""One side of a comparison: a vendor with the credentials of the environment, or its double in this process."""

import contextlib
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from compare import appstore, double, fly
from compare.recording import DOUBLE
from compare.script import Script
from compare.wire import Budget, Clock, Wire
from harness.inprocess import ASC_ISSUER_ID, FLY_TOKEN, Doubles, address
from providers import waiting
from providers.appstore.api.token import Key
from providers.http import make_transport
from rehearsal.cloud.world import World

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

VENDORS = ("fly", "appstore")
KEY_FILE = Path(__file__).resolve().parents[1] / ".compare" / "signing-key.pem"
"""The key of the certificate that the option `certificate` makes. A later run recognises that certificate by it."""


class Missing(Exception):
    """Something is missing that the command line or the environment has to give. The message says what."""


@dataclass(frozen=True, kw_only=True)
class Side:
    script: Script
    transport: httpx.BaseTransport
    clock: Clock
    source: str
    """The name of the vendor, or `double`."""

    def wire(self, budget: Budget, transport: httpx.BaseTransport | None = None) -> Wire:
        """A new connection, through `transport` if it is given."""
        script, through = self.script, transport or self.transport
        return Wire(script.apis, through, self.clock, budget=budget, may_write=script.may_write, pace=script.pace)


@dataclass(frozen=True, kw_only=True)
class DoubleSide(Side):
    world: World


def of_vendor(vendor: str, given: Mapping[str, str]) -> Side:
    """The vendor itself. `given` has the values of the command line and the environment. Raises Missing."""
    script = _fly(given) if vendor == "fly" else _appstore(given)
    return Side(script=script, transport=make_transport(""), clock=waiting.clock, source=script.title)


@contextlib.contextmanager
def of_double(vendor: str) -> Iterator[DoubleSide]:
    """A new double."""
    world = double.world()
    try:
        if vendor == "fly":
            script = fly.script(double.ORG, FLY_TOKEN, double.FLY_ADDRESSES)
        else:
            script = appstore.script(
                double.add_app(world),
                ASC_ISSUER_ID,
                functools.partial(double.authorize, world),
                email="ada@sollabs.example",
                signing_key=double.signing_key(),
                url=address("appstore"),
            )
        yield DoubleSide(script=script, transport=Doubles(world), clock=world.clock, source=DOUBLE, world=world)
    finally:
        world.close()


def _fly(given: Mapping[str, str]) -> Script:
    if not given.get("org"):
        raise Missing("name the organisation: make compare VENDOR=fly ORG=my-org")
    token = _credential(given, "FLY_API_TOKEN")
    if not token:
        raise Missing(
            'set FLY_API_TOKEN: export FLY_API_TOKEN="$(fly tokens create org -o ORG -x 2h)", with the quotes'
        )
    return fly.script(given["org"], token)


def _appstore(given: Mapping[str, str]) -> Script:
    if not given.get("app"):
        raise Missing(
            "name the app in which to make a group, by its Apple ID: make compare VENDOR=appstore APP=1234567890"
        )
    key_id, private_key, issuer = (
        _credential(given, name) for name in ("ASC_KEY_ID", "ASC_PRIVATE_KEY", "ASC_ISSUER_ID")
    )
    absent = [name for name, found in (("ASC_KEY_ID", key_id), ("ASC_PRIVATE_KEY", private_key)) if not found]
    if absent:
        raise Missing(f"set {' and '.join(absent)} (and ASC_ISSUER_ID, for a team key)")
    with_testers = appstore.TESTERS in given.get("extras", "").split(",")
    if with_testers and "@" not in given.get("email", ""):
        raise Missing("name an address of yours that takes tags (you+tag@example.com): EMAIL=you@example.com")
    key = Key(key_id, issuer, private_key)
    return appstore.script(
        given["app"],
        issuer or key_id,
        functools.partial(key.authorize, False),
        email=given.get("email", ""),
        signing_key=_signing_key(create=appstore.CERTIFICATE in given.get("extras", "").split(",")),
    )


def _credential(given: Mapping[str, str], variable: str) -> str:
    """As the providers take it: the variable itself, or the content of the file at `<variable>_PATH`; empty without both."""
    path = given.get(f"{variable}_PATH")
    if given.get(variable) or not path:
        return given.get(variable, "").strip()
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Missing(f"{variable}_PATH cannot be read: {error}") from None


def _signing_key(*, create: bool) -> "RSAPrivateKey | None":
    """The key in KEY_FILE, which is written before a certificate can exist; None if it neither exists nor is needed."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    if KEY_FILE.exists():
        key = serialization.load_pem_private_key(KEY_FILE.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key
    if not create:
        return None
    made = rsa.generate_private_key(65537, 2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    KEY_FILE.parent.mkdir(mode=0o700, exist_ok=True)
    partial = KEY_FILE.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_bytes(made.private_bytes(*form))
    partial.replace(KEY_FILE)
    return made
