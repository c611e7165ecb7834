"""The rehearsal proves the runbook only if its key has the role that the runbook names."""

import re
from pathlib import Path

from rehearsal.__main__ import ROLE

RUNBOOK = Path(__file__).parents[2] / "infra-docs" / "PRODUCTION_DEPLOYMENT.md"


def test_role_of_rehearsal() -> None:
    (row,) = re.findall(r"^\| `ASC_KEY_ID`.*", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)

    assert f"the role {ROLE.replace('_', ' ').title()} " in row
