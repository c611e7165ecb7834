"""IPAs are checked before the upload: all problems at once, with Apple's codes."""

import plistlib
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict

from harness.appstore import BUNDLE_ID
from providers.appstore.ipa.expected import Expected
from providers.appstore.ipa.problems import problems
from providers.appstore.ipa.reader import inspect
from providers.errors import Problem, ProviderError
from rehearsal.cloud.appstore import inspection
from rehearsal.standins import ipa as standin

EXPECTED = Expected(bundle_id=BUNDLE_ID, short_version="1.0.0", version="0")
CLAIMED = {"cfBundleShortVersionString": "1.0.0", "cfBundleVersion": "0", "platform": "IOS"}
X86_64, SIMULATOR = 0x01000007, 7
IPAD: dict[str, Any] = {"UIDeviceFamily": [1, 2], "UILaunchScreen": {}}
UPRIGHT = {"UISupportedInterfaceOrientations": ["UIInterfaceOrientationPortrait"]}


def made(folder: Path, **changes: Any) -> Path:
    given = {"bundle_id": BUNDLE_ID, "version": "1.0.0", "build": "0", **changes}
    return standin.write(folder / "solmobile.ipa", **given)


def with_profile(**changes: Any) -> dict[str, Any]:
    return {"files": {"embedded.mobileprovision": standin.profile(**{"bundle_id": BUNDLE_ID, **changes})}}


def with_program(**changes: Any) -> dict[str, Any]:
    return {"files": {"SolOS": standin.executable(**changes)}}


def test_valid_ipa(tmp_path: Path) -> None:
    found = inspect(made(tmp_path, info={"API_BASE_URL": "https://solos-prod.fly.dev"}))

    assert problems(found, EXPECTED) == []
    assert (found.bundle_id, found.short_version, found.version) == (BUNDLE_ID, "1.0.0", "0")
    assert (found.minimum_os, found.sdk, found.uses_non_exempt_encryption) == ("17.0", "26.1", False)
    assert [(slice_.architecture, slice_.minimum_os, slice_.sdk) for slice_ in found.slices] == [
        ("arm64", "17.0", "26.1")
    ]
    assert found.profile is not None
    assert (found.profile.kind, found.profile.team_id) == ("App Store", standin.TEAM)


@pytest.mark.parametrize(
    ("code", "broken"),
    [
        ("90022", {"without": ("Assets.car",)}),
        ("90034", with_program(signed=False)),
        ("90034", {"without": ("_CodeSignature/CodeResources",)}),
        ("90054", {"bundle_id": "com.example.other"}),
        ("90058", {"build": "1.2.3.4.5"}),
        ("90060", {"version": "1.0.0-beta"}),
        ("90060", {"version": "1.0.0.0"}),
        ("90087", with_program(cpu=X86_64)),
        ("90087", with_program(platform=SIMULATOR)),
        ("90087", {"without": ("SolOS",)}),
        ("90159", with_profile(team="STRANGERS1")),
        ("90161", with_profile(days=-1)),
        ("90161", with_profile(ProvisionedDevices=["00008120-0001"])),
        ("90161", with_profile(ProvisionsAllDevices=True)),
        ("90164", with_profile(bundle_id="com.example.other")),
        ("90174", {"without": ("embedded.mobileprovision",)}),
        ("90208", with_program(minimum_os="18.0")),
        ("90474", {"info": IPAD | UPRIGHT}),
        ("90475", {"info": IPAD | {"UISupportedInterfaceOrientations": []}, "without": ("UILaunchScreen",)}),
        ("90530", {"without": ("MinimumOSVersion",)}),
        ("90562", {"info": {"CFBundleSupportedPlatforms": ["iPhoneSimulator"]}}),
        ("90683", {"info": {"NSCameraUsageDescription": " "}}),
        ("90713", {"without": ("CFBundleIcons",)}),
        ("90725", {"info": {"DTPlatformVersion": "18.5"}}),
        ("90725", {"without": ("DTPlatformVersion",)}),
    ],
)
def test_apples_codes(tmp_path: Path, code: str, broken: Any) -> None:
    """A problem has the code with which the double of Apple rejects the same IPA."""
    path = made(tmp_path, **broken)

    ours = problems(inspect(path), Expected(**asdict(EXPECTED) | {"team_id": standin.TEAM}))

    assert code in codes(ours)
    assert codes(ours) == {*apples(path)}


