"""Findings of checks, and how checks run: in parallel, isolated from each other, with a time limit."""

import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from pulumi.dynamic import Config

from components.config import SettingProblem
from components.settings import BadSettings, Settings
from components.settings import read as read_settings
from preflight.stack import StackView
from providers.appstore.ipa import versions
from providers.errors import ProviderError

SECONDS = 20.0
"""Time limit of all checks. The vendors respond within two seconds, but the clients retry for longer than this."""


class Verdict(Enum):
    OK = "ok"
    WARNING = "warning"
    """`up` may still succeed."""
    BLOCKED = "blocked"
    """`up` would fail."""


@dataclass(frozen=True)
class Finding:
    """A row of the table. `remedy` is empty if there is nothing to do, or if `text` says what to do."""

    verdict: Verdict
    text: str
    remedy: str = ""


def ok(text: str) -> Finding:
    return Finding(Verdict.OK, text)


def warning(text: str, remedy: str = "") -> Finding:
    return Finding(Verdict.WARNING, text, remedy)


def blocked(text: str, remedy: str = "") -> Finding:
    return Finding(Verdict.BLOCKED, text, remedy)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The stack to check. `settings` are what could be read; `problems` say what is wrong with them."""

    stack: StackView
    settings: Settings
    problems: Sequence[SettingProblem]
    config: Config
    """The configuration as the engine passes it to providers."""

    @property
    def is_uploaded(self) -> bool:
        """Whether this stack has uploaded the build with this version and build number."""
        uploaded = str(self.stack.build.get("short_version")), str(self.stack.build.get("version"))
        wanted = self.settings.release.version, self.settings.release.build
        return all(map(versions.is_build, (*uploaded, *wanted))) and (
            [*map(versions.ordering, uploaded)] == [*map(versions.ordering, wanted)]
        )


def examine(stack: StackView) -> Subject:
    """The subject of the checks, with the problems of its settings, if any."""
    problems: tuple[SettingProblem, ...] = ()
    try:
        settings = read_settings(stack.values, stack.secret_keys, stack.folder, stack.project, stack.file)
    except BadSettings as bad:
        settings, problems = bad.settings, bad.problems
    return Subject(stack=stack, settings=settings, problems=problems, config=Config(dict(stack.values), stack.project))


Check = Callable[[Subject], Iterator[Finding]]


SETTINGS = "Settings"
"""The row of the settings: it reports those that another check cannot use."""


class NotChecked(ProviderError):
    """The check needs the result of another one, which failed; the message is the name of that one."""

    __module__ = "builtins"


def run(checks: Mapping[str, Check], subject: Subject, seconds: float = SECONDS) -> dict[str, list[Finding]]:
    """The findings of all checks by name, in the order of `checks`. A failing check does not affect the others."""
    findings: dict[str, list[Finding]] = {}
    threads = [
        threading.Thread(
            target=lambda name=name, check=check: findings.update({name: _found(check, subject)}), daemon=True
        )
        for name, check in checks.items()
    ]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = [
        blocked(
            f"no response within {seconds:g} s",
            "check the network and the vendors' status pages, then run this again",
        )
    ]
    return {name: findings.get(name, late) for name in checks}


def _found(check: Check, subject: Subject) -> list[Finding]:
    try:
        return list(check(subject))
    except NotChecked as needs:
        return [blocked("not checked", f"fix the row {needs!s} first")]
    except ProviderError as error:
        return [blocked(error.message, error.remedy)]
    except Exception as bug:  # noqa: BLE001 (one check must not affect the others)
        place = traceback.extract_tb(bug.__traceback__, limit=-1)[0]
        text = f"{type(bug).__name__}: {bug} (a bug, at {place.filename}:{place.lineno})"
        return [blocked(text, "report it with this line")]
