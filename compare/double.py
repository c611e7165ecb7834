"""The doubles in this process, with the delays that we believe to be the vendors': their clock advances by waiting only."""

import functools
from typing import TYPE_CHECKING

from harness.appstore import ADA, become_user, fill_in_the_form, records
from harness.inprocess import ASC_ISSUER_ID, ASC_KEY_ID, address, asc_key, control, new_world
from providers.appstore.signing_key import signing_request
from rehearsal.cloud.appstore.builds import make_build
from rehearsal.cloud.clock import Delays
from rehearsal.cloud.world import World

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

DELAYS = Delays(
    app_visible=3.0,
    app_gone=5.0,
    machine_visible=1.5,
    machine_start=15.0,
    volume_detach=45.0,
    snapshot=20.0,
    check_seconds_cap=60.0,
    postgres_ready=180.0,
    postgres_backup=60.0,
    postgres_gone=30.0,
    profile_too_early=10.0,
    profile_invalid=5.0,
    rate_scale=1.0,
)
"""Estimates, except for those with a source in `infra-docs/vendors/`. A comparison shows which are wrong. None ends at the moment of a
poll (1 s after the call before, then every 2 s, later when refused): over a network it would be seen one poll later."""
ORG = "sol-labs"
FLY_ADDRESSES = {
    "main": address("fly"),
    "web": address("fly_platform"),
    "telemetry": address("fly_platform"),
    "registry": address("registry"),
    "hub": address("registry"),
    "hub tokens": address("registry"),
}
PUBLIC_IMAGE = "docker.io/library/python:3.13-alpine"
TOKEN_SECONDS = 600


def world() -> World:
    """New doubles of both vendors, with the public image that the script of Fly uses."""
    made = new_world()
    made.delays = DELAYS
    made.journal.is_kept = False
    control(made, "POST", "/fly/images", {"reference": PUBLIC_IMAGE, "runs": "library/python"})
    return made


def add_app(made: World) -> str:
    """An app in App Store Connect, as a team has it: with a certificate, a build in a group, a tester and test information. Returns
    its id."""
    kinds, add = records(made).kinds, records(made).new
    kinds["bundleIds"].create({"identifier": "com.sollabs.solos", "name": "SolOS", "platform": "IOS"}, {})
    app = fill_in_the_form(made)
    kinds["certificates"].create({"csrContent": _other_request(), "certificateType": "DISTRIBUTION"}, {})
    become_user(made, ADA)
    made.clock.sleep(60)
    numbers = {"cfBundleShortVersionString": "1.0.0", "cfBundleVersion": "1", "platform": "IOS"}
    upload = add("buildUploads", numbers, {"app": app}, committed_at=made.clock.now(), errors=[], warnings=[])
    file = {"fileName": "solos.ipa", "fileSize": 1000, "uti": "com.apple.ipa", "assetType": "ASSET"}
    add("buildUploadFiles", file, {"buildUpload": upload["id"]}, committed=True, part_bytes=1000)
    build = make_build(records(made), upload, {"minOsVersion": "17.0", "usesNonExemptEncryption": False}, "VALID")
    made.clock.sleep(60)
    about = {"name": "Internal Testers", "isInternalGroup": True}
    group = kinds["betaGroups"].create(about, {"app": app})
    kinds["betaGroups"].link(group, "builds", [build])
    kinds["betaTesters"].create({"email": ADA, "firstName": "Ada"}, {"betaGroups": [group["id"]]})
    kinds["betaAppLocalizations"].create({"locale": "en-US", "feedbackEmail": ADA}, {"app": app})
    made.clock.sleep(60)
    control(made, "POST", f"/appstore/testers/{ADA}/install", {"version": "1.0.0", "build": "1"})
    for kind in ("crash", "screenshot"):
        control(made, "POST", f"/appstore/testers/{ADA}/feedback", {"kind": kind, "comment": "It closed."})
    return app


def authorize(made: World) -> str:
    """The Authorization header for App Store Connect, by the clock of the doubles."""
    return f"Bearer {_token(int(made.clock.now()) // TOKEN_SECONDS)}"


@functools.lru_cache(maxsize=16)
def _token(period: int) -> str:
    import jwt

    claims = {"iss": ASC_ISSUER_ID, "exp": (period + 1) * TOKEN_SECONDS + 60, "aud": "appstoreconnect-v1"}
    return jwt.encode(claims, asc_key(), algorithm="ES256", headers={"kid": ASC_KEY_ID, "typ": "JWT"})


@functools.cache
def _other_request() -> str:
    """The signing request of the certificate that the team has."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return signing_request(rsa.generate_private_key(65537, 2048))


@functools.cache
def signing_key() -> "RSAPrivateKey":
    """The key of the certificate that the script makes."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048)
