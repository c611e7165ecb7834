"""A damaged IPA is refused with one line, in little memory and time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.appstore import BUNDLE_ID
from providers.appstore.ipa import plist
from providers.appstore.ipa.reader import inspect
from providers.errors import ProviderError
from rehearsal.standins import ipa as standin
from tests.appstore import damaged

ROOT = Path(__file__).parents[2]


def test_damaged_ipas(tmp_path: Path) -> None:
    """A thousand of them, from a fixed seed: none raises anything but a ProviderError."""
    command = [sys.executable, "-m", "tests.appstore.damaged", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["failures"] == []
    assert report["cases"] == damaged.CASES
    assert 100 < report["refused"] < 900, "some are refused, and some are inspected"
    assert report["peak"] < 256 << 20
    assert report["slowest"] < 2


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (damaged.deep_xml(40), "nested more than 32 levels deep"),
        (damaged.shared_lists(30), "has more than 100000 values"),
        (damaged.one_place(1000), "is not a property list"),
        (damaged.long_number(), "is not a property list"),
        (damaged.objects_without_end(), "is not a property list"),
        (bytes(plist.MAX_BYTES + 1), "larger than 1024 KiB"),
    ],
    ids=["deep", "shared lists", "one place", "long number", "no end", "large"],
)
def test_property_list_limits(tmp_path: Path, content: bytes, fault: str) -> None:
    files = {"Info.plist": content}
    path = standin.write(tmp_path / "app.ipa", bundle_id=BUNDLE_ID, version="1.0.0", build="0", files=files)

    with pytest.raises(ProviderError, match=f"app.ipa is not a valid IPA: .*{fault}.*; export it again"):
        inspect(path)
