"""`python -m rehearsal ipa`: a stand-in for the solmobile build.

Everything that a launch inspects is real: a zip with a property list, an executable with the headers of a signed arm64 device build,
and a signed provisioning profile. It contains no code.

Configured by the environment, like an archive command: IPA (the output path), BUNDLE_ID, VERSION, BUILD, API_BASE_URL.
"""

import hashlib
import json
import os
import plistlib
import shutil
import struct
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import NameOID

TEAM = "SLLABS4TM1"
"""The team of the doubles."""
ARM64 = 0x0100000C
IOS = 2
MINIMUM_OS = "17.0"
SDK = "26.1"
SIGNATURE_OFFSET = 0x400
"""Where the signature is in an executable."""


def main() -> int:
    """Write the IPA that the environment describes.

    The same description gives the same file again, like a stored CI artifact: App Store Connect accepts a build number twice only
    with the same content.
    """
    names = ("IPA", "BUNDLE_ID", "VERSION", "BUILD", "API_BASE_URL")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        print(f"error: set {', '.join(missing)} in the environment")
        return 1
    path = Path(os.environ["IPA"])
    described = json.dumps([os.environ[name] for name in names[1:]])
    kept = path.parent / "archives" / f"{hashlib.sha256(described.encode()).hexdigest()}.ipa"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = write(
            kept.with_suffix(".draft"),
            bundle_id=os.environ["BUNDLE_ID"],
            version=os.environ["VERSION"],
            build=os.environ["BUILD"],
            info={"API_BASE_URL": os.environ["API_BASE_URL"]},
        )
        draft.replace(kept)
    shutil.copyfile(kept, path)
    print(f"wrote {path}, {path.stat().st_size} bytes", flush=True)
    return 0


