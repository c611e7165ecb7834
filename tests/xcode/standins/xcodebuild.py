"""Stands in for Xcode's `xcodebuild`: takes the options of an archive and of an export, and builds a stand-in IPA."""

import json
import os
import plistlib
import shlex
import sys
import time
from pathlib import Path

MAC = Path(os.environ["MAC"])
PROFILES = Path.home() / "Library/Developer/Xcode/UserData/Provisioning Profiles"
OLD_PROFILES = Path.home() / "Library/MobileDevice/Provisioning Profiles"
METHODS = ("app-store-connect", "app-store", "ad-hoc", "enterprise", "development")
OPTIONS = {
    *("method", "destination", "signingStyle", "signingCertificate", "teamID", "provisioningProfiles"),
    *("manageAppVersionAndBuildNumber", "uploadSymbols"),
}


def main(arguments: list[str]) -> int:
    with (MAC / "arguments").open("a") as file:
        file.write(shlex.join(["xcodebuild", *arguments]) + "\n")
    if arguments[0] == "archive":
        return archive(dict(zip(arguments[1::2], arguments[2::2], strict=True)))
    if arguments[0] == "-exportArchive":
        return export(dict(zip(arguments[1::2], arguments[2::2], strict=True)))
    print(f"xcodebuild: error: unknown build action {arguments[0]}")
    return 64


def archive(given: dict[str, str]) -> int:
    known = {"-scheme", "-configuration", "-destination", "-archivePath", "-derivedDataPath", "-workspace", "-project"}
    if set(given) - known or ("-workspace" in given) == ("-project" in given):
        print(f"xcodebuild: error: invalid option in {sorted(given)}")
        return 64
    if given["-destination"] != "generic/platform=iOS" or not given["-archivePath"].endswith(".xcarchive"):
        print("xcodebuild: error: Unable to find a destination matching the provided destination specifier")
        return 70
    (MAC / "built").write_text(json.dumps(seen()))
    behaviour = (MAC / "behaviour").read_text() if (MAC / "behaviour").exists() else ""
    if behaviour == "hang":
        (MAC / "pid").write_text(str(os.getpid()))
        time.sleep(600)
    if behaviour == "fail":
        print("SolOS/App.swift:3:1: error: cannot find 'Day' in scope")
        print("** ARCHIVE FAILED **")
        return 65
    symbols = Path(given["-archivePath"]) / "dSYMs" / "SolOS.app.dSYM"
    symbols.mkdir(parents=True)
    (symbols / "Info.plist").write_text("<plist/>")
    print("** ARCHIVE SUCCEEDED **")
    return 0


def export(given: dict[str, str]) -> int:
    if set(given) != {"-archivePath", "-exportPath", "-exportOptionsPlist"} or not Path(given["-archivePath"]).is_dir():
        print("error: archive not found at path")
        return 66
    options = plistlib.loads(Path(given["-exportOptionsPlist"]).read_bytes())
    if set(options) - OPTIONS or options["method"] not in METHODS:
        print(f"error: exportOptionsPlist error for key 'method' or unknown key in {sorted(options)}")
        return 70
    bundle_id, *extensions = options["provisioningProfiles"]
    settings = {
        key.strip(): value.strip().replace("/$()/", "//")
        for line in Path("Config/Release.xcconfig").read_text().splitlines()
        if not line.startswith("//")
        for key, _, value in [line.partition("=")]
    }
    from rehearsal.standins import ipa

    version, build = settings.get("MARKETING_VERSION", "1.0.0"), settings.get("CURRENT_PROJECT_VERSION", "0")
    files = {"embedded.mobileprovision": profile_of(bundle_id)}
    for extension in extensions:
        signed = {"embedded.mobileprovision": profile_of(extension)}
        path = f"PlugIns/{extension.rpartition('.')[2]}.appex"
        files |= ipa.nested(path, extension, version=version, build=build, files=signed)
    Path(given["-exportPath"]).mkdir(parents=True)
    ipa.write(
        Path(given["-exportPath"]) / "SolOS.ipa",
        bundle_id=bundle_id,
        version=version,
        build=build,
        info={"API_BASE_URL": settings.get("API_BASE_URL", "")},
        files=files,
    )
    print("** EXPORT SUCCEEDED **")
    return 0


def profile_of(bundle_id: str) -> bytes:
    """The installed profile for a bundle ID."""
    found = [path.read_bytes() for path in PROFILES.glob("*.mobileprovision")]
    return next(content for content in found if f".{bundle_id}</string>".encode() in content)


def seen() -> dict[str, object]:
    """What a build finds: files of the checkout, profiles, and the keychains that are searched."""
    files = {str(path): path.read_text() for path in Path().rglob("*") if path.is_file() and path.name != ".git"}
    profiles = [*PROFILES.glob("*.mobileprovision"), *OLD_PROFILES.glob("*.mobileprovision")]
    keychains = [Path(path) for path in (MAC / "keychains").read_text().splitlines()]
    return {
        "files": files,
        "profiles": {str(path): oct(path.stat().st_mode & 0o777) for path in profiles},
        "keychains": [json.loads(path.read_text()) for path in keychains if path.exists()],
        "private files left": [str(path) for path in Path("..").rglob("*.p12")],
        "environment": dict(os.environ),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
