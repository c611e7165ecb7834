"""Makes a signed IPA from a commit of solmobile, on macOS: the archive step of the launch, and readable as its instructions.

    .venv/bin/python xcode/archive.py < job.json        # components/testflight/xcode.py writes the job

Beside the IPA it leaves `<name>.dSYMs.zip` and `<name>.log`, and nothing else. The certificate is imported into a keychain of its
own, and the profile is installed for as long as the build takes. Both are gone afterwards: when it fails, when it is told to stop,
and when the program that started it is killed, which ends this one within a second. Were this one killed as well, the next run begins
by removing what it left.

Secrets come through standard input and reach `security` the same way: arguments of a process can be read by all users of the machine.
"""

import base64
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

BRANCHES = ("main", "origin/main")
"""A commit is released only from here."""
PROFILES = (
    Path("Library/MobileDevice/Provisioning Profiles"),
    Path("Library/Developer/Xcode/UserData/Provisioning Profiles"),
)
"""Where Xcode looks for profiles, in the home folder: up to version 15, and from 16 on."""
LOCK_SECONDS = 21_600
"""The keychain locks itself after so long without use: no archive takes six hours."""
TOLD_LINES = 20
"""So many of the log's last lines are shown of a build that failed."""


class Failed(Exception):
    """Told in one line, perhaps with the end of the log."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """The JSON on standard input."""

    checkout: str
    commit: str
    container: tuple[str, str]
    """`workspace` or `project`, and its path."""
    scheme: str
    export_options: str
    files: dict[str, str]
    """Written into the clean checkout, by path: Release.xcconfig and ExportOptions.plist."""
    ipa: str
    certificate: str
    """PEM."""
    p12: str
    p12_password: str
    profile: str
    profile_uuid: str


class Place:
    """The folder beside the IPA that holds everything that has to go again. Only this user can look into it."""

    def __init__(self, ipa: Path) -> None:
        self.folder = ipa.absolute().with_name(f".{ipa.stem}.archive")
        self.source = self.folder / "source"
        self.keychain = self.folder / "signing.keychain-db"
        self.archive = self.folder / "solmobile.xcarchive"
        self.export = self.folder / "export"
        self.installed = self.folder / "installed"
        """Names the profile that was installed, one path a line, before it is."""


def main() -> int:
    job = Job(**json.load(sys.stdin))
    ipa = Path(job.ipa)
    place, log = Place(ipa), ipa.with_suffix(".log")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        _require_macos()
        ipa.parent.mkdir(parents=True, exist_ok=True)
        _clean_up(place, job.checkout)
        with _cleaned_up(place, job.checkout), log.open("w", encoding="utf-8") as told:
            _say(f"checking {job.commit[:12]} out of {job.checkout}")
            _check_out(job, place)
            _say("importing the certificate and installing the profile")
            _import_certificate(job, place)
            _install_profile(job, place)
            _say(f"archiving {job.scheme}; the log is {log}")
            _archive(job, place, told)
            _say("exporting the IPA")
            _export(job, place, told)
            _deliver(place, ipa)
    except Failed as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1
    _say(f"made {ipa}")
    return 0


# The steps.


def _check_out(job: Job, place: Place) -> None:
    """The commit as it was committed, and nothing of what lies about in the checkout."""
    place.folder.mkdir(mode=0o700)
    commit = _git(job.checkout, "rev-parse", "--verify", "--quiet", f"{job.commit}^{{commit}}")
    if commit is None:
        raise Failed(f"{job.checkout} has no commit {job.commit}: `git -C {job.checkout} fetch`, then run up again")
    if all(_git(job.checkout, "merge-base", "--is-ancestor", commit, branch) is None for branch in BRANCHES):
        raise Failed(f"commit {job.commit} is not on main: merge it, or name one that is in solos:xcode.commit")
    if _git(job.checkout, "worktree", "add", "--quiet", "--detach", str(place.source), commit) is None:
        raise Failed(
            f"git cannot check {job.commit} out of {job.checkout}: `git -C {job.checkout} worktree list` says why"
        )
    if (place.source / ".gitmodules").exists() and (
        _git(str(place.source), "submodule", "update", "--quiet", "--init", "--recursive") is None
    ):
        raise Failed(f"git cannot get the submodules of {job.commit}")
    for name, content in job.files.items():
        path = place.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _import_certificate(job: Job, place: Place) -> None:
    """Into a keychain that codesign may use without asking, and that is looked through beside the user's own."""
    p12 = place.folder / "distribution.p12"
    _write_privately(p12, base64.b64decode(job.p12))
    password = secrets.token_hex(24)
    _security_told(
        f'create-keychain -p {password} "{place.keychain}"',
        f'set-keychain-settings -l -u -t {LOCK_SECONDS} "{place.keychain}"',
        f'unlock-keychain -p {password} "{place.keychain}"',
        f'import "{p12}" -f pkcs12 -k "{place.keychain}" -P "{job.p12_password}"'
        " -T /usr/bin/codesign -T /usr/bin/security",
        f'set-key-partition-list -S apple-tool:,apple:,codesign: -s -k {password} "{place.keychain}"',
    )
    p12.unlink()
    _security("list-keychains", "-d", "user", "-s", str(place.keychain), *_keychains())
    # `security -i` goes on after a command that failed, so this is how we know.
    digest = hashlib.sha1(ssl.PEM_cert_to_DER_cert(job.certificate)).hexdigest().upper()  # noqa: S324 (a name, not a proof)
    if digest not in _security("find-identity", "-p", "codesigning", str(place.keychain)):
        raise Failed("`security` has not imported the distribution certificate: is the login keychain locked?")
    if digest not in _security("find-identity", "-v", "-p", "codesigning", str(place.keychain)):
        raise Failed(
            "macOS does not trust the distribution certificate: install Apple's intermediate certificate (WWDR) from "
            "https://www.apple.com/certificateauthority, which Xcode does when it is started once"
        )


