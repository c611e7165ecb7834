"""Extensions, App Clips, watch apps and frameworks are checked like the app, before the upload."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from harness.appstore import BUNDLE_ID
from providers.appstore.ipa.expected import Expected
from providers.appstore.ipa.problems import problems
from providers.appstore.ipa.reader import Ipa, inspect
from providers.errors import Problem
from rehearsal.cloud.appstore import inspection
from rehearsal.standins import ipa as standin

EXPECTED = Expected(bundle_id=BUNDLE_ID, short_version="1.0.0", version="0", team_id=standin.TEAM)
CLAIMED = {"cfBundleShortVersionString": "1.0.0", "cfBundleVersion": "0", "platform": "IOS"}
SHARE, CLIP, WATCH, KIT = "PlugIns/Share.appex", "AppClips/Clip.app", "Watch/W.app", "Frameworks/Kit.framework"
IDS = {
    SHARE: f"{BUNDLE_ID}.Share",
    CLIP: f"{BUNDLE_ID}.Clip",
    WATCH: f"{BUNDLE_ID}.watchkitapp",
    KIT: "com.example.kit",
}
ON_WATCH: dict[str, bytes] = {"W": standin.executable(cpu=0x0200000C, platform=4)}
X86_64 = 0x01000007
SIRI: dict[str, object] = {"com.apple.developer.siri": True}


def with_bundle(path: str, bundle_id: str = "", **changes: Any) -> dict[str, bytes]:
    files = {**(ON_WATCH if path == WATCH else {}), **changes.pop("files", {})}
    return standin.nested(path, bundle_id or IDS[path], files=files, **changes)


def made(folder: Path, files: dict[str, bytes]) -> Path:
    return standin.write(folder / "app.ipa", bundle_id=BUNDLE_ID, version="1.0.0", build="0", files=files)


def found(ipa: Ipa) -> list[str]:
    return [str(problem) for problem in problems(ipa, EXPECTED)]


def codes(found: list[Problem]) -> set[str]:
    stopping = [str(problem) for problem in found if not problem.is_warning]
    return {code for problem in stopping for code in re.findall(r"\((\d{5})\)", problem)}


def test_app_with_everything(tmp_path: Path) -> None:
    inner = standin.nested(f"{WATCH}/PlugIns/Tile.appex", f"{IDS[WATCH]}.tile", files={"Tile": ON_WATCH["W"]})
    files = with_bundle(SHARE) | with_bundle(CLIP) | with_bundle(WATCH) | with_bundle(KIT) | inner
    path = made(tmp_path, files)

    ipa = inspect(path)

    assert found(ipa) == []
    assert inspection.errors(path, inspection.info_plist(path), CLAIMED, BUNDLE_ID, time.time()) == []
    assert [(bundle.path, bundle.kind) for bundle in ipa.nested] == [
        (CLIP, "App Clip"),
        (KIT, "framework"),
        (SHARE, "extension"),
        (WATCH, "watch app"),
        (f"{WATCH}/PlugIns/Tile.appex", "extension"),
    ]


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("90022", with_bundle(CLIP, without=("Assets.car",))),
        ("90022", with_bundle(WATCH, without=("Assets.car",))),
        ("90034", with_bundle(SHARE, files={"Share": standin.executable(signed=False)})),
        ("90034", with_bundle(SHARE, without=("_CodeSignature/CodeResources",))),
        ("90056", with_bundle(KIT, without=("CFBundleVersion",))),
        ("90056", with_bundle(SHARE, without=("CFBundleVersion",))),
        ("90057", with_bundle(KIT, without=("CFBundleShortVersionString",))),
        ("90087", with_bundle(SHARE, files={"Share": standin.executable(cpu=X86_64)})),
        ("90087", with_bundle(KIT, files={"Kit": standin.executable(cpu=X86_64)})),
        ("90087", with_bundle(KIT, files={"Kit": standin.executable(platform=7)})),
        ("90159", with_bundle(SHARE, files={"embedded.mobileprovision": standin.profile(IDS[SHARE], team="OTHERS1")})),
        ("90161", with_bundle(CLIP, files={"embedded.mobileprovision": standin.profile(IDS[CLIP], days=-1)})),
        ("90164", with_bundle(SHARE, files={"embedded.mobileprovision": standin.profile(BUNDLE_ID)})),
        ("90164", with_bundle(SHARE, files={"Share": standin.executable(entitlements=SIRI)})),
        ("90174", with_bundle(SHARE, without=("embedded.mobileprovision",))),
        ("90206", with_bundle(SHARE) | standin.nested(f"{SHARE}/{KIT}", "com.example.kit")),
        ("90208", with_bundle(SHARE, files={"Share": standin.executable(minimum_os="18.0")})),
        ("90208", with_bundle(KIT, files={"Kit": standin.executable(minimum_os="18.0")})),
        ("90347", with_bundle(SHARE, "com.example.share")),
        ("90347", with_bundle(SHARE, f"{BUNDLE_ID}.a.b")),
        ("90379", with_bundle(WATCH, version="0.9")),
        ("90379", with_bundle(CLIP, build="7")),
        ("90685", with_bundle(SHARE) | standin.nested("PlugIns/Again.appex", IDS[SHARE])),
        ("90713", with_bundle(WATCH, without=("CFBundleIcons",))),
        ("90725", with_bundle(SHARE, info={"DTPlatformVersion": "18.5"})),
    ],
)
def test_apples_codes(tmp_path: Path, code: str, files: dict[str, bytes]) -> None:
    """A problem has the code with which the double of Apple rejects the same IPA."""
    path = made(tmp_path, files)

    ours = problems(inspect(path), EXPECTED)
    apples = inspection.errors(path, inspection.info_plist(path), CLAIMED, BUNDLE_ID, time.time())

    assert codes(ours) == {code} == {error["code"] for error in apples}


def test_text_names_the_bundle(tmp_path: Path) -> None:
    (problem,) = found(inspect(made(tmp_path, with_bundle(SHARE, without=("embedded.mobileprovision",)))))

    assert problem == "PlugIns/Share.appex: it has no embedded.mobileprovision (90174); export it for the App Store"


def test_extension_with_other_numbers(tmp_path: Path) -> None:
    """Apple accepts it, and warns."""
    path = made(tmp_path, with_bundle(SHARE, version="0.9", build="7"))

    warnings = problems(inspect(path), EXPECTED)

    assert [warning.is_warning for warning in warnings] == [True, True]
    assert "its build number is 7, the app's is 0, of which Apple warns (90473)" in str(warnings[1])
    assert inspection.errors(path, inspection.info_plist(path), CLAIMED, BUNDLE_ID, time.time()) == []


@pytest.mark.parametrize(
    ("entitled", "allowed", "fits"),
    [
        ({"com.apple.developer.siri": True}, {"com.apple.developer.siri": True}, True),
        (
            {"com.apple.developer.associated-domains": ["applinks:a.example"]},
            {"com.apple.developer.associated-domains": "*"},
            True,
        ),
        ({"keychain-access-groups": ["SLLABS4TM1.com.a"]}, {"keychain-access-groups": ["SLLABS4TM1.*"]}, True),
        ({"keychain-access-groups": ["OTHERS.com.a"]}, {"keychain-access-groups": ["SLLABS4TM1.*"]}, False),
        (
            {"com.apple.security.application-groups": ["group.a"]},
            {"com.apple.security.application-groups": ["group.b"]},
            False,
        ),
        ({"aps-environment": "development"}, {"aps-environment": "production"}, False),
        ({"com.apple.developer.siri": True}, {}, False),
        ({"get-task-allow": False, "beta-reports-active": True}, {}, True),
    ],
)
def test_entitlements_of_the_profile(tmp_path: Path, entitled: Any, allowed: Any, *, fits: bool) -> None:
    profile = standin.profile(
        BUNDLE_ID, Entitlements={"application-identifier": f"{standin.TEAM}.{BUNDLE_ID}", **allowed}
    )
    files = {"SolOS": standin.executable(entitlements=entitled), "embedded.mobileprovision": profile}

    wrong = found(inspect(made(tmp_path, files)))

    assert (wrong == []) is fits
    assert all("does not allow its entitlements" in problem for problem in wrong)
