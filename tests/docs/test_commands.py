"""Every `fly` and `pulumi` command in the documents exists, with its flags.

Runs each with `--help`, which fails for an unknown command or flag, and runs nothing else.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator

import pytest

from harness.program import ROOT
from tests.needs import needs

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "infra-docs").glob("*.md"))]
CODE = re.compile(r"```(?!toml|yaml|dockerfile|logql).*?```|`[^`]+`", re.DOTALL)
UNKNOWN = re.compile(r"unknown (?:flag|shorthand flag|command)|^Error: .*invalid", re.MULTILINE)


def named(program: str) -> Iterator[str]:
    """The distinct commands in the documents, without pipes and substitutions."""
    begun = re.compile(rf"(?:^|[`(|;&] ?|\$ )({program} [a-z].*?)(?=$|[`|;)]| && | # | > | < )", re.MULTILINE)
    seen = set()
    for document in DOCUMENTS:
        for code in CODE.findall(document.read_text(encoding="utf-8").replace("\\\n> ", " ")):
            for text in (code, re.sub(r"\$\([^()]*\)", "SUBSTITUTED", code)):
                seen |= {command for command in begun.findall(text) if "$(" not in command}
    return iter(sorted(seen))


@pytest.mark.parametrize("program", [pytest.param(name, marks=needs(name)) for name in ("pulumi", "fly")])
def test_commands_exist(program: str) -> None:
    wrong = []
    for command in named(program):
        try:
            words = shlex.split(command, comments=True)
        except ValueError:
            continue  # a quoted string that spans lines
        asked = subprocess.run(
            [*words, "--help"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if asked.returncode or UNKNOWN.search(asked.stdout + asked.stderr):
            wrong.append(f"{command}: {(asked.stderr or asked.stdout).strip().splitlines()[:1]}")

    assert not wrong


def test_tokens_are_quoted() -> None:
    """A token of Fly can have a space, where a shell would split it."""
    sources = [*DOCUMENTS, *(ROOT / "providers").rglob("*.py"), *(ROOT / "rehearsal").rglob("*.py")]

    unquoted = [
        f"{source.relative_to(ROOT)}: {line.strip()}"
        for source in sources
        for line in source.read_text(encoding="utf-8").splitlines()
        if re.search(r"export FLY_API_TOKEN=(?!\\?\")", line)
    ]

    assert unquoted == []