def apples(path: Path) -> list[str]:
    """The codes with which the double of Apple rejects an IPA."""
    errors = inspection.errors(path, inspection.info_plist(path), CLAIMED, BUNDLE_ID, time.time())
    return [error["code"] for error in errors]


def codes(found: list[Problem]) -> set[str]:
    return {code for problem in found for code in re.findall(r"\((\d{5})\)", str(problem))}


def test_full_screen_ipad_app(tmp_path: Path) -> None:
    """It does not need all orientations."""
    info = IPAD | UPRIGHT | {"UIRequiresFullScreen": True}

    assert problems(inspect(made(tmp_path, info=info)), EXPECTED) == []


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ({"version": "0.1"}, "its build number is 0, the stack's is 0.1"),
        ({"short_version": "1.0.1"}, "its version is 1.0.0, the stack's is 1.0.1"),
        (
            {"info": {"API_BASE_URL": "https://solos.fly.dev"}},
            "has API_BASE_URL = nothing, the stack expects https://solos",
        ),
        ({"minimum_os": "16.0"}, "it needs iOS 17.0, but the stack promises iOS 16.0"),
        ({"usage_descriptions": ["NSCameraUsageDescription"]}, "no text for NSCameraUsageDescription"),
        ({"certificate": b"another"}, "does not contain the stack's distribution certificate"),
        ({"says_export_compliance": True}, "has no ITSAppUsesNonExemptEncryption"),
    ],
)
def test_requirements_of_the_stack(tmp_path: Path, wanted: dict[str, Any], problem: str) -> None:
    path = made(tmp_path, without=("ITSAppUsesNonExemptEncryption",))

    (found,) = problems(inspect(path), Expected(**asdict(EXPECTED) | wanted))

    assert problem in str(found)


def test_certificate_in_profile(tmp_path: Path) -> None:
    path = made(tmp_path, **with_profile(certificates=(b"one", b"two")))

    assert problems(inspect(path), Expected(**asdict(EXPECTED) | {"certificate": b"two"})) == []


def test_all_problems_at_once(tmp_path: Path) -> None:
    path = made(tmp_path, bundle_id="com.example.other", build="7", without=("Assets.car", "MinimumOSVersion"))

    assert len(problems(inspect(path), EXPECTED)) == 4


def test_profile_expires_soon(tmp_path: Path) -> None:
    found = inspect(made(tmp_path))
    assert found.profile is not None
    evening = datetime.fromtimestamp(found.profile.expires.timestamp() - 3600, UTC)

    (problem,) = problems(found, EXPECTED, evening)

    assert "expires within a day" in str(problem)


def test_universal_executable(tmp_path: Path) -> None:
    parts = [standin.executable(cpu=cpu) for cpu in (standin.ARM64, X86_64)]
    heads = [
        cpu.to_bytes(4) + bytes(4) + (64 + 128 * index).to_bytes(4) + (128).to_bytes(4) + bytes(4)
        for index, cpu in enumerate((standin.ARM64, X86_64))
    ]
    universal = (bytes.fromhex("cafebabe00000002") + b"".join(heads)).ljust(64, b"\0") + b"".join(
        part.ljust(128, b"\0") for part in parts
    )

    (problem,) = problems(inspect(made(tmp_path, files={"SolOS": universal})), EXPECTED)

    assert str(problem) == "it is built for arm64, x86_64; it has to be built for arm64 devices (90087)"


