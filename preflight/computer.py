"""Checks of this computer: the CLI, the stack, disk space, the clock, and the program that builds the IPA."""

import email.utils
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

from preflight.finding import Finding, Subject, blocked, ok, warning
from providers import configuration, waiting
from providers.appstore.api.client import API as APPSTORE_API
from providers.errors import ApiError, ProviderError, Unreachable
from providers.fly.api.client import MACHINES_API
from providers.http import Http

TESTED = (3, 260)
"""The CLI version that this program is tested with."""
MIN_BYTES, LOW_BYTES = 200_000_000, 2_000_000_000
"""Free bytes that an archive and its IPA need, and below which to warn."""
SKEW_SECONDS = 60.0
"""Apple refuses tokens at a larger clock skew; half of it is a warning."""
ANY_STATUS = tuple(range(200, 600))
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def cli(subject: Subject) -> Iterator[Finding]:
    found = shutil.which("pulumi")
    if found is None and is_rehearsed(subject):
        yield ok("not installed; the embedded engine takes its place, since all endpoints are on this computer")
    elif found is None:
        yield blocked("not installed", "install it from https://www.pulumi.com/docs/install/")
    else:
        yield _check_version(_version(found))


def _version(program: str) -> str:
    return subprocess.run([program, "version"], capture_output=True, text=True, check=False, timeout=20).stdout.strip()


def _check_version(printed: str) -> Finding:
    number = re.match(r"v?(\d+)\.(\d+)", printed)
    version = (int(number[1]), int(number[2])) if number else (0, 0)
    tested = ".".join(map(str, TESTED))
    update = "update it: https://www.pulumi.com/docs/install/"
    if version[0] != TESTED[0]:
        return blocked(f"{printed or 'unknown version'}; this program needs {TESTED[0]}.x", update)
    return (
        ok(printed)
        if version >= TESTED
        else warning(f"{printed}; this program is tested with {tested} and later", update)
    )


def stack(subject: Subject) -> Iterator[Finding]:
    """Whether the CLI can use the stack."""
    problem, name = subject.stack.problem, subject.stack.name
    if not problem:
        count = sum(len(ids) for ids in subject.stack.resource_ids.values())
        yield ok(f"{name}: {f'{count} resources in its state' if count else 'new, its state is empty'}")
    elif is_rehearsed(subject):
        yield warning(
            f"the CLI reports: {problem}",
            "`make rehearse` needs no CLI; for the CLI, `pulumi login` and `pulumi stack init`",
        )
    else:
        yield blocked(
            f"the CLI reports: {problem}",
            f"`pulumi login` to the team's backend; for a new stack, `pulumi stack init {name}`",
        )


def disk(subject: Subject) -> Iterator[Finding]:
    free = shutil.disk_usage(subject.stack.folder).free
    text, remedy = f"{free / 1e9:.1f} GB free", "free disk space: the archive, its IPA and the state need it"
    if free < MIN_BYTES:
        yield blocked(text, remedy)
    elif free < LOW_BYTES:
        yield warning(text, remedy)
    else:
        yield ok(text)


def clock(subject: Subject) -> Iterator[Finding]:
    """Compare the clock with the `Date` header of both vendors."""
    for service, base, path in (
        ("App Store Connect", configuration.endpoint(subject.config, "appstore", APPSTORE_API), "/v1/apps"),
        ("Fly", configuration.endpoint(subject.config, "fly", MACHINES_API), "/v1/platform/regions"),
    ):
        yield _compare(service, base, path)


def _compare(service: str, base: str, path: str) -> Finding:
    def unexplained(response: object, doing: str) -> ProviderError:
        return ApiError(f"{service} refused to {doing}", status=0)

    line = Http(base, service=service, authorize=lambda _again: "", explain=unexplained)
    try:  # no token: an error response has a date too
        response = line.request("GET", path, doing="read the time", accept=ANY_STATUS, seconds=10.0)
    except Unreachable as error:
        return blocked(
            error.message, f"check that {urlsplit(base).hostname} can be reached from here, for example through a proxy"
        )
    date = response.headers.get("date")
    if not date:
        return warning(f"the response of {service} has no date")
    ahead = waiting.clock.wall() - email.utils.parsedate_to_datetime(date).timestamp()
    text = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} {service}'s"
    if abs(ahead) > SKEW_SECONDS:
        return blocked(
            text, "set the clock (`timedatectl set-ntp true`, or the system settings): tokens contain the time"
        )
    if abs(ahead) > SKEW_SECONDS / 2:
        return warning(text, "synchronize the clock: Apple refuses tokens at a skew of one minute")
    return ok(f"in sync with {service}")


def archive(subject: Subject) -> Iterator[Finding]:
    """Whether the program that builds the IPA is installed."""
    ios = subject.settings.ios
    if not ios.is_archived:
        yield ok("the IPA is prebuilt: `archive` is empty")
        return
    if subject.is_uploaded:
        yield ok("not needed: the build is uploaded")
        return
    key, command = ("archive", ios.archive) if ios.archive else ("xcode.commit", "xcodebuild")
    program = next(iter(shlex.split(command)), "")
    if shutil.which(program, path=None) or (subject.stack.folder / program).exists():
        yield ok(f"`up` builds the IPA with `{command}`")
    else:
        yield blocked(
            f"`{key}` starts with {program!r}, which is not installed here",
            f"run this where it is installed (xcodebuild: macOS with Xcode), or empty `{key}` and provide the IPA",
        )


def is_rehearsed(subject: Subject) -> bool:
    """Whether every configured endpoint is on this computer, and at least one is configured."""
    endpoints = json.loads(subject.config.get("endpoints") or "{}")
    return bool(endpoints) and all(urlsplit(str(url)).hostname in LOOPBACK for url in endpoints.values())
