"""What a check finds, and how checks are run: side by side, each by itself, and given up in the end."""

import re
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from pulumi.dynamic import Config

from components.config import SettingProblem
from components.settings import Settings
from preflight.stack import StackView
from providers.errors import ProviderError

SECONDS = 20.0
"""When a check is given up. The vendors answer within one or two; the clients go on trying for longer."""

REFUSED = re.compile(r"(?P<text>.*?HTTP \d+[^;]*); (?P<remedy>.*)", re.DOTALL)
"""How the clients' errors are made: what happened, then what to do."""


class Verdict(Enum):
    OK = "ok"
    WARNING = "warning"
    """It may go well."""
    BLOCKED = "blocked"
    """`up` would stop there."""


@dataclass(frozen=True)
class Finding:
    """One row. `remedy` says what to do; it is empty when nothing has to be done, or when `text` says it."""

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
    """What is looked at. `settings` are as far as they could be read; `problems` say what is wrong with them."""

    stack: StackView
    settings: Settings
    problems: Sequence[SettingProblem]
    config: Config
    """The same as the engine would give it to providers."""


Check = Callable[[Subject], Iterator[Finding]]


class NotLookedAt(ProviderError):
    """The check needs what another one has found missing; the text is that other one's name."""

    __module__ = "builtins"


def run(checks: Mapping[str, Check], subject: Subject, seconds: float = SECONDS) -> dict[str, list[Finding]]:
    """The findings of all checks by name, in the order of `checks`. What one does never hides another."""
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
            f"no answer within {seconds:g} s",
            "look at the network and at the vendors' status pages, then run this again",
        )
    ]
    return {name: findings.get(name, late) for name in checks}


def _found(check: Check, subject: Subject) -> list[Finding]:
    try:
        return list(check(subject))
    except NotLookedAt as needs:
        return [blocked("cannot be looked at", f"see to the row {needs!s} first")]
    except ProviderError as error:
        told = REFUSED.fullmatch(str(error))
        return [blocked(told["text"], told["remedy"]) if told else blocked(str(error))]
    except Exception as defect:  # noqa: BLE001 (one check must not hide the others)
        place = traceback.extract_tb(defect.__traceback__, limit=-1)[0]
        text = f"{type(defect).__name__}: {defect} (a defect, at {place.filename}:{place.lineno})"
        return [blocked(text, "please report it with this line")]