def _install_profile(job: Job, place: Place) -> None:
    paths = [Path.home() / folder / f"{job.profile_uuid}.mobileprovision" for folder in PROFILES]
    paths = [path for path in paths if not path.exists()]
    place.installed.write_text("".join(f"{path}\n" for path in paths), encoding="utf-8")
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_privately(path, base64.b64decode(job.profile))


def _archive(job: Job, place: Place, log: TextIO) -> None:
    kind, container = job.container
    _run(
        [
            *("xcodebuild", "archive", f"-{kind}", container, "-scheme", job.scheme),
            *("-configuration", "Release", "-destination", "generic/platform=iOS"),
            *("-archivePath", str(place.archive), "-derivedDataPath", str(place.folder / "derived")),
        ],
        place.source,
        log,
    )


def _export(job: Job, place: Place, log: TextIO) -> None:
    _run(
        [
            *("xcodebuild", "-exportArchive", "-archivePath", str(place.archive), "-exportPath", str(place.export)),
            *("-exportOptionsPlist", job.export_options),
        ],
        place.source,
        log,
    )


def _deliver(place: Place, ipa: Path) -> None:
    exported = sorted(place.export.glob("*.ipa"))
    if len(exported) != 1:
        raise Failed(f"xcodebuild exported {len(exported)} IPAs, not one: see the log beside {ipa}")
    shutil.make_archive(str(ipa.with_suffix(".dSYMs")), "zip", place.archive / "dSYMs")
    shutil.move(exported[0], ipa)


# And back.


@contextlib.contextmanager
def _cleaned_up(place: Place, checkout: str) -> Iterator[None]:
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _clean_up(place, checkout)


def _clean_up(place: Place, checkout: str) -> None:
    """Remove the profile, the keychain, the checkout and the folder: those of a run that was killed just as well."""
    if place.installed.exists():
        for path in place.installed.read_text(encoding="utf-8").splitlines():
            Path(path).unlink(missing_ok=True)
    if place.keychain.exists():
        others = [each for each in _keychains() if Path(each).resolve() != place.keychain.resolve()]
        _security("list-keychains", "-d", "user", "-s", *others)
        _security("delete-keychain", str(place.keychain))
    shutil.rmtree(place.folder, ignore_errors=True)
    _git(checkout, "worktree", "prune")


# Programs.


def _require_macos() -> None:
    missing = [program for program in ("xcodebuild", "security", "git") if shutil.which(program) is None]
    if missing:
        raise Failed(
            f"{' and '.join(missing)} missing: an archive is made on macOS with Xcode. Elsewhere, give an IPA that was made "
            "there in solos:ipa, and take solos:xcode.commit out"
        )


def _git(folder: str, *arguments: str) -> str | None:
    """What git prints; None when it says no."""
    done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _security(*arguments: str) -> str:
    done = subprocess.run(["security", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"security {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def _security_told(*commands: str) -> None:
    """Commands with secrets in them, given to `security` where nobody sees them. What it answers may repeat them."""
    told = "".join(f"{command}\n" for command in commands)
    subprocess.run(["security", "-i"], input=told, capture_output=True, text=True, check=False)


def _keychains() -> list[str]:
    return [line.strip().strip('"') for line in _security("list-keychains", "-d", "user").splitlines() if line.strip()]


def _run(command: Sequence[str], folder: Path, log: TextIO) -> None:
    """Run a long program into the log, and end it, with all that it has started, when nobody waits for it any more."""
    parent = os.getppid()
    program = subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        while True:
            try:
                code = program.wait(timeout=1)
                break
            except subprocess.TimeoutExpired:
                if os.getppid() != parent:
                    raise Failed("the launch was interrupted, and the archive with it") from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program.pid, signal.SIGTERM)
    if code:
        raise Failed(f"{' '.join(command[:2])} ended with status {code}; the end of its log:\n{_end_of(log)}")


def _end_of(log: TextIO) -> str:
    lines = Path(log.name).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-TOLD_LINES:])


def _write_privately(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def _say(step: str) -> None:
    """Shown by `pulumi up` at once: an archive takes minutes."""
    print(step, flush=True)


def _stop(number: int, _frame: object) -> None:
    raise Failed(f"stopped by signal {number}")


if __name__ == "__main__":
    sys.exit(main())
