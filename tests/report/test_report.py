"""The launch report: from either form of a state, without a secret, on a phone and on a desk."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from project.state import SECRET, SIGNATURE
from report.__main__ import main
from report.html import render
from report.launch import Launch, gather
from report.markdown import render as render_markdown
from report.state import read
from report.text import pieces, words
from tests.needs import needs
from tests.report.browser import shown

PASSWORD = "correct horse battery staple"
STACK = "urn:pulumi:prod::solos::pulumi:pulumi:Stack::solos-prod"


def resource(
    kind: str, name: str, id: str, second: int, component: str = "Backend", /, **outputs: Any
) -> dict[str, Any]:
    return {
        "urn": f"urn:pulumi:prod::solos::solos:{component}$pulumi-python:dynamic/{kind}::{name}",
        "type": f"pulumi-python:dynamic/{kind}",
        "custom": True,
        "id": id,
        "created": f"2026-11-27T04:00:{second:02d}.5Z",
        "modified": f"2026-11-27T04:00:{second:02d}.5Z",
        "outputs": {**outputs, "__provider": f"a pickle with {PASSWORD}"},
    }


INPUT = {"label": "v0", "waivers": {"signing": {"reason": "signed in Xcode", "by": "Mara"}}}
DEPLOYMENT: dict[str, Any] = {
    "manifest": {"time": "2026-11-27T04:01:00Z"},
    "resources": [
        {
            "urn": STACK,
            "type": "pulumi:pulumi:Stack",
            "outputs": {
                "url": "https://solos-prod.fly.dev",
                "reportInput": json.dumps(INPUT),
                "password": {SIGNATURE: SECRET, "plaintext": json.dumps(PASSWORD)},
            },
        },
        resource("fly:App", "app", "solos-prod", 1, name="solos-prod", org="sol-labs", hostname="solos-prod.fly.dev"),
        resource(
            "fly:Image",
            "image",
            "i",
            2,
            reference="registry.fly.io/solserver:1.0.0",
            digest="sha256:" + "5" * 64,
            pinned="registry.fly.io/solserver@sha256:5",
        ),
        resource(
            "fly:Machine",
            "machine",
            "148e",
            4,
            name="solserver",
            region="sjc",
            image="registry.fly.io/solserver@sha256:5",
            config={},
        ),
        resource(
            "fly:Secrets",
            "secrets",
            "s",
            3,
            version=1,
            digests={"SESSION_SECRET": "d1"},
            values={SIGNATURE: SECRET, "ciphertext": PASSWORD},
        ),
        resource(
            "checks:Rollout",
            "rollout",
            "r",
            9,
            hostname="solos-prod.fly.dev",
            path="/health",
            latencies_ms=[4.0, 31.0, 5.0],
            instance_id="01M8DJ258TFHAPW54ZA0HEE6V2",
            verified_at="2026-11-27T04:00:09+00:00",
        ),
        resource(
            "checks:AlertDrill",
            "alert-drill",
            "d",
            40,
            "Monitoring",
            watched="solos-prod",
            receiver="page",
            fired_at="2026-11-27T04:00:10+00:00",
            delivered_seconds=0.8,
            resolved_at="2026-11-27T04:00:40+00:00",
        ),
        resource(
            "appstore:BetaTesters",
            "testers",
            "t",
            12,
            "TestFlight",
            testers=[
                {"email": "ada.with.a.very.long.address@sollabs.example", "first_name": "Ada", "last_name": "Ferreira"}
            ],
        ),
    ],
}


DECLARED = {"label": "v0", "declared_by": "Mara", "declared_at": "2026-11-27T04:00:59Z"}
DEPLOYMENT["resources"].append(resource("checks:LaunchRecord", "launch-v0", "v0", 40, "Launch", **DECLARED))


def gathered(deployment: dict[str, Any] = DEPLOYMENT) -> Launch:
    return gather(read({"deployment": deployment}), datetime(2026, 11, 27, tzinfo=UTC))


@pytest.fixture
def page() -> str:
    return render(gathered())


def test_file_of_a_backend(page: str) -> None:
    """It gives the same report as an export."""
    kept = {"version": 3, "checkpoint": {"stack": "organization/solos/prod", "latest": DEPLOYMENT}}

    assert render(gather(read(kept), datetime(2026, 11, 27, tzinfo=UTC))) == page


def test_no_secret(page: str) -> None:
    document = render_markdown(gathered())

    assert PASSWORD not in page
    assert PASSWORD not in document
    assert "SESSION_SECRET" in page


def test_both_forms(page: str) -> None:
    """HTML and Markdown show the same."""
    document = render_markdown(gathered())

    shown = re.sub("</?span[^>]*>", "", page)

    for text in (
        "Launched, 1 failed, 16 open",
        "declared by Mara, 2026-11-27 04:00:59 UTC",
        "signed in Xcode",
        "the stack manages no certificate and profile",
        "monitoring is not configured",
        "https://fly.io/apps/solos-prod/secrets",
        "the page to arrive and resolve",
        "sha256:555",
        "healthy, slowest of 3 checks 31 ms",
        "ada.with.a.very.long.address@sollabs.example",
    ):
        assert text in shown
        assert text in document
    assert "set <code>monitoring</code>" in shown
    assert "set `monitoring`" in document


def test_many_open_rows() -> None:
    """Only the first are named above the checklist."""
    document = render_markdown(gathered())

    assert "**Failed**: Deployed and verified healthy\n" in document
    assert re.search(r"\*\*Open\*\*: Production database; (.+; ){4}and 11 more\n", document)


def test_values_are_escaped() -> None:
    """Every value may come from a vendor or a tester."""
    script = "<script>alert(1)</script>"
    app = resource("fly:App", "app", "a", 1, name=script, org=script, hostname=script)

    page = render(gathered({**DEPLOYMENT, "resources": [DEPLOYMENT["resources"][0], app]}))

    assert "&lt;script&gt;" in page
    assert script not in page


def test_phases_in_order(page: str) -> None:
    phases = re.findall(r"<h3>(.*?)<span>", page)

    assert phases == ["Backend", "Operations", "iOS build", "TestFlight", "Launch"]


def test_rehearsal_says_so() -> None:
    """In every form, and without links to vendors' pages that do not exist."""
    root = DEPLOYMENT["resources"][0]
    outputs = {**root["outputs"], "reportInput": json.dumps({**INPUT, "simulated": ["fly", "registry"]})}
    launch = gathered({**DEPLOYMENT, "resources": [{**root, "outputs": outputs}, *DEPLOYMENT["resources"][1:]]})

    assert ">Rehearsal</strong>" in render(launch)
    assert "Test doubles stand in for Fly.io." in render(launch)
    assert render_markdown(launch).startswith("# Rehearsal: ")
    assert "fly.io/apps" not in render(launch) + render_markdown(launch)


