"""infra-docs/ERRORS.md: every text of an error or a problem, listed from the modules that define them.

Listed are the `ErrorText` and `ProblemText` constants of a module, and the error classes of a vendor that have a remedy.
Values that vary stand in angle brackets.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from types import ModuleType

from providers.errors import ErrorText, ProblemText, ProviderError

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT / "infra-docs" / "ERRORS.md"

PLACES: dict[str, str] = {
    "components": "Settings, refused at preview",
    "adoption": "Adoption of a backend that was created by hand",
    "providers.fly": "Fly.io",
    "providers.appstore": "App Store Connect",
    "providers.checks": "Checks and the launch record",
    "providers": "Any call",
}
"""Headings, by package. A module belongs to the first package that contains it."""

BEFORE = """\
# Every error, and what to do

Each error is one line: what happened, to which object, why, and what to do. Search for a few words of yours; values that vary
stand in angle brackets. The second column is what to do, the third the error's class, or the argument that is wrong, and the
module that reports it. This file is made from the code: `make docs` writes it, and a test fails when it is out of date.

Three kinds of line come from elsewhere: what `pulumi` itself prints (its exit codes: 0 done, 1 failed, 2 wrong usage, 7 changes
where none were expected), what Fly and Apple respond (quoted in ours, with the request id that their support asks for), and what the
server logs.
"""


@dataclass(frozen=True, order=True)
class Row:
    message: str
    remedy: str
    what: str
    """The error's class, or the key of the problem."""
    module: str


def render() -> str:
    """The whole document."""
    rows = sorted(set(listed()))
    sections = []
    for package, heading in PLACES.items():
        lines = "".join(_line(row) for row in rows if _place(row.module) == package)
        sections.append(f"\n## {heading}\n\n| Message | What to do | From |\n| --- | --- | --- |\n{lines}")
    return BEFORE + "".join(sections)


def listed() -> Iterator[Row]:
    """The texts of all modules, unsorted."""
    for module in _modules():
        for value in _defined(module):
            if isinstance(value, ErrorText):
                yield Row(value.message, value.remedy, value.error.__name__, module.__name__)
            elif isinstance(value, ProblemText):
                yield Row(value.message, value.remedy, value.key, module.__name__)
            elif isinstance(value, type) and issubclass(value, ProviderError) and vars(value).get("remedy"):
                yield Row((value.__doc__ or "").strip(), value.remedy, value.__name__, module.__name__)


def _modules() -> Iterator[ModuleType]:
    for name in ("adoption", "components", "providers"):
        package = importlib.import_module(name)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            yield importlib.import_module(found.name)


def _defined(module: ModuleType) -> Iterator[object]:
    """What a module defines, without its imports. The names come from its source, because `__module__` of an error is "builtins"."""
    source = Path(module.__file__ or "").read_text(encoding="utf-8")
    for name in re.findall(r"^(?:class )?(\w+)(?= = |[(:])", source, re.MULTILINE):
        yield vars(module).get(name)


def _place(module: str) -> str:
    return next(package for package in PLACES if f"{module}.".startswith(f"{package}."))


def _line(row: Row) -> str:
    message, remedy, what = (_cell(text) for text in (row.message, row.remedy, row.what))
    return f"| {message} | {remedy} | {what}, `{row.module}` |\n"


def _cell(text: str) -> str:
    parts = Formatter().parse(" ".join(text.split()))
    named = "".join(
        literal if field is None else f"{literal}<{field.replace('_', ' ')}>" for literal, field, *_ in parts
    )
    return named.replace("|", "\\|").replace("<", "\\<")
