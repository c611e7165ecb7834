"""What a stack says about its launch: the smoke test's sign-offs, waivers, who declares it, and the releases before it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from checklist.rows import waiver_problem
from components.config import StackConfig
from components.launch import smoke_test
from components.launch.smoke_test import SmokeTest
from components.release import Release
from components.testflight.settings import IosSettings
from providers.checks.launch_record import Waiver

PLAN = "infra-docs/smoke-test.toml"
EARLIER = re.compile(r"launched|withdrawn: (?P<why>\S.*)")
"""What can be said of an earlier release."""


@dataclass(frozen=True, kw_only=True)
class LaunchSettings:
    smoke_test: SmokeTest
    waivers: Mapping[str, Waiver]
    declared_by: str
    """Who says that it is launched; empty as long as nobody does."""
    withdrawn: str
    """Why it is not any more; empty as long as it is."""
    earlier: Mapping[str, str]
    """Why each earlier release was withdrawn, by label; empty for one that was not. Their records are kept."""


def read_launch(config: StackConfig, release: Release, ios: IosSettings, folder: Path) -> LaunchSettings:
    """The settings; what is wrong with them is noted in `config`."""
    features, problems = smoke_test.read_plan(folder / config.text("smokeTest", PLAN))
    config.refuse_all("smokeTest", problems)
    test = SmokeTest(
        features=features,
        testers=[tester.email for tester in ios.testers],
        sign_offs=config.nested("signOffs"),
    )
    for place, problem in test.problems() if features else ():
        config.refuse(f"signOffs.{place}", problem)
    waivers = {}
    for row, given in config.nested("waivers").items():
        waivers[row] = Waiver(reason=given.get("reason", ""), by=given.get("by", ""))
        if problem := waiver_problem(row):
            config.refuse(f"waivers.{row}", problem)
        if set(given) != {"reason", "by"} or not all(given.values()):
            config.refuse(f"waivers.{row}", "needs a `reason` and, in `by`, the name of who waives it")
    earlier = {}
    for label, said in config.table("earlierReleases").items():
        told = EARLIER.fullmatch(said)
        earlier[label] = (told and told["why"]) or ""
        if not told:
            config.refuse(f"earlierReleases.{label}", f"must be 'launched' or 'withdrawn: WHY', not {said!r}")
        if label == release.label:
            config.refuse(f"earlierReleases.{label}", "is this release, solos:label: take it out, or change the label")
    settings = LaunchSettings(
        smoke_test=test,
        waivers=waivers,
        declared_by=config.text("declaredBy", ""),
        withdrawn=config.text("withdrawn", ""),
        earlier=earlier,
    )
    if settings.withdrawn and not settings.declared_by:
        config.refuse(
            "withdrawn", "has nothing to withdraw: solos:declaredBy is empty; put back who declared the launch"
        )
    return settings
