"""The smoke test: the plan in the repository, the sign-offs in the stack's configuration, and what is still open.

Reading the plan is the only side effect.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from components.config import SettingProblem, SettingText

OF = "of"
"""The key among the sign-offs that says what was tried. All others are email addresses."""
PASSED = "passed"
FAILED = "failed: "

NO_RELEASE = SettingText(
    "signOffs.of",
    "must say what was tried",
    remedy="set `build`, for example {build}, and `image`, for example {image}",
)
UNKNOWN_TESTER = SettingText("signOffs.{tester}", "is not one of `testers`", remedy="these are {testers}")
UNKNOWN_FEATURE = SettingText(
    "signOffs.{tester}.{feature}", "is not a feature of the smoke test", remedy="the features are {known}"
)
OTHER_TESTER = SettingText(
    "signOffs.{tester}.{feature}",
    "is not a feature that this tester tries",
    remedy="remove it, or add the tester to the feature in the file of `smokeTest`",
)
BAD_RESULT = SettingText("signOffs.{tester}.{feature}", "must be 'passed' or 'failed: REASON', not {result!r}")
UNREADABLE = SettingText("smokeTest", "{file} cannot be read: {error}")
BAD_FEATURE = SettingText("smokeTest", "{file}: feature {number} {faults}")
DUPLICATE = SettingText("smokeTest", "{file}: feature {feature!r} is defined twice")
NO_FEATURES = SettingText("smokeTest", "{file} has no [[features]]", remedy="add at least one")


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the plan. `testers` are email addresses; empty means every tester."""

    key: str
    attempt: str
    expect: str
    testers: tuple[str, ...] = ()


class Tried(msgspec.Struct, frozen=True):
    """What testers try: a build, as TestFlight shows it (`1.0.0 (0)`), with an image of the backend, as in `image`."""

    build: str
    image: str

    def __str__(self) -> str:
        return f"{self.build} with {self.image}"


class SmokeTest(msgspec.Struct, frozen=True, kw_only=True):
    features: Sequence[Feature]
    testers: Sequence[str]
    """Email addresses of all testers."""
    release: Tried
    """What is to be launched."""
    of: Tried | None
    """What the sign-offs are of; None when they do not say."""
    sign_offs: Mapping[str, Mapping[str, str]]
    """`passed`, or `failed: REASON`, by email address and feature."""

    @property
    def counting(self) -> Mapping[str, Mapping[str, str]]:
        """The sign-offs, if they are of this release."""
        return self.sign_offs if self.of == self.release else {}

    def required(self) -> Iterator[tuple[str, str]]:
        """Email address and feature of every sign-off that a launch needs."""
        for feature in self.features:
            for tester in feature.testers or self.testers:
                yield tester, feature.key

    def failed(self) -> list[str]:
        """A phrase for each failure."""
        results = {(tester, feature): self.counting.get(tester, {}).get(feature) for tester, feature in self.required()}
        return [
            f"{feature} by {tester} {result}"
            for (tester, feature), result in results.items()
            if result not in (None, PASSED)
        ]

    def open(self) -> list[str]:
        """A phrase for each tester with missing sign-offs."""
        if self.sign_offs and self.of and not self.counting:
            return [f"the sign-offs are of {self.of}, not of {self.release}"]
        missing: dict[str, list[str]] = {}
        for tester, feature in self.required():
            if feature not in self.counting.get(tester, {}):
                missing.setdefault(tester, []).append(feature)
        return [f"{tester} has not signed off {', '.join(features)}" for tester, features in missing.items()]

    @property
    def counts(self) -> str:
        """How many sign-offs there are, for people."""
        summary = self.summary()
        return f"{summary['signedOff']} of {summary['of']} signed off"

    def summary(self) -> dict[str, object]:
        """For the report: how many sign-offs there are, how many are needed, and what failed or is open."""
        required = list(self.required())
        passed = sum(self.counting.get(tester, {}).get(feature) == PASSED for tester, feature in required)
        release = {"build": self.release.build, "image": self.release.image}
        return {**release, "signedOff": passed, "of": len(required), "failed": self.failed(), "open": self.open()}

    def problems(self) -> Iterator[SettingProblem]:
        """What is wrong with the sign-offs. Those of another release are not checked: testers and features may have changed."""
        if self.sign_offs and self.of is None:
            yield NO_RELEASE(build=self.release.build, image=self.release.image)
        required = set(self.required())
        known = {feature.key for feature in self.features}
        for tester, results in self.counting.items():
            if tester not in self.testers:
                yield UNKNOWN_TESTER(tester=tester, testers=", ".join(self.testers))
                continue
            for feature, result in results.items():
                if feature not in known:
                    yield UNKNOWN_FEATURE(tester=tester, feature=feature, known=", ".join(sorted(known)))
                elif (tester, feature) not in required:
                    yield OTHER_TESTER(tester=tester, feature=feature)
                elif result != PASSED and not result.startswith(FAILED):
                    yield BAD_RESULT(tester=tester, feature=feature, result=result)


def read_plan(path: Path) -> tuple[list[Feature], list[SettingProblem]]:
    """The features of a plan, and what is wrong with the file."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [], [UNREADABLE(file=path.name, error=error)]
    features: list[Feature] = []
    problems: list[SettingProblem] = []
    for number, entry in enumerate(document.get("features", ()), start=1):
        faults = [f"has no {name}" for name in ("key", "try", "expect") if not entry.get(name)]
        faults += [f"has an unknown {name!r}" for name in sorted(entry.keys() - {"key", "try", "expect", "testers"})]
        if faults:
            problems.append(BAD_FEATURE(file=path.name, number=number, faults=" and ".join(faults)))
            continue
        if any(feature.key == entry["key"] for feature in features):
            problems.append(DUPLICATE(file=path.name, feature=entry["key"]))
        features.append(
            Feature(
                key=entry["key"],
                attempt=entry["try"],
                expect=entry["expect"],
                testers=tuple(entry.get("testers", ())),
            )
        )
    if not features and not problems:
        problems.append(NO_FEATURES(file=path.name))
    return features, problems
