"""Builds a signed IPA from a commit of solmobile, on macOS. This is the archive step of the launch; it also documents the commands.

    .venv/bin/python xcode/archive.py < job.json        # components/testflight/xcode.py writes the job

Its outputs are the IPA, `<name>.dSYMs.zip` and `<name>.log`. The certificate is imported into a temporary keychain, and the profiles
are installed for the duration of the build. Both are removed afterwards, also when the build fails, when a signal stops this script,
and when the program that started it is killed, which this script notices within a second. If this script itself is killed, its next
run starts with the cleanup.

Secrets come through standard input and reach `security` the same way: all users of the machine can read the arguments of a process.
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
"""The commit to archive must be on one of these."""
PROFILES = (
    Path("Library/MobileDevice/Provisioning Profiles"),
    Path("Library/Developer/Xcode/UserData/Provisioning Profiles"),
)
"""Where Xcode looks for profiles, in the home folder: up to version 15, and since version 16."""
LOCK_SECONDS = 21_600
"""The keychain locks itself after six hours without use, which is longer than any archive takes."""
LOG_LINES = 20
"""Number of lines from the end of the log in the error of a failed build."""


class Failed(Exception):
    """The archive failed. The message is one line, with the end of the log if Xcode failed."""


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
    """Files to write into the clean checkout, by path: Release.xcconfig and ExportOptions.plist."""
    ipa: str
    certificate: str
    """PEM."""
    p12: str
    p12_password: str
    profiles: list[tuple[str, str]]
    """UUID and content, in base64, of each provisioning profile: the app's, and one for each extension."""


class TemporaryFolder:
    """Paths in the folder beside the IPA that `_clean_up` removes. Only this user can read it."""

    def __init__(self, ipa: Path) -> None:
        self.folder = ipa.absolute().with_name(f".{ipa.stem}.archive")
        self.source = self.folder / "source"
        self.keychain = self.folder / "signing.keychain-db"
        self.archive = self.folder / "solmobile.xcarchive"
        self.export = self.folder / "export"
        self.installed = self.folder / "installed"
        """The paths at which this run installs profiles, one per line. It is written before them, for the cleanup."""


def main() -> int:
    job = Job(**json.load(sys.stdin))
    ipa = Path(job.ipa)
    temp, log = TemporaryFolder(ipa), ipa.with_suffix(".log")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        _require_macos()
        ipa.parent.mkdir(parents=True, exist_ok=True)
        _clean_up(temp, job.checkout)
        with _cleaned_up(temp, job.checkout), log.open("w", encoding="utf-8") as output:
            _report(f"checking out {job.commit[:12]} of {job.checkout}")
            _check_out(job, temp)
            _report("importing the certificate and installing the profiles")
            _import_certificate(job, temp)
            _install_profiles(job, temp)
            _report(f"archiving {job.scheme}; the log is {log}")
            _archive(job, temp, output)
            _report("exporting the IPA")
            _export(job, temp, output)
            _deliver(temp, ipa)
    except Failed as failed:
        print(f"error: {failed}", file=sys.stderr)
        return 1
    _report(f"built {ipa}")
    return 0


# The steps.


def _check_out(job: Job, temp: TemporaryFolder) -> None:
    """Check the commit out into a new worktree, without uncommitted changes and untracked files of the checkout."""
    temp.folder.mkdir(mode=0o700)
    commit = _git(job.checkout, "rev-parse", "--verify", "--quiet", f"{job.commit}^{{commit}}")
    if commit is None:
        raise Failed(f"{job.checkout} has no commit {job.commit}: run `git -C {job.checkout} fetch`, then `pulumi up`")
    if all(_git(job.checkout, "merge-base", "--is-ancestor", commit, branch) is None for branch in BRANCHES):
        raise Failed(f"commit {job.commit} is not on main: merge it, or set `xcode.commit` to one that is")
    if _git(job.checkout, "worktree", "add", "--quiet", "--detach", str(temp.source), commit) is None:
        raise Failed(
            f"git cannot create a worktree of {job.commit} in {job.checkout}: see `git -C {job.checkout} worktree list`"
        )
    if (temp.source / ".gitmodules").exists() and (
        _git(str(temp.source), "submodule", "update", "--quiet", "--init", "--recursive") is None
    ):
        raise Failed(f"git cannot fetch the submodules of {job.commit}")
    for name, content in job.files.items():
        path = temp.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _import_certificate(job: Job, temp: TemporaryFolder) -> None:
    """Import it into a temporary keychain that codesign can use without a prompt, and add that to the search list."""
    p12 = temp.folder / "distribution.p12"
    _write_privately(p12, base64.b64decode(job.p12))
    password = secrets.token_hex(24)
    _security_stdin(
        f'create-keychain -p {password} "{temp.keychain}"',
        f'set-keychain-settings -l -u -t {LOCK_SECONDS} "{temp.keychain}"',
        f'unlock-keychain -p {password} "{temp.keychain}"',
        f'import "{p12}" -f pkcs12 -k "{temp.keychain}" -P "{job.p12_password}"'
        " -T /usr/bin/codesign -T /usr/bin/security",
        f'set-key-partition-list -S apple-tool:,apple:,codesign: -s -k {password} "{temp.keychain}"',
    )
    p12.unlink()
    _security("list-keychains", "-d", "user", "-s", str(temp.keychain), *_keychains())
    # `security -i` continues after a failed command and exits with 0, so check the result.
    digest = hashlib.sha1(ssl.PEM_cert_to_DER_cert(job.certificate)).hexdigest().upper()  # noqa: S324 (a name, not a proof)
    if digest not in _security("find-identity", "-p", "codesigning", str(temp.keychain)):
        raise Failed("`security` did not import the distribution certificate: is the login keychain locked?")
    if digest not in _security("find-identity", "-v", "-p", "codesigning", str(temp.keychain)):
        raise Failed(
            "macOS does not trust the distribution certificate: install Apple's intermediate certificate (WWDR) from "
            "https://www.apple.com/certificateauthority, or start Xcode once, which installs it"
        )