def test_real_launch_is_no_rehearsal(page: str) -> None:
    assert "Rehearsal" not in page


def test_reason_of_waivers_once() -> None:
    """However many rows it waives."""
    root = DEPLOYMENT["resources"][0]
    waiver = {"reason": "signed in Xcode", "by": "Mara"}
    waivers = dict.fromkeys(("signing", "monitoring", "logging"), waiver)
    outputs = {**root["outputs"], "reportInput": json.dumps({**INPUT, "waivers": waivers})}

    launch = gathered({**DEPLOYMENT, "resources": [{**root, "outputs": outputs}]})

    assert render(launch).count("signed in Xcode") == 1
    assert [len(item.rows) for item in launch.waivers] == [3]


def test_identifiers_in_evidence() -> None:
    """They are cut off on the page, and the whole value is there to copy. Names, addresses and times stay as they are."""
    digest, build = "sha256:" + "5" * 64, "f0885fab-1c07-4cba-b73a-06820f117c4e"
    line = (
        f"registry.fly.io/solserver@{digest} on vol_wwsu0i9ogao9j0vf, build {build} of a-quite-long-name-1, 2026-11-27"
    )

    found = list(pieces(line))

    assert [piece.text for piece in found if piece.is_identifier] == [digest, "vol_wwsu0i9ogao9j0vf", build]
    assert "".join(piece.text for piece in found) == line


