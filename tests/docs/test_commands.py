"""Every command of `fly` and `pulumi` that a document names is one that the program has, with those flags. Nothing is run: the
program is asked for its help, which it refuses for a flag or a command that it does not know."""

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
    """The commands of the documents, once each, without what is piped or substituted into them."""
    begun = re.compile(rf"(?:^|[`(|;&] ?|\$ )({program} [a-z].*?)(?=$|[`|;)]| && | # | > | < )", re.MULTILINE)
    seen = set()
    for document in DOCUMENTS:
        for code in CODE.findall(document.read_text(encoding="utf-8").replace("\\\n> ", " ")):
            seen |= set(begun.findall(code))
    return iter(sorted(seen))


@pytest.mark.parametrize("program", [pytest.param(each, marks=needs(each)) for each in ("pulumi", "fly")])
def test_each_command_is_one_that_the_program_has(program: str) -> None:
    wrong = []
    for command in named(program):
        try:
            words = shlex.split(command, comments=True)
        except ValueError:
            continue  # A quotation that goes on in another line.
        asked = subprocess.run(
            [*words, "--help"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if asked.returncode or UNKNOWN.search(asked.stdout + asked.stderr):
            wrong.append(f"{command}: {(asked.stderr or asked.stdout).strip().splitlines()[:1]}")

    assert not wrong
