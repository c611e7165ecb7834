"""What the smoke test still lacks, and what is wrong with its plan or with the sign-offs."""

from pathlib import Path

import pytest

from components.launch.smoke_test import Feature, SmokeTest, Tried, read_plan

ADA, JUN = "ada@sollabs.example", "jun@sollabs.example"
SIGN_UP = Feature(key="sign-up", attempt="Make an account.", expect="An empty day.")
OFFLINE = Feature(key="offline", attempt="Go offline.", expect="The day is there.", testers=(JUN,))


RELEASE = Tried("1.0.0 (1)", "solserver:2")
ALL_PASSED = {ADA: {"sign-up": "passed"}, JUN: {"sign-up": "passed", "offline": "passed"}}


def smoke_test(sign_offs: dict[str, dict[str, str]], of: Tried | None = RELEASE) -> SmokeTest:
    return SmokeTest(features=[SIGN_UP, OFFLINE], testers=[ADA, JUN], release=RELEASE, of=of, sign_offs=sign_offs)


def test_all_signed_off() -> None:
    test = smoke_test(ALL_PASSED)

    assert test.open() == []
    assert test.summary() == {
        "build": "1.0.0 (1)",
        "image": "solserver:2",
        "signedOff": 3,
        "of": 3,
        "failed": [],
        "open": [],
    }


@pytest.mark.parametrize("of", [Tried("1.0.0 (0)", "solserver:2"), Tried("1.0.0 (1)", "solserver:1")])
def test_sign_offs_of_another_release(of: Tried) -> None:
    """Those of an earlier build, or with an earlier image, do not count, and may name people who are gone."""
    test = smoke_test({**ALL_PASSED, "gone@sollabs.example": {}}, of)

    assert test.open() == [f"the sign-offs are of {of}, not of 1.0.0 (1) with solserver:2"]
    assert test.summary()["signedOff"] == 0
    assert list(test.problems()) == []


def test_sign_offs_of_no_release() -> None:
    (found,) = smoke_test(ALL_PASSED, None).problems()

    assert str(found) == (
        "signOffs.of: must say what was tried; set `build`, for example 1.0.0 (1), and `image`, for example solserver:2"
    )


def test_open_sign_offs() -> None:
    test = smoke_test({ADA: {"sign-up": "failed: no mail came"}})

    assert test.failed() == [f"sign-up by {ADA} failed: no mail came"]
    assert test.open() == [f"{JUN} has not signed off sign-up, offline"]


@pytest.mark.parametrize(
    ("sign_offs", "key", "problem"),
    [
        ({"eve@sollabs.example": {}}, "eve@sollabs.example", "is not one of `testers`"),
        (
            {ADA: {"signup": "passed"}},
            f"{ADA}.signup",
            "not a feature of the smoke test; the features are offline, sign-up",
        ),
        ({ADA: {"offline": "passed"}}, f"{ADA}.offline", "is not a feature that this tester tries"),
        ({ADA: {"sign-up": "ok"}}, f"{ADA}.sign-up", "must be 'passed' or 'failed: REASON', not 'ok'"),
    ],
)
def test_refused_sign_offs(sign_offs: dict[str, dict[str, str]], key: str, problem: str) -> None:
    (found,) = smoke_test(sign_offs).problems()

    assert found.key == f"signOffs.{key}"
    assert problem in str(found)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[[features]\n", "line 1"),
        ("", "has no [[features]]"),
        ('[[features]]\nkey = "a"\ntry = "b"\n', "feature 1 has no expect"),
        ('[[features]]\nkey = "a"\ntry = "b"\nexpect = "c"\nwho = "me"\n', "feature 1 has an unknown 'who'"),
        (2 * '[[features]]\nkey = "a"\ntry = "b"\nexpect = "c"\n', "'a' is defined twice"),
    ],
)
def test_refused_plan(tmp_path: Path, text: str, problem: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(text)

    _, problems = read_plan(plan)

    assert problem in str(problems[0])


def test_repository_plan() -> None:
    features, problems = read_plan(Path(__file__).parents[2] / "infra-docs" / "smoke-test.toml")

    assert problems == []
    assert len(features) >= 3