def test_typed_words_in_evidence() -> None:
    found = list(pieces("set `ipa` to a path, then run `pulumi up`"))

    assert [piece.text for piece in found if piece.is_typed] == ["ipa", "pulumi up"]
    assert "".join(piece.text for piece in found) == "set ipa to a path, then run pulumi up"


@pytest.mark.parametrize(
    "word",
    ["2026-11-27 04:00:59 UTC,", "registry.fly.io/solserver@sha256:" + "5" * 64 + ";", "sol-labs", "`pulumi up`."],
)
def test_word_not_broken(word: str) -> None:
    """A line is broken before or after it, with what follows it."""
    found = list(words(f"by {word} and"))

    assert [it.breaks for it in found] == [False, False, True, False, False]
    assert "".join(piece.text for piece in found[2].pieces) == word.replace("`", "")


def test_timeline_by_component() -> None:
    """The waits are marked; whatever is short and beside the critical path is listed only."""
    page = render(gathered())

    assert re.findall(r"<b>(\w+)</b>", re.sub(r"<b>\d+</b>", "", page)) == [
        "Backend",
        "TestFlight",
        "Monitoring",
        "Launch",
    ]
    assert "39.0" in page  # From the first resource, at 1.5 s, to the last, at 40.5 s.
    assert "the page to arrive and resolve" in page


def test_record_ends_the_critical_path() -> None:
    """In the state it depends on nothing; in time it follows what it records."""
    record = resource("checks:LaunchRecord", "launch-v0", "v0", 50, "Launch", **DECLARED)

    launch = gathered({**DEPLOYMENT, "resources": [*DEPLOYMENT["resources"][:-1], record]})

    spans = {span.resource.name: span for group in launch.timeline for span in group.spans}
    assert (spans["launch-v0"].seconds, spans["launch-v0"].critical) == (10, True)
    assert spans["alert-drill"].critical
    assert not spans["rollout"].critical


def test_wait_of_a_day_is_cut_off() -> None:
    """All else would be a dot beside it."""
    record = {**DEPLOYMENT["resources"][-1], "created": "2026-11-28T04:00:01.5Z", "modified": "2026-11-28T04:00:01.5Z"}

    page = render(gathered({**DEPLOYMENT, "resources": [*DEPLOYMENT["resources"][:-1], record]}))

    axis = re.findall(r'<i style="left:[\d.]+%">([^<]*)</i>', page)
    assert "<span>24\u00a0h</span>" in page
    assert (axis[0], axis[-1]) == ("0\u00a0s", "49\u00a0s")  # A quarter more than the 39 s of the rest.
    assert page.count(' goes-on"') == 1


def test_stack_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / ".pulumi" / "stacks" / "solos"
    folder.mkdir(parents=True)
    (folder / "prod.json").write_text(json.dumps({"version": 3, "checkpoint": {"latest": DEPLOYMENT}}))
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())
    monkeypatch.chdir(tmp_path)

    assert main(["--stack", "prod"]) == 1  # Rows are open.
    assert (tmp_path / "report-of-prod" / "launch.html").exists()

    assert main(["--stack", "other"]) == 2
    assert f"there is no stack other in {tmp_path}" in capsys.readouterr().err


@needs("chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_page_in_a_browser(page: str, width: int, tmp_path: Path) -> None:
    """Nothing is wider than the screen, or loaded from elsewhere."""
    seen = shown(page, width, tmp_path)

    assert seen == {"width": width, "beyond": [], "loaded": [], "console": []}
