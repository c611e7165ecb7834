"""The computer at hand: what runs the launch, room on the disk, and the clock, by which tokens are dated."""

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

TRIED = (3, 260)
"""The version of the CLI that this program is tried with."""
LEAST_BYTES, FEW_BYTES = 200_000_000, 2_000_000_000
"""What an archive and its IPA need to fit at all, and to fit well."""
SKEW_SECONDS = 60.0
"""Apple refuses tokens of a clock that is further off; half of it is worth a word."""
ANY_STATUS = tuple(range(200, 600))
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def cli(subject: Subject) -> Iterator[Finding]:
    found = shutil.which("pulumi")
    if found is None and is_rehearsed(subject):
        yield ok("not installed; the embedded engine stands in for it, as all endpoints are on this computer")
    elif found is None:
        yield blocked("not installed", "install it from https://www.pulumi.com/docs/install/")
    else:
        yield _judged(_version(found))


def _version(program: str) -> str:
    return subprocess.run([program, "version"], capture_output=True, text=True, check=False, timeout=20).stdout.strip()


def _judged(told: str) -> Finding:
    number = re.match(r"v?(\d+)\.(\d+)", told)
    version = (int(number[1]), int(number[2])) if number else (0, 0)
    tried = ".".join(map(str, TRIED))
    update = "update it: https://www.pulumi.com/docs/install/"
    if version[0] != TRIED[0]:
        return blocked(f"{told or 'its version cannot be told'}; this program is written for {TRIED[0]}.x", update)
    return ok(told) if version >= TRIED else warning(f"{told}; this program is tried with {tried} and later", update)


def stack(subject: Subject) -> Iterator[Finding]:
    """Whether the CLI can run anything with the stack."""
    problem, name = subject.stack.problem, subject.stack.name
    if not problem:
        made = sum(len(ids) for ids in subject.stack.made.values())
        yield ok(f"{name}: {f'{made} resources in its state' if made else 'new, nothing in its state'}")
    elif is_rehearsed(subject):
        yield warning(
            f"the CLI says: {problem}",
            "`make rehearse` needs no CLI; for the CLI, `pulumi login` and `pulumi stack init`",
        )
    else:
        yield blocked(
            f"the CLI says: {problem}",
            f"`pulumi login` to the team's backend; for a new stack, `pulumi stack init {name}`",
        )


def disk(subject: Subject) -> Iterator[Finding]:
    free = shutil.disk_usage(subject.stack.folder).free
    text, remedy = f"{free / 1e9:.1f} GB free", "make room: an archive, its IPA and the state have to fit"
    if free < LEAST_BYTES:
        yield blocked(text, remedy)
    elif free < FEW_BYTES:
        yield warning(text, remedy)
    else:
        yield ok(text)


def clock(subject: Subject) -> Iterator[Finding]:
    """Against the clocks of both vendors, by the Date of an answer."""
    for service, base, path in (
        ("App Store Connect", configuration.endpoint(subject.config, "appstore", APPSTORE_API), "/v1/apps"),
        ("Fly", configuration.endpoint(subject.config, "fly", MACHINES_API), "/v1/platform/regions"),
    ):
        yield _compared(service, base, path)


def _compared(service: str, base: str, path: str) -> Finding:
    def unexplained(response: object, doing: str) -> ProviderError:
        return ApiError(f"{service} refused to {doing}", status=0)

    line = Http(base, service=service, authorize=lambda _again: "", explain=unexplained)
    try:  # Without a token: any refusal has a date.
        answer = line.request("GET", path, doing="ask what time it is", accept=ANY_STATUS, seconds=10.0)
    except Unreachable as error:
        return blocked(
            str(error), f"look whether {urlsplit(base).hostname} can be reached from here, through a proxy say"
        )
    date = answer.headers.get("date")
    if not date:
        return warning(f"{service} does not say what time it is")
    ahead = waiting.clock.wall() - email.utils.parsedate_to_datetime(date).timestamp()
    text = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} {service}'s"
    if abs(ahead) > SKEW_SECONDS:
        return blocked(
            text, "set it right (`timedatectl set-ntp true`, or the system settings): tokens are dated by it"
        )
    if abs(ahead) > SKEW_SECONDS / 2:
        return warning(text, "let the network set it: at a minute Apple refuses every token")
    return ok(f"as {service}'s")


def archive(subject: Subject) -> Iterator[Finding]:
    """Whether the program that builds the IPA is here."""
    ios = subject.settings.ios
    if not ios.is_archived:
        yield ok("the IPA is there already: solos:archive is empty")
        return
    key, command = ("archive", ios.archive) if ios.archive else ("xcode.commit", "xcodebuild")
    program = next(iter(shlex.split(command)), "")
    if shutil.which(program, path=None) or (subject.stack.folder / program).exists():
        yield ok(f"`{command}` builds the IPA, in `up`")
    else:
        yield blocked(
            f"solos:{key} begins with {program!r}, which is no program of this computer",
            f"run this where it is (xcodebuild: macOS with Xcode), or empty solos:{key} and bring the IPA along",
        )


def is_rehearsed(subject: Subject) -> bool:
    """Whether every endpoint is on this computer."""
    endpoints = json.loads(subject.stack.values.get("solos:endpoints") or "{}")
    return bool(endpoints) and all(urlsplit(str(url)).hostname in LOOPBACK for url in endpoints.values())