@pytest.mark.parametrize(
    "info",
    [
        {"CFBundleIcons": {"CFBundlePrimaryIcon": "App Icon"}},
        {"CFBundleIcons": {}, "CFBundleIcons~ipad": {"CFBundlePrimaryIcon": {"CFBundleIconName": "AppIcon"}}},
        {"CFBundleIcons": "AppIcon", "CFBundleIconName": "AppIcon"},
    ],
    ids=["Apple TV", "iPad", "Mac"],
)
def test_other_forms_of_icons(tmp_path: Path, info: dict[str, Any]) -> None:
    path = made(tmp_path, info=info)

    assert problems(inspect(path), EXPECTED) == []
    assert apples(path) == []


@pytest.mark.parametrize("family", ["2", 2, ["2"]])
def test_other_forms_of_devices(tmp_path: Path, family: Any) -> None:
    path = made(
        tmp_path, info={"UIDeviceFamily": family, "UISupportedInterfaceOrientations": "UIInterfaceOrientationPortrait"}
    )

    assert codes(problems(inspect(path), EXPECTED)) == {"90474", "90475"} == {*apples(path)}


def test_build_number_of_four_parts(tmp_path: Path) -> None:
    expected = Expected(**asdict(EXPECTED) | {"version": "24.1.0.0"})

    assert problems(inspect(made(tmp_path, build="24.1.0.0")), expected) == []
    (problem,) = problems(inspect(made(tmp_path, build="24.1.0.1")), expected)
    assert str(problem) == "its build number is 24.1.0.1, the stack's is 24.1.0.0"


def test_profile_in_indefinite_lengths(tmp_path: Path) -> None:
    """BER, in which some signing tools write profiles."""
    profile = indefinite(standin.profile(BUNDLE_ID))

    found = inspect(made(tmp_path, files={"embedded.mobileprovision": profile})).profile

    assert found is not None
    assert (found.kind, found.team_id) == ("App Store", standin.TEAM)


def indefinite(encoded: bytes) -> bytes:
    """The same elements as BER: constructed ones of indefinite length, octet strings in pieces."""
    written, position = b"", 0
    while position < len(encoded):
        tag, length, position = encoded[position], encoded[position + 1], position + 2
        if length & 0x80:
            octets = length & 0x7F
            length, position = int.from_bytes(encoded[position : position + octets]), position + octets
        content, position = encoded[position : position + length], position + length
        if tag & 0x20:
            written += bytes([tag, 0x80]) + indefinite(content) + bytes(2)
        elif tag == 0x04 and length > 200:
            pieces = [content[start : start + 100] for start in range(0, length, 100)]
            written += b"\x24\x80" + b"".join(bytes([4, len(piece)]) + piece for piece in pieces) + bytes(2)
        else:
            size = bytes([length]) if length < 128 else b"\x82" + length.to_bytes(2)
            written += bytes([tag]) + size + content
    return written


@pytest.mark.parametrize(
    "content",
    [b"", b"\x30\x82\x40\x00cut", plistlib.dumps({"Name": "not signed"})],
    ids=["empty", "cut off", "a bare property list"],
)
def test_invalid_profile(tmp_path: Path, content: bytes) -> None:
    path = made(tmp_path, files={"embedded.mobileprovision": content})

    with pytest.raises(ProviderError, match="the profile is not a CMS message"):
        inspect(path)


def test_not_an_ipa(tmp_path: Path) -> None:
    (tmp_path / "readme.ipa").write_text("hello")

    with pytest.raises(ProviderError, match=r"readme\.ipa is not a valid IPA: .*; export it again"):
        inspect(tmp_path / "readme.ipa")
    with pytest.raises(ProviderError, match=r"there is no IPA at .*missing\.ipa; build it, or fix the path"):
        inspect(tmp_path / "missing.ipa")
