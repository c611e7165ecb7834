"""The table of folders in CONTRIBUTING.md: it lists every folder with code, and each imports only what its row allows."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = subprocess.check_output(["git", "ls-files", "*.py"], cwd=ROOT, text=True).splitlines()
FOLDERS = {Path(file).parts[0] for file in FILES}
ROW = re.compile(r"^\| (`[^|]+`) \|[^|]+\|([^|]*)\|$", re.MULTILINE)


def rows() -> dict[str, set[str]]:
    """What each folder may import besides itself: other folders, or with `/*.py` only the modules directly in a folder."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("## Code layout")[2].partition("\n## ")[0]
    return {
        folder: set(re.findall(r"`([^`]+)`", allowed))
        for folders, allowed in ROW.findall(table)
        for folder in re.findall(r"`([^`]+)`", folders)
    }


def imported(file: str) -> Iterator[str]:
    """The modules of this repository that a file imports, as paths."""
    for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
        yield from (name.replace(".", "/") for name in names if name.partition(".")[0] in FOLDERS)


def is_allowed(module: str, allowed: set[str]) -> bool:
    folder, _, rest = module.partition("/")
    return folder in allowed or (f"{folder}/*.py" in allowed and "/" not in rest)


@pytest.mark.parametrize("folder", rows())
def test_imports_are_allowed(folder: str) -> None:
    wrong = [
        f"{file} imports {module}"
        for file in FILES
        if file.startswith(folder)
        for module in imported(file)
        if not f"{module}/".startswith(folder) and not is_allowed(module, rows()[folder])
    ]

    assert wrong == []


def test_every_folder_is_listed() -> None:
    assert {folder.partition("/")[0] for folder in rows()} >= FOLDERS - {"tests"}


def test_providers_name_no_config_key() -> None:
    """Providers do not know the program's settings; texts that name a key belong to a component."""
    named = [file for file in FILES if file.startswith("providers/") and "solos:" in (ROOT / file).read_text()]

    assert named == []
