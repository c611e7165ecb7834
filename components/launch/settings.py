"""The settings of the launch: sign-offs of the smoke test, waivers, who declares it, and earlier releases."""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import msgspec

from checklist.rows import waiver_problem
from components.config import SettingText, StackConfig
from components.launch import smoke_test
from components.launch.smoke_test import SmokeTest, Tried
from components.release import Release
from components.testflight.settings import IosSettings
from providers.checks.launch_record import Waiver

EARLIER = r"launched|withdrawn: (?P<reason>\S.*)"

NOT_WAIVABLE = SettingText("waivers.{row}", "{problem}")
BAD_WAIVER = SettingText(
    "waivers.{row}", "needs a `reason` and, in `by`, the name of who waives it; `until` is optional"
)
BAD_DATE = SettingText("waivers.{row}.until", "must be a date like 2026-11-29, not {value!r}")
BAD_EARLIER = SettingText("earlierReleases.{label}", "must be 'launched' or 'withdrawn: REASON', not {value!r}")
NOT_EARLIER = SettingText(
    "earlierReleases.{label}", "is the current release, `label`", remedy="remove it, or change `label`"
)
NO_BUILD = SettingText(
    "ipa",
    "is empty, and `declaredBy` declares the launch of a build",
    remedy="set the path of the IPA, which need not exist once it is uploaded; before there is a build, remove `declaredBy`",
)
NOT_DECLARED = SettingText(
    "withdrawn",
    "is set, and `declaredBy` is empty, so there is no launch to withdraw",
    remedy="set `declaredBy` to who declared the launch",
)


class LaunchSettings(msgspec.Struct, frozen=True, kw_only=True):
    smoke_test: SmokeTest
    waivers: Mapping[str, Waiver]
    declared_by: str
    """Who declares the launch; empty until somebody does."""
    withdrawn: str
    """Why the launch is withdrawn; empty while it is not."""
    earlier: Mapping[str, str]
    """Earlier releases, whose records are kept: by label, the reason of the withdrawal, or empty if it was not withdrawn."""

    @property
    def installations_due(self) -> str:
        """The first day on which a waiver of Apple's evidence about the testers ends; empty if none does."""
        days = [waiver.until for row, waiver in self.waivers.items() if row in ("installed", "no-crashes")]
        return min(filter(None, days), default="")


def read_launch(config: StackConfig, release: Release, ios: IosSettings, image: str, folder: Path) -> LaunchSettings:
    """The settings; problems are added to `config`. `image` is that of the backend."""
    settings = LaunchSettings(
        smoke_test=_smoke_test(config, release, ios, image, folder),
        waivers=_waivers(config),
        declared_by=config.optional("declaredBy"),
        withdrawn=config.optional("withdrawn"),
        earlier=_earlier(config, release),
    )
    if settings.declared_by and not ios.ipa and not config.refused("ipa"):
        config.refuse(NO_BUILD())
    if settings.withdrawn and not settings.declared_by:
        config.refuse(NOT_DECLARED(), lacks=("declaredBy",))
    return settings


def _smoke_test(config: StackConfig, release: Release, ios: IosSettings, image: str, folder: Path) -> SmokeTest:
    features, problems = smoke_test.read_plan(folder / config.text("smokeTest"))
    sign_offs = config.nested("signOffs")
    of = sign_offs.pop(smoke_test.OF, {})
    test = SmokeTest(
        features=features,
        testers=[tester.email for tester in ios.testers],
        release=Tried(release.build_name, image),
        of=Tried(**of) if of.keys() == {"build", "image"} else None,
        sign_offs=sign_offs,
    )
    for problem in problems if not config.refused("smokeTest") else ():
        config.refuse(problem)
    if features and not config.refused("testers"):
        for problem in test.problems():
            config.refuse(problem)
    return test


def _waivers(config: StackConfig) -> dict[str, Waiver]:
    waivers = {}
    for row, given in config.nested("waivers").items():
        waivers[row] = Waiver(**{name: given.get(name, "") for name in ("reason", "by", "until")})
        if problem := waiver_problem(row):
            config.refuse(NOT_WAIVABLE(row=row, problem=problem))
        if given.keys() - {"until"} != {"reason", "by"} or not all(given.values()):
            config.refuse(BAD_WAIVER(row=row))
        if "until" in given and not _is_date(given["until"]):
            config.refuse(BAD_DATE(row=row, value=given["until"]))
    return waivers


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _earlier(config: StackConfig, release: Release) -> dict[str, str]:
    earlier = {}
    for label, value in config.table("earlierReleases").items():
        match = re.fullmatch(EARLIER, value)
        earlier[label] = (match and match["reason"]) or ""
        if not match:
            config.refuse(BAD_EARLIER(label=label, value=value))
        if label == release.label:
            config.refuse(NOT_EARLIER(label=label))
    return earlier
