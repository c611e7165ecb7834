"""The workflows are valid, pin their actions, and refer to secrets by name only."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.needs import find, needs

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
README = (ROOT / ".github" / "workflows" / "README.md").read_text(encoding="utf-8")
COMMENTS = {"contents": "read", "pull-requests": "write"}
by_file = pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)


def steps(workflow: Path) -> list[dict[str, Any]]:
    document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    return [step for job in document["jobs"].values() for step in job["steps"]]


@needs("actionlint")
def test_actionlint_passes() -> None:
    found = subprocess.run([str(find("actionlint")), *WORKFLOWS], capture_output=True, text=True, check=False)

    assert found.stdout == ""


def test_zizmor_passes() -> None:
    zizmor = Path(sys.prefix, "bin", "zizmor")
    found = subprocess.run([zizmor, "--offline", *WORKFLOWS], capture_output=True, text=True, check=False)

    assert found.returncode == 0, found.stdout


@by_file
def test_pull_requests_see_little(workflow: Path) -> None:
    """A pull request runs its own code, and its own version of the workflow."""
    text = workflow.read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    environments = {str(job.get("environment")) for job in document["jobs"].values()}

    assert "pull_request_target" not in text
    if "pull_request" in document[True]:  # YAML reads `on` as true.
        assert environments <= {"None", "pull-request"}
        assert not re.search(r"secrets\.(FLY|ASC|SOLMOBILE)_", text)
    else:
        assert "pull-request" not in environments


@by_file
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    lines = [line for line in workflow.read_text(encoding="utf-8").splitlines() if "uses:" in line]

    assert [line for line in lines if not re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)] == []


@by_file
def test_make_targets_exist(workflow: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    called = {match for step in steps(workflow) for match in re.findall(r"make ([a-z-]+)", step.get("run", ""))}

    assert called <= targets


@by_file
def test_readme_documents_workflow_and_secrets(workflow: Path) -> None:
    named = set(re.findall(r"\b(?:secrets|vars)\.([A-Z_]+)", workflow.read_text(encoding="utf-8")))

    assert f"`{workflow.name}`" in README
    assert {name for name in named if f"`{name}`" not in README} == set()


@by_file
def test_token_can_write_comments_only(workflow: Path) -> None:
    document = yaml.safe_load(workflow.read_text(encoding="utf-8"))
    of_jobs = [job["permissions"] for job in document["jobs"].values() if "permissions" in job]

    assert document["permissions"] == {"contents": "read"}
    assert all(permissions in ({"contents": "read"}, COMMENTS) for permissions in of_jobs)
