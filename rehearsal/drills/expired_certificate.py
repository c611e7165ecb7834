"""A distribution certificate is about to expire: `up` renews it, and the profile with it.

Apple's certificates are valid for a year. From 30 days before expiry (`signing.renewBeforeDays`), the next `up` creates a
certificate of the same key and a profile that contains it, and only then deletes the old profile. The old certificate is not
revoked: it expires on its own.
"""

import base64
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rehearsal.drills.drill import Drill


def run(drill: Drill) -> None:
    drill.doubles.do("/appstore/settings", certificate_days=20)
    drill.launch()
    drill.doubles.do("/appstore/settings", certificate_days=365)
    (old_certificate,), (old_profile,) = _certificates(drill), _profiles(drill)
    build, instance = _builds(drill), drill.machine["instance_id"]

    drill.say(
        f"The stack's certificate {old_certificate['serialNumber']} expires on {old_certificate['expirationDate'][:10]}, in 20 "
        f"days; the profile '{old_profile['name']}' contains it. The stack file does not change."
    )
    before = len(_calls(drill))
    drill.up()
    (profile,) = _profiles(drill)
    certificates = _certificates(drill)
    new = [certificate for certificate in certificates if certificate["id"] != old_certificate["id"]]
    drill.promise(
        "there is one new certificate, valid for a year",
        len(new) == 1 and new[0]["expirationDate"] > old_certificate["expirationDate"],
    )
    drill.promise("it has the same key", _key(new[0]) == _key(old_certificate))
    drill.promise(
        "the old one was not revoked", old_certificate["id"] in {certificate["id"] for certificate in certificates}
    )
    drill.promise("there is one profile, with the new certificate", profile["links"]["certificates"] == [new[0]["id"]])
    drill.promise(
        "it was created before the old profile was deleted",
        _steps(_calls(drill)[before:]) == ["certificates", "profiles", "-profiles"],
    )
    drill.promise(
        "the testers' build and the backend have not changed",
        (_builds(drill), drill.machine["instance_id"]) == (build, instance),
    )

    drill.say("The next `up` has nothing to renew.")
    drill.up()
    drill.promise("there is no further certificate", len(_certificates(drill)) == 2)


def _certificates(drill: Drill) -> list[dict[str, Any]]:
    return list(drill.doubles.see("/appstore/state")["certificates"])


def _profiles(drill: Drill) -> list[dict[str, Any]]:
    return list(drill.doubles.see("/appstore/state")["profiles"])


def _builds(drill: Drill) -> list[str]:
    return [build["id"] for build in drill.doubles.see("/appstore/state")["builds"]]


def _key(certificate: dict[str, Any]) -> bytes:
    """Its public key."""
    content = x509.load_der_x509_certificate(base64.b64decode(certificate["certificateContent"]))
    return content.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _calls(drill: Drill) -> list[dict[str, Any]]:
    return list(drill.doubles.see("/journal?service=appstore"))


def _steps(calls: list[dict[str, Any]]) -> list[str]:
    """The kinds of certificates and profiles that were created, or deleted (`-`), in order."""
    marks = {"POST": "", "DELETE": "-"}
    done = [call for call in calls if call["method"] in marks and (call["status"] or 500) < 300]
    kinds = [(marks[call["method"]], call["path"].split("/")[2]) for call in done]
    return [f"{mark}{kind}" for mark, kind in kinds if kind in ("certificates", "profiles")]