def _install_profiles(job: Job, temp: TemporaryFolder) -> None:
    wanted = {
        Path.home() / folder / f"{uuid}.mobileprovision": content
        for folder in PROFILES
        for uuid, content in job.profiles
    }
    missing = {path: content for path, content in wanted.items() if not path.exists()}
    temp.installed.write_text("".join(f"{path}\n" for path in missing), encoding="utf-8")
    for path, content in missing.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_privately(path, base64.b64decode(content))


def _archive(job: Job, temp: TemporaryFolder, log: TextIO) -> None:
    kind, container = job.container
    _run(
        [
            *("xcodebuild", "archive", f"-{kind}", container, "-scheme", job.scheme),
            *("-configuration", "Release", "-destination", "generic/platform=iOS"),
            *("-archivePath", str(temp.archive), "-derivedDataPath", str(temp.folder / "derived")),
        ],
        temp.source,
        log,
    )


def _export(job: Job, temp: TemporaryFolder, log: TextIO) -> None:
    _run(
        [
            *("xcodebuild", "-exportArchive", "-archivePath", str(temp.archive), "-exportPath", str(temp.export)),
            *("-exportOptionsPlist", job.export_options),
        ],
        temp.source,
        log,
    )


def _deliver(temp: TemporaryFolder, ipa: Path) -> None:
    exported = sorted(temp.export.glob("*.ipa"))
    if len(exported) != 1:
        raise Failed(f"xcodebuild exported {len(exported)} IPAs, not one: see the log beside {ipa}")
    shutil.make_archive(str(ipa.with_suffix(".dSYMs")), "zip", temp.archive / "dSYMs")
    shutil.move(exported[0], ipa)


# Cleanup.


@contextlib.contextmanager
def _cleaned_up(temp: TemporaryFolder, checkout: str) -> Iterator[None]:
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _clean_up(temp, checkout)


def _clean_up(temp: TemporaryFolder, checkout: str) -> None:
    """Remove the profiles, the keychain, the worktree and the folder, also those that a killed run left."""
    if temp.installed.exists():
        for path in temp.installed.read_text(encoding="utf-8").splitlines():
            Path(path).unlink(missing_ok=True)
    if temp.keychain.exists():
        others = [keychain for keychain in _keychains() if Path(keychain).resolve() != temp.keychain.resolve()]
        _security("list-keychains", "-d", "user", "-s", *others)
        _security("delete-keychain", str(temp.keychain))
    shutil.rmtree(temp.folder, ignore_errors=True)
    _git(checkout, "worktree", "prune")


# Programs.


def _require_macos() -> None:
    missing = [program for program in ("xcodebuild", "security", "git") if shutil.which(program) is None]
    if missing:
        raise Failed(
            f"not installed: {' and '.join(missing)}; archiving needs macOS with Xcode. On another computer, put an IPA that was "
            "built there at `ipa`, and remove `xcode.commit`"
        )


def _git(folder: str, *arguments: str) -> str | None:
    """The output of git; None if it fails."""
    done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _security(*arguments: str) -> str:
    done = subprocess.run(["security", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"security {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout


def _security_stdin(*commands: str) -> None:
    """Run commands that contain secrets, through standard input. The output is dropped, because it can repeat them."""
    text = "".join(f"{command}\n" for command in commands)
    subprocess.run(["security", "-i"], input=text, capture_output=True, text=True, check=False)


def _keychains() -> list[str]:
    return [line.strip().strip('"') for line in _security("list-keychains", "-d", "user").splitlines() if line.strip()]


def _run(command: Sequence[str], folder: Path, log: TextIO) -> None:
    """Run a program, with its output in the log. When the parent of this script exits, end the program and its children."""
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
                    raise Failed("the launch was interrupted, so the archive was stopped") from None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(program.pid, signal.SIGTERM)
    if code:
        raise Failed(f"{' '.join(command[:2])} failed with status {code}; the end of its log:\n{_end_of(log)}")


def _end_of(log: TextIO) -> str:
    lines = Path(log.name).read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-LOG_LINES:])


def _write_privately(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def _report(step: str) -> None:
    """Print a step. It is flushed so that `pulumi up` shows it at once: an archive takes minutes."""
    print(step, flush=True)


def _stop(number: int, _frame: object) -> None:
    raise Failed(f"stopped by signal {number}")


if __name__ == "__main__":
    sys.exit(main())
