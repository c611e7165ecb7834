"""The whole program against the doubles over real HTTP, through the embedded engine: from an empty world and back."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from checklist.rows import examine
from components.launch.smoke_test import read_plan
from harness.program import IMAGE, ROOT, Stack, appstore, calls, fly
from rehearsal.people import People
from report.state import read

FEATURES, _ = read_plan(ROOT / "infra-docs" / "smoke-test.toml")
NOT_WATCHED = {"reason": "watched in another test", "by": "this test"}
WAIVERS = dict.fromkeys(("monitoring", "logging", "alerting"), NOT_WATCHED)


def passed(stack: Stack) -> dict[str, dict[str, str]]:
    """The sign-offs of testers who found nothing wrong."""
    testers = stack.config["solos:testers"]
    of = {"build": "1.0.0 (0)", "image": IMAGE}
    return {"of": of, **{tester["email"]: {feature.key: "passed" for feature in FEATURES} for tester in testers}}


@pytest.mark.usefixtures("people")
def test_launch_and_destroy(stack: Stack, addresses: dict[str, str], people: People, engine: str) -> None:
    """Preview, first `up`, installation, declaration, unchanged `up`, destroy."""
    assert stack.run("preview") == 0, stack.text
    assert f"0 of {3 * len(FEATURES)} signed off" in stack.text
    assert calls(addresses) == []

    line_by_line = ("--diff=false",) if engine == "pulumi" else ()
    assert stack.run("up", *line_by_line) == 0, stack.text
    assert re.search(r"-build-upload .*uploading IPA: [\d.]+ of [\d.]+ MB", stack.text), (
        "the upload's progress is shown"
    )
    assert re.search(r"-processed-build .*processing by Apple: the upload is PROCESSING", stack.text), (
        "and what Apple makes of it"
    )
    (app,) = fly(addresses)["fly_app"]
    health = httpx.get(f"{addresses['proxy']}/health", headers={"Host": f"{app['name']}.fly.dev"})
    assert health.json()["version"] == "1.0.0"

    assert stack.run("preview", "--expect-no-changes") == 0, "testers who have not installed the build are no change"

    people.install("1.0.0", "0")
    assert stack.run("up", "--refresh") == 0, stack.text
    assert stack.outputs()["notInstalledBy"] == "nobody: all have it"
    assert stack.outputs()["launch"].startswith("v0 is not declared; ")
    assert not [value for value in stack.outputs().values() if not isinstance(value, str)], "one line each"

    stack.configure(declaredBy="Mara Lindqvist")
    assert stack.run("up") != 0
    assert "ada@sollabs.example has not signed off install" in stack.text
    assert "alerting: monitoring is not configured: set `monitoring`" in stack.text

    stack.configure(signOffs=passed(stack), waivers=WAIVERS)
    assert stack.run("up") == 0, stack.text
    launch = stack.outputs()["launch"]
    assert launch.startswith("v0 is launched, declared by Mara Lindqvist at ")
    assert launch.endswith("; 20 of 23 other rows proven; waived: logging, monitoring, alerting")
    assert what_the_gate_saw(stack) == what_the_report_shows(stack)

    before = calls(addresses)
    assert stack.run("up", "--expect-no-changes") == 0, stack.text
    assert calls(addresses) == before

    assert stack.run("destroy") == 0, stack.text
    assert not any(objects for kind, objects in fly(addresses).items() if kind != "fly_image")
    assert appstore(addresses)["betaGroups"] == []


def what_the_gate_saw(stack: Stack) -> dict[str, str]:
    """Evidence or problem of each row that blocks, as the launch record has it."""
    return {row["key"]: row["open"] or row["evidence"] for row in records(stack)["v0"]["requirements"]}


def what_the_report_shows(stack: Stack) -> dict[str, str]:
    """The same, from the exported state."""
    state = read({"manifest": {}, "resources": stack.resources()})
    findings = examine(state.known(datetime.now(UTC)), {})
    return {finding.row.key: finding.problem or finding.text for finding in findings if finding.row.blocks}


def records(stack: Stack) -> dict[str, dict[str, Any]]:
    """The launch records in the state, by label."""
    return {
        resource["id"]: resource["outputs"]
        for resource in stack.resources()
        if resource["type"].endswith("checks:LaunchRecord")
    }


def test_withdrawn_launch_is_kept(running: tuple[Stack, dict[str, str]]) -> None:
    """The record of a withdrawn launch is still there after the next release."""
    stack, addresses = running
    waivers = {**WAIVERS, "backups": NOT_WATCHED}
    stack.configure(declaredBy="Mara Lindqvist", signOffs=passed(stack), waivers=waivers)
    assert stack.run("up", "--skip-preview") == 0, stack.text
    declared = records(stack)["v0"]
    assert declared["waivers"] == {row: {**waiver, "until": ""} for row, waiver in waivers.items()}
    assert declared["facts"]["instance"] == fly(addresses)["fly_machine"][0]["instance_id"]
    assert declared["facts"]["image"].startswith("registry.fly.io/solserver@sha256:")

    stack.configure(withdrawn="rows were lost")
    assert stack.run("up", "--skip-preview") == 0, stack.text
    assert re.match(r"v0 is withdrawn since \S+: rows were lost; ", stack.outputs()["launch"])

    stack.configure(label="v1", declaredBy=None, withdrawn=None, earlierReleases={"v0": "withdrawn: rows were lost"})
    assert stack.run("up", "--skip-preview") == 0, stack.text
    assert stack.outputs()["launch"].startswith("v1 is not declared; ")
    kept = records(stack)["v0"]
    assert kept["withdrawn"] == "rows were lost"
    assert {key: kept[key] for key in ("declared_at", "facts", "requirements")} == {
        key: declared[key] for key in ("declared_at", "facts", "requirements")
    }

    assert stack.run("up", "--skip-preview", "--expect-no-changes") == 0, stack.text


@pytest.mark.usefixtures("people")
def test_missing_image_creates_no_machine(stack: Stack, addresses: dict[str, str]) -> None:
    """The next `up` continues."""
    stack.configure(image="registry.fly.io/solserver:9.9.9")
    assert stack.run("up") == 1
    assert "the image does not exist" in stack.text
    assert "Traceback" not in stack.text
    assert fly(addresses)["fly_machine"] == []

    stack.configure(image=IMAGE)
    assert stack.run("up") == 0, stack.text
    assert len(fly(addresses)["fly_app"]) == len(fly(addresses)["fly_machine"]) == 1


@pytest.mark.usefixtures("people")
def test_bad_settings_make_no_call(stack: Stack, addresses: dict[str, str]) -> None:
    stack.configure(version="1.0.0 (v0)", testers=[{"email": "nobody"}])

    assert stack.run("up") == 1

    assert "solos:version" in stack.text
    assert "solos:testers" in stack.text
    assert calls(addresses) == []