def write(
    path: Path,
    *,
    bundle_id: str,
    version: str,
    build: str,
    info: dict[str, object] | None = None,
    padding: int = 0,
    files: dict[str, bytes] | None = None,
    without: tuple[str, ...] = (),
) -> Path:
    """Write an IPA. `info` is added to Info.plist, `files` to the app bundle, and `padding` random bytes for size.

    `without` names files and keys to leave out, for a broken build."""
    properties = {
        "CFBundleIdentifier": bundle_id,
        "CFBundleShortVersionString": version,
        "CFBundleVersion": build,
        "CFBundleExecutable": "SolOS",
        "CFBundleName": "SolOS",
        "CFBundlePackageType": "APPL",
        "CFBundleSupportedPlatforms": ["iPhoneOS"],
        "CFBundleIcons": {
            "CFBundlePrimaryIcon": {"CFBundleIconName": "AppIcon", "CFBundleIconFiles": ["AppIcon60x60"]}
        },
        "MinimumOSVersion": MINIMUM_OS,
        "DTPlatformName": "iphoneos",
        "DTPlatformVersion": SDK,
        "ITSAppUsesNonExemptEncryption": False,
        "UIDeviceFamily": [1],
        **(info or {}),
    }
    content = {
        "Info.plist": plistlib.dumps(
            {key: value for key, value in properties.items() if key not in without}, fmt=plistlib.FMT_BINARY
        ),
        "PkgInfo": b"APPL????",
        "SolOS": executable(),
        "Assets.car": b"BOMStore",
        "embedded.mobileprovision": profile(bundle_id),
        "_CodeSignature/CodeResources": plistlib.dumps({"files": {}, "files2": {}}),
        **(files or {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in content.items():
            if name not in without:
                archive.writestr(f"Payload/SolOS.app/{name}", held)
        if padding:
            entry = zipfile.ZipInfo("Payload/SolOS.app/main.jsbundle", datetime.now(UTC).timetuple()[:6])
            with archive.open(entry, "w", force_zip64=True) as file:
                for start in range(0, padding, 1 << 20):
                    file.write(os.urandom(min(1 << 20, padding - start)))
    return path


def nested(
    path: str,
    bundle_id: str,
    *,
    version: str = "1.0.0",
    build: str = "0",
    info: dict[str, object] | None = None,
    files: dict[str, bytes] | None = None,
    without: tuple[str, ...] = (),
) -> dict[str, bytes]:
    """The files of a bundle inside the app, for example at `PlugIns/Share.appex`, as `files` of `write`."""
    name = path.rpartition("/")[2].partition(".")[0]
    properties = {
        "CFBundleIdentifier": bundle_id,
        "CFBundleShortVersionString": version,
        "CFBundleVersion": build,
        "CFBundleExecutable": name,
        "CFBundleIcons": {"CFBundlePrimaryIcon": {"CFBundleIconName": "AppIcon"}},
        "MinimumOSVersion": MINIMUM_OS,
        "DTPlatformVersion": SDK,
        **(info or {}),
    }
    content = {
        "Info.plist": plistlib.dumps({key: value for key, value in properties.items() if key not in without}),
        name: executable(),
        "_CodeSignature/CodeResources": plistlib.dumps({"files": {}}),
        **({} if path.endswith(".framework") else {"embedded.mobileprovision": profile(bundle_id)}),
        **({"Assets.car": b"BOMStore"} if path.endswith(".app") else {}),
        **(files or {}),
    }
    return {f"{path}/{file}": held for file, held in content.items() if file not in without}


def executable(
    cpu: int = ARM64,
    platform: int = IOS,
    minimum_os: str = MINIMUM_OS,
    *,
    signed: bool = True,
    entitlements: dict[str, object] | None = None,
) -> bytes:
    """The headers of a Mach-O executable: build version and code signature, whose content is that of `entitlements` only."""
    major, minor = map(int, minimum_os.split("."))
    commands = [struct.pack("<IIIIII", 0x32, 24, platform, major << 16 | minor << 8, 26 << 16 | 1 << 8, 0)]
    if signed:
        commands.append(struct.pack("<IIII", 0x1D, 16, SIGNATURE_OFFSET, 0x1000))
    size = sum(map(len, commands))
    header = struct.pack("<IIIIIIII", 0xFEEDFACF, cpu, 0, 2, len(commands), size, 0x85, 0)
    written = header + b"".join(commands)
    return written.ljust(SIGNATURE_OFFSET, b"\0") + _signature(entitlements) if entitlements else written


def _signature(entitlements: dict[str, object]) -> bytes:
    """A signature (`CodeDirectory.h`) that has only the entitlements."""
    content = plistlib.dumps(entitlements)
    blob = struct.pack(">II", 0xFADE7171, 8 + len(content)) + content
    return struct.pack(">IIIII", 0xFADE0CC0, 20 + len(blob), 1, 5, 20) + blob


def profile(
    bundle_id: str, team: str = TEAM, days: int = 365, certificates: tuple[bytes, ...] = (), **changes: object
) -> bytes:
    """A provisioning profile for the App Store: a property list in a CMS signature.

    It contains `certificates`, or the certificate that signs it. `changes` are applied to the property list."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Distribution: Sol Labs ({team})")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    content = {
        "Name": f"{bundle_id} AppStore",
        "UUID": "6f1d3c7e-5a52-4f1c-8a55-0d7f5a9c2b11",
        "TeamIdentifier": [team],
        "TeamName": "Sol Labs",
        "Platform": ["iOS"],
        "CreationDate": now.replace(tzinfo=None),
        "ExpirationDate": (now + timedelta(days=days)).replace(tzinfo=None),
        "DeveloperCertificates": list(certificates) or [certificate.public_bytes(serialization.Encoding.DER)],
        "Entitlements": {
            "application-identifier": f"{team}.{bundle_id}",
            "com.apple.developer.team-identifier": team,
            "get-task-allow": False,
            "beta-reports-active": True,
        },
        **changes,
    }
    return (
        pkcs7.PKCS7SignatureBuilder()
        .set_data(plistlib.dumps(content))
        .add_signer(certificate, key, hashes.SHA256())
        .sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.Binary])
    )
