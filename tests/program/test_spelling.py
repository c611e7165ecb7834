"""The spelling of settings: each wrong value is refused at preview, with its key."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.settings import BadSettings, read
from components.spelling import RULES
from harness.program import create_project
from tests.program.full_settings import ENCRYPTED, full_settings

WRONG: dict[str, tuple[Any, ...]] = {
    "org": ("Sol Labs", "sol_labs", "-"),
    "image": ("a\nb", "Not An Image"),
    "machine": ("Sol", "a b", "x" * 64),
    "healthPath": ("health", "/a b", "https://x"),
    "expectBody": ("a\nb",),
    "waitForDomain": (-1, "1e9", "010", "1.5", 86_401, "9" * 5000, "٣"),
    "waitForAppRecord": (-1, "60s", 10**30),
    "database.fromSnapshot": ("vs_", "snap_1", "vs_ 1"),
    "database.name": ("My DB",),
    "database.server": ("my db", "-"),
    "database.diskSizeGb": ("10gb", "-1", "010"),
    "imageBuild.context": ("none", "/", "a\0b"),
    "monitoring.region": ("or", "ORD", "chicago", ""),
    "monitoring.sinkUrl": ("loki.example", "ftp://l.example", "http://["),
    "monitoring.sinkUser": ("a\nb",),
    "monitoring.repository": ("github.com/x",),
    "monitoringSecrets.metricsToken": ("a\nb", " ", "é"),
    "monitoringSecrets.sinkToken": ("a\nb",),
    "monitoringSecrets.page": ("http://[", "x"),
    "sku": ("-solos", "so los"),
    "primaryLocale": ("en_US", "EN-us", "english"),
    "apiKey": ("API BASE", "1URL"),
    "usageDescriptions": ("NSCameraUsage", "Camera UsageDescription"),
    "version": ("1.0.0-v0", "1..0", "v1"),
    "build": ("-1", "1.0.0.0.0"),
    "label": ("a\nb", "x" * 61, None),
    "group": ("x" * 61,),
    "signing.profile": ("a\nb", ""),
    "signing.renewBeforeDays": ("0", "181", "030"),
    "declaredBy": ("a\nb",),
    "withdrawn": ("a\nb",),
    "ipa": ("a\0b", "a\nb"),
    "flyToml": ("a\0b", "a\nb"),
    "environment": ("a\0b", "none.toml"),
    "smokeTest": ("a\0b", "none.toml"),
    "credentialsFile": ("a\nb",),
    "passEnvironment": ("A-B", "FLY_API_TOKEN"),
    "xcode.checkout": (" ", "a\nb"),
    "xcode.workspace": ("a\nb", "../w"),
    "xcode.project": ("a\nb",),
    "xcode.scheme": ("a\nb", ""),
    "xcode.xcconfig": ("/etc/x", "a\nb"),
    "xcode.exportOptions": ("../x", "a\nb"),
    "testers.firstName": ("a\nb", ""),
    "testers.lastName": ("x" * 101,),
    "whatToTest.en_US": ("Sign up.",),
    "whatToTest.en-US": ("", "😀"),
    "flyApiToken": ("a\nb", "é"),
    "betterStackApiToken": ("a\nb", "é"),
    "ascKeyId": ("a b",),
    "ascIssuerId": ("a b",),
    "ascPrivateKey": ("AuthKey.p8",),
    "endpoints.fly": ("127.0.0.1", "ftp://x"),
    "feedbackEmail": ("ada",),
    "domain": ("https://x.example", "a b"),
    "uniqueNames": ("yes", "1"),
}
"""By key, as in `RULES`."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_project(tmp_path / "project")
    return tmp_path / "project"


def refused(values: dict[str, Any], folder: Path, file: Path | None = None) -> list[str]:
    passed = {f"solos:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    try:
        read(passed, [f"solos:{key}" for key in ENCRYPTED], folder, "solos", file)
    except BadSettings as bad:
        return [str(problem) for problem in bad.problems]
    return []


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_wrong_value_refused(folder: Path, key: str, value: Any) -> None:
    values = full_settings()
    first, _, name = key.partition(".")
    if first == "testers":
        values["testers"] = [{**values["testers"][0], name: value}]
    else:
        values[first] = {**values[first], name: value} if name else value

    problems = refused(values, folder)

    assert [line for line in problems if line.startswith((first, "fly.toml"))], problems
    assert all(len(line.splitlines()) == 1 for line in problems)


def test_every_rule_has_a_wrong_value() -> None:
    assert {key for key in RULES if not key.endswith("*")} <= WRONG.keys()


def test_full_settings_accepted(folder: Path) -> None:
    assert refused(full_settings(), folder) == []


@pytest.mark.parametrize("text", ["1.10", "1.0", "010", "0x10", "1e3", "2026-11-29", "1_000", ".5"])
def test_number_without_quotes(folder: Path, text: str) -> None:
    """YAML makes 1.1 of 1.10 and 8 of 010: only the text of the file shows it."""
    file = folder / "Pulumi.test.yaml"
    file.write_text(f"config:\n  # The release\n  solos:version: {text} # comment\n")

    (problem,) = refused(full_settings(), folder, file)

    assert problem == f'Pulumi.test.yaml:3: YAML reads {text} as a number or a date; write "{text}", in quotes'


@pytest.mark.parametrize("text", ['"1.10"', "'010'", "12", "1.0.0", "0", "v1.10", "secure: {a: 1.5}", "[unclosed"])
def test_text_as_it_arrives(folder: Path, text: str) -> None:
    file = folder / "Pulumi.test.yaml"
    file.write_text(f"config:\n  solos:version: {text}\n  other:version: 1.10\n")

    assert refused(full_settings(), folder, file) == []
