"""The smoke test: the plan in the repository, the sign-offs in the stack's configuration, and what is still open between them. Pure
but for reading the plan.
"""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PASSED = "passed"
FAILED = "failed: "


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One line of the plan. `testers` are addresses; empty means everybody."""

    key: str
    attempt: str
    expect: str
    testers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SmokeTest:
    features: Sequence[Feature]
    testers: Sequence[str]
    """Addresses of everybody who has the build."""
    sign_offs: Mapping[str, Mapping[str, str]]
    """`passed`, or `failed: why`, by address and feature."""

    def wanted(self) -> Iterator[tuple[str, str]]:
        """Address and feature of every sign-off that a launch needs."""
        for feature in self.features:
            for tester in feature.testers or self.testers:
                yield tester, feature.key

    def open(self) -> list[str]:
        """A phrase for each tester who has not signed off everything, and for each failure; empty when the test is passed."""
        missing: dict[str, list[str]] = {}
        failures = []
        for tester, feature in self.wanted():
            result = self.sign_offs.get(tester, {}).get(feature)
            if result is None:
                missing.setdefault(tester, []).append(feature)
            elif result != PASSED:
                failures.append(f"{feature} by {tester} {result}")
        return [
            *failures,
            *(f"{tester} has not signed off {', '.join(features)}" for tester, features in missing.items()),
        ]

    def summary(self) -> dict[str, object]:
        """What people are shown: how many sign-offs there are, of how many, and what is open."""
        wanted = list(self.wanted())
        passed = sum(self.sign_offs.get(tester, {}).get(feature) == PASSED for tester, feature in wanted)
        return {"signedOff": passed, "of": len(wanted), "open": self.open()}

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with the sign-offs: (tester or tester.feature, what)."""
        wanted = set(self.wanted())
        known = {feature.key for feature in self.features}
        for tester, results in self.sign_offs.items():
            if tester not in self.testers:
                yield tester, "is none of solos:testers"
                continue
            for feature, result in results.items():
                if feature not in known:
                    yield (
                        f"{tester}.{feature}",
                        f"is no feature of the smoke test; there are {', '.join(sorted(known))}",
                    )
                elif (tester, feature) not in wanted:
                    yield f"{tester}.{feature}", "is tried by others, says the smoke test"
                elif result != PASSED and not result.startswith(FAILED):
                    yield f"{tester}.{feature}", f"must be '{PASSED}' or '{FAILED}WHY', not {result!r}"


def read_plan(path: Path) -> tuple[list[Feature], list[str]]:
    """The features of a plan, and sentences about what is wrong with the file."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return [], [f"cannot read the smoke test {path.name}: {error}"]
    features: list[Feature] = []
    problems: list[str] = []
    for number, entry in enumerate(document.get("features", ()), start=1):
        unknown = entry.keys() - {"key", "try", "expect", "testers"}
        missing = [name for name in ("key", "try", "expect") if not entry.get(name)]
        if unknown or missing:
            found = [f"has no {name}" for name in missing] + [f"has an unknown {name!r}" for name in sorted(unknown)]
            problems.append(f"{path.name}: feature {number} {' and '.join(found)}")
            continue
        if any(feature.key == entry["key"] for feature in features):
            problems.append(f"{path.name}: feature {entry['key']!r} is there twice")
        features.append(
            Feature(
                key=entry["key"],
                attempt=entry["try"],
                expect=entry["expect"],
                testers=tuple(entry.get("testers", ())),
            )
        )
    if not features and not problems:
        problems.append(f"{path.name}: has no [[features]]: a launch that nobody has tried cannot be declared")
    return features, problems
