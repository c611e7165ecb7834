"""Files, sections and Makefile targets that the documents refer to exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "infra-docs").rglob("*.md")])
FOLDERS = "adoption|bench|checklist|compare|components|documents|harness|infra-docs|monitoring|preflight|project|providers|rehearsal|report|tests|xcode"


def of(document: Path, pattern: str) -> Iterator[re.Match[str]]:
    return re.finditer(pattern, document.read_text(encoding="utf-8"))


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings."""
    headings = (match[1].lower() for match in of(document, r"(?m)^#+ (.+)$"))
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_resolve(document: Path) -> None:
    broken = []
    for match in of(document, r"\]\((?!https?://|\$)([^)#\s]*)(?:#([^)\s]+))?\)"):
        target = (document.parent / match[1]) if match[1] else document
        if not target.exists() or (match[2] and match[2] not in anchors(target)):
            broken.append(match[0])

    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_exist(document: Path) -> None:
    named = {match[1] for match in of(document, rf"`((?:{FOLDERS})/[\w./-]*)`")}

    assert sorted(path for path in named if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(document: Path) -> None:
    targets = {match[1] for match in of(ROOT / "Makefile", r"(?m)^([a-z-]+):")}
    named = {match[1] for match in of(document, r"(?:`|^    |^)make ([a-z-]+)")}

    assert sorted(named - targets) == []
