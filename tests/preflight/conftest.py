"""A stack that is ready for its first `up`, with doubles that accept everything; and its preflight findings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.driver import Driven
from harness.inprocess import control
from harness.program import CONFIG, IMAGE, create_project, engine_config
from preflight.__main__ import CHECKS
from preflight.finding import Finding, examine, run
from preflight.stack import StackView
from providers.appstore.bundle_id import BundleIdProvider
from rehearsal.cloud.world import World
from tests.fly.conftest import as_fly_describes_it

__all__ = ["as_fly_describes_it"]
ROOT = Path(__file__).resolve().parents[2]
BUNDLE_ID, APP = "com.sollabs.solos", "solos-prod"


@dataclass
class Preflight:
    """`folder` is the project's, `values` is the stack's configuration, without prefix; `resource_ids` are those in its state."""

    folder: Path
    values: dict[str, Any]
    secrets: set[str]
    resource_ids: dict[str, frozenset[str]] = field(default_factory=dict)
    claimed: dict[str, str] = field(default_factory=dict)
    build: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    def __call__(self) -> Mapping[str, list[Finding]]:
        """All findings, by row."""
        secret_keys = frozenset(f"solos:{key}" for key in self.secrets)
        stack = StackView(
            name="prod",
            project="solos",
            folder=self.folder,
            values=engine_config(self.values),
            secret_keys=secret_keys,
            resource_ids=self.resource_ids,
            claimed=self.claimed,
            build=self.build,
            problem=self.problem,
        )
        return run({name: check for group in CHECKS.values() for name, check in group.items()}, examine(stack))

    def row(self, name: str) -> list[Finding]:
        return self()[name]


@pytest.fixture
def preflight(
    world: World,
    settings: dict[str, Any],
    configured: Callable[[Any], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Preflight:
    create_project(tmp_path / "project")
    control(world, "POST", "/fly/images", {"reference": IMAGE})
    for tester in CONFIG["testers"]:
        control(world, "POST", "/appstore/users", tester)
    Driven(configured(BundleIdProvider)).up(identifier=BUNDLE_ID, name="SolOS")
    control(
        world, "POST", "/appstore/apps", {"bundleId": BUNDLE_ID, "name": "SolOS", "sku": "S", "primaryLocale": "en"}
    )
    world.clock.sleep(60)
    monkeypatch.setattr("preflight.computer.shutil.which", lambda program, **_: f"/bin/{program}")
    monkeypatch.setattr("preflight.computer._version", lambda program: "v3.260.0")
    secrets = {"flyApiToken", "ascKeyId", "ascIssuerId", "ascPrivateKey", "betterStackApiToken", "monitoringSecrets"}
    monitoring = {"page": "webhook", "logs": "false"}
    receivers = {"page": "https://pager.example", "heartbeat": "https://switch.example", "metricsToken": "fm2_readonly"}
    given = {
        "app": APP,
        "bundleId": BUNDLE_ID,
        "uniqueNames": "false",
        "waitForAppRecord": "0",
        "archive": "xcodebuild",
    }
    monitor = {"monitoring": monitoring, "monitoringSecrets": receivers}
    return Preflight(tmp_path / "project", CONFIG | given | monitor | settings, secrets)
